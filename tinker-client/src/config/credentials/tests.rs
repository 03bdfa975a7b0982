use serde_json::{Value, json};

use super::*;

fn file(folder: &tempfile::TempDir) -> CredentialsFile {
    CredentialsFile::at(folder.path().join("new/credentials.json"))
}

#[test]
fn a_file_there_is_not_holds_no_keys() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(file(&folder).read().unwrap(), Credentials::default());
}

#[test]
fn what_is_written_is_the_official_form_and_for_the_user_only() {
    let folder = tempfile::tempdir().unwrap();
    let file = file(&folder);
    let mut credentials = Credentials::default();
    credentials
        .keys
        .insert("42".into(), StoredKey::new("tml-1", "laptop"));
    credentials.default = Some("42".into());
    for _ in 0..2 {
        file.write(&credentials).unwrap();
    }
    let text = std::fs::read_to_string(file.path()).unwrap();
    let key = json!({"type": "manual", "key": "tml-1", "name": "laptop"});
    let expected = json!({"version": 1, "default": "42", "keys": {"42": key}});
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
    assert!(text.starts_with("{\n  \"version\": 1"), "{text}");
    assert_eq!(file.read().unwrap(), credentials);
    // Nothing else is left behind.
    let parent = file.path().parent().unwrap();
    assert_eq!(std::fs::read_dir(parent).unwrap().count(), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(file.path()), mode(parent)), (0o600, 0o700));
    }
}

#[test]
fn keys_of_older_tools_are_read_and_a_missing_default_is_none() {
    let text = json!({
        "default": "7",
        "keys": {"42": {
            "type": "generated", "key": "tml-1", "name": "laptop",
            "details": {"org_details": {"name": "Org"}, "user_details": {"email": "a@example.com"}}
        }}
    });
    let credentials: Credentials = serde_json::from_value(text).unwrap();
    assert_eq!(credentials.keys["42"].origin, KeyOrigin::Generated);
    assert!(credentials.default_key().is_none());
}

#[test]
fn no_key_is_ever_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credentials.json");
    std::fs::write(&path, r#"{"version": 1, "default": tml-hunter2}"#).unwrap();
    let refused = CredentialsFile::at(&path).read().unwrap_err();
    let shown = format!("{refused} {refused:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(refused.to_string().contains("line 1"), "{refused}");
    let key = StoredKey::new("tml-hunter2", "laptop");
    assert!(!format!("{key:?} {:?}", key.token()).contains("hunter2"));
    std::fs::write(&path, r#"{"version": 2, "keys": {}}"#).unwrap();
    assert!(CredentialsFile::at(&path).read().is_err());
}
