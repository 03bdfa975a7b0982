//! Pages with a part that a command writes.

use anyhow::{Context, bail};

use crate::output::{replace, workspace_root};

/// A page whose measured part stands between two comments.
pub(crate) struct Page {
    /// Its path in the workspace.
    pub(crate) path: &'static str,
    /// The command that writes it.
    pub(crate) command: &'static str,
}

const END: &str = "<!-- end of what is measured -->";

impl Page {
    /// Replaces the measured part, and the plots beside the page: pairs of a file name and its content.
    pub(crate) fn write(&self, measured: &str, plots: &[(String, String)]) -> anyhow::Result<()> {
        let path = workspace_root().join(self.path);
        let page =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", self.path))?;
        let page = self.spliced(&page, measured)?;
        for (name, plot) in plots {
            replace(&path.with_file_name(name), plot.as_bytes())?;
        }
        replace(&path, page.as_bytes())?;
        eprintln!("wrote {}", self.path);
        Ok(())
    }

    fn begin(&self) -> String {
        format!("<!-- measured: written by `{}` -->\n", self.command)
    }

    fn spliced(&self, page: &str, measured: &str) -> anyhow::Result<String> {
        let begin = self.begin();
        let parts = page.split_once(&begin).and_then(|(before, rest)| {
            let (_, after) = rest.split_once(END)?;
            Some((before, after))
        });
        let Some((before, after)) = parts else {
            bail!(
                "{} has lost the comments that enclose its measured part",
                self.path
            );
        };
        Ok(format!("{before}{begin}\n{measured}\n{END}{after}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_measured_part_of_a_page_is_replaced() {
        let of = Page {
            path: "docs/page.md",
            command: "cargo xtask bench page",
        };
        let page = format!("# Title\n\n{}\nold\n\n{END}\n\nrest\n", of.begin());
        let fresh = of.spliced(&page, "new\n").ok();
        assert_eq!(fresh, Some(page.replace("old", "new")));
        assert!(of.spliced("nothing to replace", "new").is_err());
    }
}
