//! Single settings of the profile file, changed in place so that comments stay.

use anyhow::Context as _;
use tinker_client::profile::{ProfileFile, TEMPLATE};
use toml_edit::{DocumentMut, Item, Key, Table, Value};

use crate::exit::Usage;

/// Names of settings whose values are not printed.
const SECRET: [&str; 2] = ["key", "headers"];

/// The value of a setting, as in the file. Secrets are not printed.
pub(super) fn get(file: &ProfileFile, setting: &str) -> anyhow::Result<String> {
    let path = parts(setting)?;
    let document = open(file)?;
    let mut item = document.as_item();
    for part in &path {
        item = item
            .get(part.get())
            .with_context(|| format!("{setting} is not set in {}", file.path().display()))?;
    }
    if path.iter().any(|part| SECRET.contains(&part.get())) {
        return Ok("(set, not shown)".to_owned());
    }
    match item {
        // The address of a proxy may hold a password.
        Item::Value(Value::String(text)) if text.value().contains('@') => {
            Ok(tinker_client::transport::without_user(text.value()))
        }
        Item::Value(Value::String(text)) => Ok(text.value().clone()),
        Item::Value(value) => Ok(value.to_string().trim().to_owned()),
        _ => {
            let names = item.as_table_like().map(|table| {
                let names = table.iter().map(|(name, _)| name.to_owned());
                names.collect::<Vec<_>>().join(", ")
            });
            let names = names.unwrap_or_default();
            Err(Usage(format!(
                "{setting} is a group; name one of its settings: {names}"
            ))
            .into())
        }
    }
}

/// Sets a value. `true`, `false` and numbers are read as such where the setting takes them.
pub(super) fn set(file: &ProfileFile, setting: &str, value: &str) -> anyhow::Result<()> {
    let path = parts(setting)?;
    let document = open(file)?;
    let head = match file.read_text()? {
        Some(_) => String::new(),
        None => format!("{TEMPLATE}\n"),
    };
    let typed = value.parse::<Value>().ok().filter(|value| {
        matches!(
            value,
            Value::Boolean(_) | Value::Integer(_) | Value::Float(_)
        )
    });
    // Some texts look like numbers or words of TOML, a version for example; the parsed file decides.
    let mut refused = None;
    for value in typed.into_iter().chain([Value::from(value)]) {
        let mut document = document.clone();
        put(&mut document, &path, value).with_context(|| format!("{setting} cannot be set"))?;
        match file.write(&format!("{head}{document}")) {
            Ok(()) => return Ok(()),
            Err(error) => refused.get_or_insert(error),
        };
    }
    match refused {
        Some(error) => Err(Usage(error.to_string()).into()),
        None => Ok(()),
    }
}

/// Removes a setting or a group.
pub(super) fn unset(file: &ProfileFile, setting: &str) -> anyhow::Result<()> {
    let path = parts(setting)?;
    let mut document = open(file)?;
    let missing = || Usage(format!("{setting} is not set in {}", file.path().display()));
    let Some((last, groups)) = path.split_last() else {
        return Err(missing().into());
    };
    let mut item = document.as_item_mut();
    for group in groups {
        item = item.get_mut(group.get()).ok_or_else(missing)?;
    }
    let table = item.as_table_like_mut().ok_or_else(missing)?;
    table.remove(last.get()).ok_or_else(missing)?;
    file.write(&document.to_string())?;
    Ok(())
}

fn open(file: &ProfileFile) -> anyhow::Result<DocumentMut> {
    let text = file.read_text()?.unwrap_or_default();
    // The parser's message quotes the line, which may hold a key.
    text.parse().map_err(|_| {
        let checked = file.read();
        match checked {
            Err(error) => anyhow::Error::from(error),
            Ok(_) => anyhow::anyhow!("{} is not valid TOML", file.path().display()),
        }
    })
}

fn parts(setting: &str) -> anyhow::Result<Vec<Key>> {
    let parsed = Key::parse(setting);
    parsed.map_err(|_| {
        let message = format!(
            "{setting:?} is not the name of a setting; write for example servers.box.base_url"
        );
        Usage(message).into()
    })
}

/// Puts a value at a path, with its groups. The decoration of an earlier value stays.
fn put(document: &mut DocumentMut, path: &[Key], mut value: Value) -> anyhow::Result<()> {
    let Some((last, groups)) = path.split_last() else {
        anyhow::bail!("the name is empty");
    };
    let mut item = document.as_item_mut();
    for (depth, group) in groups.iter().enumerate() {
        let table = item
            .as_table_like_mut()
            .with_context(|| format!("{} is inside of a value", group.get()))?;
        item = table.entry(group.get()).or_insert_with(|| {
            let mut table = Table::new();
            // Only the innermost group gets a header of its own.
            table.set_implicit(depth + 1 < groups.len());
            Item::Table(table)
        });
    }
    let table = item
        .as_table_like_mut()
        .with_context(|| format!("{} is inside of a value", last.get()))?;
    if let Some(Item::Value(old)) = table.get_mut(last.get()) {
        *value.decor_mut() = old.decor().clone();
        // In place, so that the comment before the key stays.
        *old = value;
    } else {
        table.insert(last.get(), Item::Value(value));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, ProfileFile) {
        let folder = tempfile::tempdir().unwrap();
        let file = ProfileFile::at(folder.path().join("config.toml"));
        file.write(text).unwrap();
        (folder, file)
    }

    #[test]
    fn comments_survive_a_change() {
        let text = "# mine\ndefault = \"a\" # work\n\n[servers.a]\n# the box\nbase_url = \"http://h:1\" # old\n";
        let (_folder, file) = file(text);
        set(&file, "servers.a.base_url", "http://h:2").unwrap();
        let changed = text.replace("http://h:1", "http://h:2");
        assert_eq!(file.read_text().unwrap().unwrap(), changed);
        set(&file, "servers.a.limits.sample.concurrency", "8").unwrap();
        set(&file, "servers.a.telemetry", "false").unwrap();
        set(&file, "servers.a.sdk_version", "1").unwrap();
        let profile = file.read().unwrap().get("a").unwrap();
        assert_eq!(profile.telemetry, Some(false));
        assert_eq!(profile.sdk_version.as_deref(), Some("1"));
        assert_eq!(
            get(&file, "servers.a.limits.sample.concurrency").unwrap(),
            "8"
        );
        unset(&file, "servers.a.limits").unwrap();
        assert!(get(&file, "servers.a.limits.sample.concurrency").is_err());
        assert!(file.read_text().unwrap().unwrap().starts_with("# mine\n"));
    }

    #[test]
    fn what_is_unknown_is_refused_and_changes_nothing() {
        let (_folder, file) = file("[servers.a]\nbase_url = \"http://h\"\n");
        let before = file.read_text().unwrap();
        for (setting, value) in [
            ("servers.a.base_ulr", "x"),
            ("wire", "json"),
            ("servers.a.wire", "xml"),
            ("default", "b"),
        ] {
            assert!(set(&file, setting, value).is_err(), "{setting}");
        }
        assert_eq!(file.read_text().unwrap(), before);
    }

    #[test]
    fn keys_are_not_printed() {
        let (_folder, file) =
            file("[servers.a]\nkey = \"hunter2\"\nheaders.X-Pass = \"hunter2\"\n");
        for setting in ["servers.a.key", "servers.a.headers.X-Pass"] {
            assert!(!get(&file, setting).unwrap().contains("hunter2"));
        }
        assert!(
            !get(&file, "servers.a")
                .unwrap_err()
                .to_string()
                .contains("hunter2")
        );
    }
}
