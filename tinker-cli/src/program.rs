//! The name by which the user started this program, so that suggested commands can be pasted.

use std::ffi::OsStr;
use std::path::{Component, Path};

/// Shell words that start this program again.
pub(crate) fn name() -> String {
    let called = std::env::args_os().next().unwrap_or_default();
    let by_cargo = std::env::var_os("CARGO").is_some();
    name_of(&called, by_cargo)
}

/// `cargo run` starts a program by its path relative to the working directory, `target/PROFILE/NAME`.
fn name_of(called: &OsStr, by_cargo: bool) -> String {
    let parts: Vec<&OsStr> = Path::new(called)
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name),
            _ => None,
        })
        .collect();
    match &parts[..] {
        [target, profile, _] if by_cargo && *target == "target" => match profile.to_str() {
            Some("debug") | None => "cargo run --".to_owned(),
            Some("release") => "cargo run --release --".to_owned(),
            Some(profile) => format!("cargo run --profile {profile} --"),
        },
        [] => "tinker".to_owned(),
        _ => crate::format::shell_word(&called.to_string_lossy()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_can_be_pasted() {
        let name = |called: &str, by_cargo| name_of(OsStr::new(called), by_cargo);
        assert_eq!(
            name("target/release/tinker", true),
            "cargo run --release --"
        );
        assert_eq!(name("target/debug/tinker", true), "cargo run --");
        assert_eq!(
            name("target/fast/tinker", true),
            "cargo run --profile fast --"
        );
        assert_eq!(
            name("target/release/tinker", false),
            "target/release/tinker"
        );
        assert_eq!(name("/usr/local/bin/tinker", true), "/usr/local/bin/tinker");
        assert_eq!(name("tinker", false), "tinker");
        assert_eq!(name("", false), "tinker");
        assert_eq!(name("/a b/tinker", false), "'/a b/tinker'");
    }
}
