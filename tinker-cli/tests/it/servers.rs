//! Tests of named servers, stored keys and the examination of a server, against `tinker serve`.

use std::io::Write as _;
use std::process::Stdio;

use crate::program::{Run, Workplace};
use crate::serve::Server;

const SAMPLE: [&str; 6] = ["sample", "Hello", "--max-tokens", "2", "--seed", "1"];

/// Runs the program with a text on stdin.
fn run_with_input(work: &Workplace, arguments: &[&str], input: &str) -> Run {
    let mut child = work
        .command(arguments)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    Run::of(child.wait_with_output().unwrap())
}

#[test]
fn a_profile_is_used_by_name_and_as_the_default() {
    let work = Workplace::new();
    let server = Server::start_with(&work, &["--data-dir", "data"]);
    for (setting, value) in [
        ("servers.box.base_url", server.url.as_str()),
        ("servers.box.like", "local"),
        ("servers.box.limits.sample.concurrency", "4"),
    ] {
        let run = work.run(&["config", "set", setting, value]);
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
    let run = work.run(&[&SAMPLE[..], &["--server", "box"]].concat());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let line = format!("{} (profile box)", server.url);
    assert!(run.stderr.contains(&line), "{}", run.stderr);

    assert_eq!(work.run(&["config", "set", "default", "box"]).code, 0);
    let run = work.run(&SAMPLE);
    assert!(
        run.stderr.contains("(profile box, the default)"),
        "{}",
        run.stderr
    );
    // A variable wins over the default, an option over both.
    let chosen = |variable: Option<&str>, more: &[&str]| {
        let mut command = work.command(&[&["config", "list", "--json"][..], more].concat());
        if let Some(url) = variable {
            command.env("TINKER_BASE_URL", url);
        }
        Run::of(command.output().unwrap()).json()["chosen"].clone()
    };
    let url = "http://127.0.0.1:9";
    assert_eq!(chosen(Some(url), &[])["by"], "TINKER_BASE_URL");
    assert_eq!(
        chosen(Some(url), &["--server", "skyrl"])["by"],
        "profile skyrl"
    );
    assert_eq!(chosen(Some("http://h"), &["--base-url", url])["place"], url);
    assert_eq!(chosen(None, &[])["by"], "profile box, the default");
}

#[test]
fn settings_are_checked_shown_and_removed() {
    let work = Workplace::new();
    let set = |setting, value| work.run(&["config", "set", setting, value]);
    assert_eq!(set("servers.a.base_url", "http://h:1").code, 0);
    let refused = set("servers.a.base_ulr", "http://h:1");
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("base_ulr"), "{}", refused.stderr);
    let shown = work.run(&["config", "get", "servers.a.base_url"]);
    assert_eq!(shown.stdout, "http://h:1\n");
    let key = run_with_input(&work, &["config", "set", "servers.a.key", "-"], "hunter2\n");
    assert_eq!(key.code, 0, "{}", key.stderr);
    for arguments in [
        &["config", "get", "servers.a.key"][..],
        &["config", "list"],
        &["doctor", "a", "--offline"],
    ] {
        let run = work.run(arguments);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(!format!("{}{}", run.stdout, run.stderr).contains("hunter2"));
    }
    let path = work.run(&["config", "path"]).stdout;
    let text = std::fs::read_to_string(path.trim()).unwrap();
    assert!(
        text.contains("hunter2") && text.starts_with("# Servers of"),
        "{text}"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(path.trim()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::set_permissions(path.trim(), std::fs::Permissions::from_mode(0o644)).unwrap();
        let run = work.run(&[&SAMPLE[..], &["--server", "a"]].concat());
        assert!(run.stderr.contains("chmod 600"), "{}", run.stderr);
        std::fs::set_permissions(path.trim(), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    assert_eq!(work.run(&["config", "unset", "servers.a"]).code, 0);
    assert_eq!(work.run(&["config", "get", "servers.a.base_url"]).code, 1);
    let unknown = work.run(&[&SAMPLE[..], &["--server", "nowhere"]].concat());
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("skyrl"), "{}", unknown.stderr);
}

#[cfg(unix)]
#[test]
fn an_edited_file_is_checked() {
    let work = Workplace::new();
    let editor = |line: &str| {
        work.write("editor.sh", &format!("echo '{line}' >> \"$1\"\n"));
        let mut command = work.command(&["config", "edit"]);
        command.env("VISUAL", "sh editor.sh");
        Run::of(command.output().unwrap())
    };
    assert_eq!(editor("[servers.a]").code, 0);
    let run = editor("sped = 1");
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("sped"), "{}", run.stderr);
}

#[test]
fn a_key_is_stored_shown_by_its_holder_and_removed() {
    let work = Workplace::new();
    let server = Server::start_with(&work, &["--data-dir", "data"]);
    let there = ["--base-url", server.url.as_str()];
    let login = run_with_input(
        &work,
        &[&["auth", "login"][..], &there].concat(),
        "tml-hunter2\n",
    );
    assert_eq!(login.code, 0, "{}", login.stderr);
    assert!(!login.stderr.contains("hunter2"));
    let path = work.path(".tinker/credentials.json");
    let stored: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(
        (&stored["version"], &stored["default"]),
        (&1.into(), &"0".into())
    );
    assert_eq!(stored["keys"]["0"]["key"], "tml-hunter2");
    assert_eq!(stored["keys"]["0"]["type"], "manual");

    let again = run_with_input(&work, &[&["auth", "login"][..], &there].concat(), "tml-2\n");
    assert_eq!(again.code, 2, "{}", again.stderr);
    let status = work
        .run(&[&["auth", "status", "--json"][..], &there].concat())
        .json();
    assert_eq!(
        (&status["has_key"], &status["is_accessible"]),
        (&true.into(), &true.into())
    );
    let who = work
        .run(&[&["auth", "whoami", "--json"][..], &there].concat())
        .json();
    assert!(who["email"].as_str().unwrap().contains('@'));
    assert_eq!(
        work.run(&[&["auth", "logout"][..], &there].concat()).code,
        0
    );
    assert!(!std::fs::read_to_string(&path).unwrap().contains("hunter2"));
    let gone = work.run(&["auth", "status", "--base-url", "http://127.0.0.1:9"]);
    assert_eq!(gone.code, 1);
    assert!(
        gone.stdout.contains("server accessible: no"),
        "{}",
        gone.stdout
    );
}

#[test]
fn an_option_without_effect_is_refused_and_a_default_noted() {
    let work = Workplace::new();
    work.write_examples("data.jsonl", 4);
    let train = ["train", "data.jsonl", "--dry-run", "--server", "verl"];
    let typed = work.run(&[&train[..], &["--rank", "8"]].concat());
    assert_eq!(typed.code, 2, "{}", typed.stderr);
    assert!(
        typed.stderr.contains("--rank has no effect on verl-tinker"),
        "{}",
        typed.stderr
    );
    let default = work.run(&train);
    assert!(
        default
            .stderr
            .contains("the default of --rank has no effect"),
        "{}",
        default.stderr
    );
    let sample = work.run(&[&SAMPLE[..], &["--server", "arctic", "--temperature", "0.5"]].concat());
    assert_eq!(sample.code, 2, "{}", sample.stderr);
    let decode = work.run(&[&SAMPLE[..], &["--server", "skyrl", "--decode", "int8"]].concat());
    assert_eq!(decode.code, 2, "{}", decode.stderr);
}

#[test]
fn a_server_is_examined() {
    let work = Workplace::new();
    let server = Server::start_with(&work, &["--data-dir", "data"]);
    let run = work.run(&["doctor", &server.url, "--ascii"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    assert!(
        run.stdout.lines().all(|line| line.chars().count() <= 80),
        "{}",
        run.stdout
    );
    let report = work.run(&["doctor", &server.url, "--json"]).json();
    assert_eq!(report["server"], server.url);
    let checks = report["findings"].as_array().unwrap();
    assert!(
        checks.iter().all(|one| one["status"] != "failed"),
        "{report:#}"
    );
    let page = work
        .run(&["doctor", &server.url, "--markdown", "--quiet"])
        .stdout;
    assert!(page.contains("| training step | passed |"), "{page}");
    assert!(!page.contains(" ms"), "no times in a page: {page}");
    // A model whose tokenizer is not on this machine: training works, texts do not.
    let export = work.run(&["export", "tinker-local/tiny", "--out", "model"]);
    assert_eq!(export.code, 0, "{}", export.stderr);
    let other = Server::start_with(&work, &["--data-dir", "other", "--model", "model"]);
    std::fs::remove_file(work.path("model/tokenizer.json")).unwrap();
    let limited = work.run(&["doctor", &other.url, "--json"]);
    assert_eq!(limited.code, 4, "{}", limited.stdout);
    let nobody = work.run(&["doctor", "http://127.0.0.1:9"]);
    assert_eq!(nobody.code, 1, "{}", nobody.stderr);
}

#[test]
fn settings_are_explained_without_a_call() {
    let work = Workplace::new();
    let mut command = work.command(&["doctor", "--offline", "--base-url", "http://127.0.0.1:9"]);
    command
        .env("TINKER_API_KEY", "tml-hunter2")
        .env("HTTP_PROXY", "http://me:hunter2@proxy.test:1");
    let run = Run::of(command.output().unwrap());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stdout.contains("http://127.0.0.1:9 (--base-url)"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("http://proxy.test:1"), "{}", run.stdout);
    assert!(!run.stdout.contains("hunter2"), "{}", run.stdout);
}
