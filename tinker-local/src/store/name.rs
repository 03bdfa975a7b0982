//! Names of checkpoints.

use tinker_types::InvalidValue;

/// Most bytes of a name, so that it fits every common file system as a folder name.
const LONGEST: usize = 200;

/// Checks that a name can be a folder name and a part of a path, on every system.
pub(crate) fn check_name(name: &str) -> Result<(), InvalidValue> {
    let refuse = |why: String| {
        Err(InvalidValue::new(
            "path",
            format!("{name:?} is not a valid checkpoint name: {why}"),
        ))
    };
    if name.is_empty() {
        return refuse("give at least one character".to_owned());
    }
    if name.len() > LONGEST {
        let start: String = name.chars().take(20).collect();
        let why = format!(
            "starting {start:?} is not a valid checkpoint name: it has {} bytes, {LONGEST} is the most",
            name.len()
        );
        return Err(InvalidValue::new("path", why));
    }
    if name.starts_with("tinker://") {
        return refuse("give only the last part of the path".to_owned());
    }
    if let Some(bad) = name
        .chars()
        .find(|&c| c.is_control() || r#"/\<>:"|?*"#.contains(c))
    {
        return refuse(format!(
            "it contains {bad:?}; letters, digits, '-', '_' and '.' are safe"
        ));
    }
    if name.starts_with('.') || name.ends_with('.') || name.starts_with(' ') || name.ends_with(' ')
    {
        return refuse("it starts or ends with a dot or a space".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_plain_part_of_a_path() {
        for good in [
            "a",
            "step-100",
            "0001",
            "best model",
            "lr=1e-4",
            "v1.2",
            "modèle",
        ] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        let long = "x".repeat(201);
        for bad in [
            "",
            ".",
            "..",
            ".hidden",
            "a/b",
            "../a",
            "a\\b",
            "a\0",
            "a\n",
            "a:b",
            "a.",
            " a",
            "tinker://r/weights/a",
            &long,
        ] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}
