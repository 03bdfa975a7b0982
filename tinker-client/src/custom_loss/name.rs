//! Names of inputs and metrics.

use tinker_types::InvalidValue;

const MOST: usize = 64;

/// `[a-z_][a-z0-9_]{0,63}`
pub(super) fn check_input_name(name: &str) -> Result<(), InvalidValue> {
    let is_fit = name.len() <= MOST
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| is_plain(c) || c == '_');
    if is_fit {
        return Ok(());
    }
    let why = "is not a valid input name; use lower-case letters, digits and _, at most 64";
    Err(InvalidValue::new(format!("{name:?}"), why))
}

/// `custom/[a-z0-9_./-]{1,64}:(sum|mean)`
pub(super) fn check_metric_name(name: &str) -> Result<(), InvalidValue> {
    let inner = name.strip_prefix("custom/");
    let inner = inner.and_then(|name| {
        let sum = name.strip_suffix(":sum");
        sum.or_else(|| name.strip_suffix(":mean"))
    });
    let is_fit = |name: &str| {
        (1..=MOST).contains(&name.len()) && name.chars().all(|c| is_plain(c) || "_./-".contains(c))
    };
    if inner.is_some_and(is_fit) {
        return Ok(());
    }
    let why =
        "is not a valid metric name; write custom/<name>:sum or custom/<name>:mean, in lower case";
    Err(InvalidValue::new(format!("{name:?}"), why))
}

fn is_plain(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_protocol() {
        for (name, fits) in [
            ("weights", true),
            ("_a1", true),
            ("1a", false),
            ("A", false),
            ("", false),
        ] {
            assert_eq!(check_input_name(name).is_ok(), fits, "{name}");
        }
        for (name, fits) in [
            ("custom/a.b/c-d_1:sum", true),
            ("custom/x:mean", true),
            ("custom/x:max", false),
            ("custom/:sum", false),
            ("x:sum", false),
            ("custom/X:sum", false),
        ] {
            assert_eq!(check_metric_name(name).is_ok(), fits, "{name}");
        }
    }
}
