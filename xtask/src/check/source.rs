//! Rules about source files: length, header, reserved paths.

use std::path::Path;

use crate::code::{COMMAND, LIBRARIES, Source, rust_files};

const LONGEST: usize = 400;

/// A path that only one file or folder of the libraries may use.
struct Reserved {
    path: [&'static str; 2],
    only_in: &'static str,
}

const RESERVED: [Reserved; 2] = [
    Reserved {
        path: ["reqwest", ""],
        only_in: "tinker-transport/src/leaf/",
    },
    Reserved {
        path: ["env", "var"],
        only_in: "tinker-client/src/config/env.rs",
    },
];

/// Folders beside the crates whose files follow the same rules.
const FOLDERS: [&str; 4] = ["xtask", "tests", "cost", "examples"];

pub(super) fn check(root: &Path, faults: &mut Vec<String>) -> anyhow::Result<()> {
    for folder in LIBRARIES.into_iter().chain([COMMAND]).chain(FOLDERS) {
        for file in rust_files(root, folder)? {
            check_file(&Source::read(root, &file)?, faults);
        }
    }
    Ok(())
}

fn check_file(source: &Source, faults: &mut Vec<String>) {
    let (name, text) = (&source.name, &source.text);
    let lines = text.lines().count();
    if lines > LONGEST {
        faults.push(format!(
            "{name}: {lines} lines; at most {LONGEST}: find the second noun in it"
        ));
    }
    let is_test = name.ends_with("/tests.rs") || name.contains("/src/") && name.contains("/tests/");
    if !is_test && !text.starts_with("//!") && !text.starts_with("#![doc") {
        faults.push(format!("{name}: has no header; begin with a line of `//!`"));
    }
    // In two pieces, so that this file does not find itself.
    for marker in [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("FIX", "ME"),
    ] {
        if text.contains(marker) {
            faults.push(format!("{name}: holds the unfinished marker `{marker}`"));
        }
    }
    let is_library = LIBRARIES
        .iter()
        .any(|krate| name.starts_with(&format!("{krate}/src/")));
    if is_library && !is_test {
        check_reserved(source, faults);
    }
}

fn check_reserved(source: &Source, faults: &mut Vec<String>) {
    let tokens = source.code_tokens();
    for Reserved { path, only_in } in RESERVED {
        let [first, second] = path;
        let found = tokens.windows(4).find(|window| {
            window[0].is_ident()
                && window[0].text == first
                && (second.is_empty()
                    || window[1].text == ":" && window[3].text.starts_with(second))
        });
        if let Some(window) = found.filter(|_| !source.name.starts_with(only_in)) {
            let (name, line) = (&source.name, window[0].line);
            let path = path.join("::");
            faults.push(format!("{name}:{line}: only {only_in} may use `{path}`"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(name: &str, text: &str) -> anyhow::Result<Vec<String>> {
        let mut faults = Vec::new();
        check_file(&Source::parse(name, text.to_owned())?, &mut faults);
        Ok(faults)
    }

    #[test]
    fn long_files_and_files_without_a_header_are_refused() -> anyhow::Result<()> {
        let found = faults("xtask/src/a.rs", &"\n".repeat(401))?;
        assert_eq!(
            found,
            [
                "xtask/src/a.rs: 401 lines; at most 400: find the second noun in it",
                "xtask/src/a.rs: has no header; begin with a line of `//!`",
            ]
        );
        assert_eq!(faults("x/src/a/tests.rs", "")?, [""; 0]);
        Ok(())
    }

    #[test]
    fn reserved_paths_are_refused_outside_of_their_place() -> anyhow::Result<()> {
        let text = "//! A.\nuse std::env;\nfn a() { env::var_os(\"A\"); env::temp_dir(); }\n\
                    #[cfg(test)]\nuse reqwest::Client;\nfn b() -> reqwest::Client { todo() }";
        assert_eq!(
            faults("tinker-client/src/a.rs", text)?,
            [
                "tinker-client/src/a.rs:6: only tinker-transport/src/leaf/ may use `reqwest::`",
                "tinker-client/src/a.rs:3: only tinker-client/src/config/env.rs may use `env::var`",
            ]
        );
        assert_eq!(faults("tinker-cli/src/a.rs", text)?, [""; 0]);
        Ok(())
    }
}
