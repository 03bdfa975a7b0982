//! The changelog at a release.

use anyhow::bail;

const HEADING: &str = "## Unreleased\n";

/// The entries that are not released yet. An error if there are none.
pub(crate) fn notes(changelog: &str) -> anyhow::Result<&str> {
    let Some((_, rest)) = changelog.split_once(HEADING) else {
        bail!("CHANGELOG.md has no heading `## Unreleased`");
    };
    let section = rest
        .split_once("\n## ")
        .map_or(rest, |(section, _)| section);
    if !section.lines().any(|line| line.starts_with("- ")) {
        bail!(
            "CHANGELOG.md has no entry under `## Unreleased`; add a line for each change that users notice"
        );
    }
    Ok(section.trim())
}

/// The changelog with the unreleased entries under a version.
pub(crate) fn released(changelog: &str, version: &str, date: &str) -> String {
    changelog.replacen(HEADING, &format!("{HEADING}\n## {version} - {date}\n"), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Changelog\n\n## Unreleased\n\n### Added\n\n- a thing\n\n## 0.1.0 - 2026-01-01\n\n- first\n";

    #[test]
    fn entries_become_those_of_a_version() {
        assert_eq!(notes(TEXT).ok(), Some("### Added\n\n- a thing"));
        let after = released(TEXT, "0.2.0", "2026-02-03");
        assert!(after.contains("## Unreleased\n\n## 0.2.0 - 2026-02-03\n\n### Added\n\n- a thing"));
        let refused = notes(&after)
            .expect_err("nothing is unreleased")
            .to_string();
        assert!(refused.contains("no entry under"), "{refused}");
    }

    #[test]
    fn a_changelog_without_the_heading_is_refused() {
        assert!(notes("# Changelog\n").is_err());
    }
}
