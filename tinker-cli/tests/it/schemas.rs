//! The JSON that the management commands print, checked against the schemas in `schemas/commands`.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::manage::save;
use crate::official::{recording, serve};
use crate::program::{Run, Workplace, names};
use crate::serve::Server;
use crate::watch::Watching;

/// Checks outputs, and notes which schemas were used.
#[derive(Default)]
struct Schemas {
    used: BTreeSet<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/commands")
}

impl Schemas {
    /// Checks each JSON value on stdout. There is at least one.
    fn check(&mut self, name: &str, run: &Run) {
        let text = std::fs::read(folder().join(format!("{name}.json"))).unwrap();
        let schema: Value = serde_json::from_slice(&text).unwrap();
        let validator: Validator = jsonschema::validator_for(&schema).unwrap();
        assert!(!validator.is_valid(&json!(1)), "{name} accepts anything");
        let values = serde_json::Deserializer::from_str(&run.stdout).into_iter::<Value>();
        let mut count = 0;
        for value in values {
            let value = value.unwrap();
            let errors = validator.iter_errors(&value);
            let errors: Vec<String> = errors
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{name}: {errors:#?}\n{value:#}");
            count += 1;
        }
        assert!(count > 0, "{name}: {}", run.stderr);
        self.used.insert(format!("{name}.json"));
    }
}

#[test]
fn results_of_every_management_command_fit_their_schemas() {
    let mut schemas = Schemas::default();
    let work = Workplace::new();
    let run = save(&work, &["a", "b", "c"]);
    let session = run.split(':').next().unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|name| format!("tinker://{run}/weights/{name}"));
    let server = Server::start_with(&work, &["--data-dir", "data"]);
    let url = server.url.as_str();
    for (name, command) in [
        ("checkpoint-list", &["checkpoint", "list"][..]),
        (
            "checkpoint-list",
            &["checkpoint", "search", "--type", "training"],
        ),
        ("checkpoint-info", &["checkpoint", "info", &a]),
        ("checkpoint-change", &["checkpoint", "publish", &a, &b]),
        (
            "checkpoint-change",
            &["checkpoint", "unpublish", &a, "--dry-run"],
        ),
        // The second one is public already, and is left with the third.
        ("checkpoint-change", &["checkpoint", "publish", &c, &a, &b]),
        (
            "checkpoint-change",
            &["checkpoint", "ttl", &a, "--ttl", "7d"],
        ),
        (
            "checkpoint-copy",
            &["checkpoint", "copy", &a, "--project", "p"],
        ),
        (
            "checkpoint-download",
            &["checkpoint", "download", &a, "--output", "out"],
        ),
        ("checkpoint-import", &["checkpoint", "import", "out"]),
        (
            "checkpoint-push",
            &["checkpoint", "push", "out", "me/adapter", "--dry-run"],
        ),
        (
            "checkpoint-delete",
            &["checkpoint", "delete", &b, &c, "--dry-run"],
        ),
        // The second one does not exist any more.
        ("checkpoint-delete", &["checkpoint", "delete", &b, "--yes"]),
        (
            "checkpoint-delete",
            &["checkpoint", "delete", &c, &b, "--yes"],
        ),
        ("run", &["run", "list"]),
        ("run", &["run", "info", &run]),
        ("session-list", &["session", "list"]),
        (
            "session-list",
            &["session", "search", "--status", "success"],
        ),
        ("session-info", &["session", "info", session]),
        (
            "session-export-trace",
            &["session", "export-trace", session, "--url-only"],
        ),
        (
            "session-export-trace",
            &["session", "export-trace", session, "--output", "t"],
        ),
        ("model", &["model", "list"]),
        ("model", &["model", "info", "tinker-local/tiny"]),
        ("project-assign", &["project", "assign", "p1", session]),
        ("billing-storage", &["billing", "storage"]),
        ("audit", &["audit", "--events", "checkpoints"]),
        ("unload", &["unload"]),
        ("auth-status", &["auth", "status"]),
        ("wait", &["wait", url]),
    ] {
        let place = ["--base-url", url];
        let place = if command[0] == "wait" {
            &[][..]
        } else {
            &place
        };
        let run = work.run(&[command, place, &["--json"]].concat());
        schemas.check(name, &run);
    }

    let mut watching = Watching::start(&work, url, &["run", "list"]);
    let line = watching.line();
    let mut watched = watching.stop();
    watched.stdout = line;
    schemas.check("watch", &watched);

    // The local server lacks these; recordings answer.
    let usage = serve(&recording("rest/billing_usage"));
    let days = ["billing", "usage", "2026-07-13", "2026-07-14", "--json"];
    let usage = work.run(&[&days[..], &["--base-url", &usage]].concat());
    schemas.check("billing-usage", &usage);
    let key = json!({
        "client_config_served": {},
        "exchanges": [{
            "request": {"method": "GET", "path": "/api/v1/auth/apikey/me"},
            "response": {"status": 200, "body": {"kind": "json", "json": {
                "key_id": 1, "name": "k", "note": "", "details": {"user_details": {"email": "e"}, "org_details": {"name": "o"}},
            }}},
        }],
    });
    let mut whoami = work.command(&["auth", "whoami", "--json", "--base-url", &serve(&key)]);
    let whoami = whoami.env("TINKER_API_KEY", "tml-test-key").output();
    schemas.check("auth-whoami", &Run::of(whoami.unwrap()));

    let used: Vec<String> = schemas.used.into_iter().collect();
    assert_eq!(used, names(&folder()), "each schema belongs to a command");
}
