use super::*;

fn config(variables: &[(&str, &str)]) -> Config {
    let find = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        Ok(found.map(|(_, value)| (*value).to_owned()))
    };
    Config::from_variables(find).unwrap()
}

#[test]
fn everything_listed_is_read() {
    let config = config(&[
        ("TINKER_API_KEY", " tml-1\n"),
        ("TINKER_CREDENTIAL_CMD", "print-key"),
        ("TINKER_BASE_URL", "http://localhost:1"),
        ("TINKER_PROJECT_ID", "p"),
        ("TINKER_TAGS", "a, b,,a"),
        ("TINKER_SDK_VERSION", "0.30.4"),
        ("CLOUDFLARE_ACCESS_CLIENT_ID", "id"),
        ("CLOUDFLARE_ACCESS_CLIENT_SECRET", "secret"),
    ]);
    assert_eq!(config.api_key.unwrap().expose(), "tml-1");
    assert_eq!(config.credential_command.as_deref(), Some("print-key"));
    assert_eq!(config.base_url, "http://localhost:1");
    assert_eq!(config.project_id.as_deref(), Some("p"));
    assert_eq!(config.tags, ["a", "b"]);
    assert_eq!(config.headers["cf-access-client-id"], "id");
    assert_eq!(config.headers["cf-access-client-secret"], "secret");
    assert_eq!(config.dialect.sdk_version, "0.30.4");
    assert_eq!(ENVIRONMENT.len(), 9);
}

#[test]
fn telemetry_is_on_unless_switched_off() {
    assert!(config(&[]).telemetry && config(&[("TINKER_TELEMETRY", " ")]).telemetry);
    for (word, is_on) in [
        ("1", true),
        ("Yes", true),
        ("0", false),
        ("off", false),
        ("2", false),
    ] {
        assert_eq!(
            config(&[("TINKER_TELEMETRY", word)]).telemetry,
            is_on,
            "{word}"
        );
    }
}

#[test]
fn the_hub_has_the_variables_of_python() {
    let home = tempfile::tempdir().unwrap();
    let hub = |variables: &[(&str, &str)]| {
        let find = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            Ok(found.map(|(_, value)| (*value).to_owned()))
        };
        HubConfig::from_variables(Some(home.path()), find).unwrap()
    };
    let cache = home.path().join(".cache/huggingface");
    let plain = hub(&[("HF_HUB_OFFLINE", "0"), ("HF_TOKEN", " ")]);
    assert_eq!(
        (plain.cache, plain.endpoint.as_str()),
        (cache.join("hub"), "https://huggingface.co")
    );
    assert!(plain.token.is_none() && !plain.is_offline);
    std::fs::create_dir_all(&cache).unwrap();
    std::fs::write(cache.join("token"), "hf_stored\n").unwrap();
    assert_eq!(hub(&[]).token.unwrap().expose(), "hf_stored");
    assert_eq!(
        hub(&[("XDG_CACHE_HOME", "/x")]).cache,
        Path::new("/x/huggingface/hub")
    );
    assert_eq!(
        hub(&[("HF_HOME", "~/h"), ("XDG_CACHE_HOME", "/x")]).cache,
        home.path().join("h/hub")
    );
    let all = hub(&[
        ("HF_HOME", "/h"),
        ("HF_HUB_CACHE", "/c"),
        ("HF_ENDPOINT", "http://localhost:1"),
        ("HF_TOKEN", "hf_given"),
        ("HF_HUB_OFFLINE", "ON"),
    ]);
    assert_eq!(
        (all.cache.as_path(), all.endpoint.as_str()),
        (Path::new("/c"), "http://localhost:1")
    );
    assert!(all.is_offline && all.token.as_ref().unwrap().expose() == "hf_given");
    assert!(!format!("{all:?}").contains("hf_given"));
    let elsewhere = cache.join("token").display().to_string();
    let token = hub(&[("HF_HOME", "/h"), ("HF_TOKEN_PATH", &elsewhere)]).token;
    assert_eq!(token.unwrap().expose(), "hf_stored");
    let none = HubConfig::from_variables(None, |_| Ok(None)).unwrap_err();
    assert!(none.to_string().contains("set HF_HOME"), "{none}");
}

#[test]
fn the_stored_key_comes_last() {
    let folder = tempfile::tempdir().unwrap();
    let file = CredentialsFile::at(folder.path().join("credentials.json"));
    let key = |variables: &[(&str, &str)]| {
        let config = config(variables).or_stored(&file)?;
        Ok::<_, Error>(config.api_key.map(|key| key.expose().to_owned()))
    };
    assert_eq!(key(&[]).unwrap(), None);
    let mut stored = crate::Credentials::default();
    stored
        .keys
        .insert("1".into(), StoredKey::new("tml-stored", "laptop"));
    stored.default = Some("1".into());
    file.write(&stored).unwrap();
    assert_eq!(key(&[]).unwrap().as_deref(), Some("tml-stored"));
    let given = ("TINKER_API_KEY", "tml-1");
    assert_eq!(key(&[given]).unwrap().as_deref(), Some("tml-1"));
    assert_eq!(
        key(&[("TINKER_CREDENTIAL_CMD", "print-key")]).unwrap(),
        None
    );
    // A damaged file is an error only if it is needed.
    std::fs::write(file.path(), "{").unwrap();
    assert!(key(&[]).is_err() && key(&[given]).is_ok());
}

#[test]
fn nothing_counts_as_not_set() {
    let config = config(&[
        ("TINKER_BASE_URL", ""),
        ("TINKER_TAGS", ""),
        ("TINKER_API_KEY", " "),
    ]);
    assert_eq!(config.base_url, OFFICIAL_BASE_URL);
    assert!(config.tags.is_empty() && config.api_key.is_none());
}
