//! Tests of runs that are followed, and of what dead runs leave behind.
#![cfg(unix)]

use crate::program::{Run, Workplace};
use crate::recipe::workplace;

/// Waits until a run has this many rows.
#[expect(
    clippy::disallowed_methods,
    reason = "waits for a process, whose time cannot be paused"
)]
fn wait_for_rows(work: &Workplace, run: &str, rows: usize) {
    let path = work.path(run).join("metrics.jsonl");
    let end = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while std::fs::read_to_string(&path)
        .unwrap_or_default()
        .lines()
        .count()
        < rows
    {
        assert!(std::time::Instant::now() < end, "the run does not begin");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn a_run_is_followed_to_its_end_and_a_dead_one_is_pruned() {
    let work = workplace();
    let long = [
        "train",
        "recipe.toml",
        "--data-dir",
        "data",
        "--steps",
        "2000",
        "--output",
        "runs/long",
        "--tensorboard",
    ];
    let mut child = work
        .command(&long)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    wait_for_rows(&work, "runs/long", 5);
    let follower = work
        .command(&["wait", "runs/long", "--exit-status"])
        .spawn()
        .unwrap();
    let mut interrupted = work.command(&["wait", "runs/long"]).spawn().unwrap();
    wait_for_rows(&work, "runs/long", 30);
    // Ctrl-C ends a follower and not the run. A signal before it listens ends it as well.
    let id = interrupted.id().to_string();
    assert!(
        std::process::Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    assert!(!interrupted.wait().unwrap().success());
    assert!(child.try_wait().unwrap().is_none(), "the run goes on");
    child.kill().unwrap();
    child.wait().unwrap();
    let followed = Run::of(follower.wait_with_output().unwrap());
    assert_eq!(followed.code, 1, "{}", followed.stderr);
    assert!(
        followed.stdout.starts_with("runs/long is dead after "),
        "{}",
        followed.stdout
    );
    assert!(
        followed
            .stderr
            .contains("continue it with `train resume runs/long`"),
        "{}",
        followed.stderr
    );
    assert!(
        work.path("runs/long/events.out.tfevents.0.tinker")
            .is_file()
    );

    let prune = |more: &[&str]| {
        work.run(&[&["train", "prune", "--data-dir", "data", "--json"], more].concat())
    };
    let selected = prune(&["--dry-run"]).json()["selected"]
        .as_array()
        .unwrap()
        .len();
    assert!(selected >= 2, "{selected}");
    assert_eq!(prune(&[]).code, 2, "it asks");
    let pruned = prune(&["--yes"]).json();
    assert!(
        pruned["deleted"].as_array().unwrap().len() >= selected - 1,
        "{pruned}"
    );
    assert_eq!(
        prune(&["--yes"]).json()["deleted"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
    let listed = work.run(&["checkpoint", "list", "--data-dir", "data", "--json"]);
    assert_eq!(
        listed.stdout.matches("/weights/step-").count(),
        1,
        "{}",
        listed.stdout
    );
    // The last checkpoint continues the run.
    let short = work.run(&["train", "resume", "runs/long", "--budget", "1tok"]);
    assert_eq!(short.code, 0, "{}", short.stderr);
    let waited = work.run(&["wait", "runs/long", "--exit-status"]);
    assert_eq!(waited.code, 0, "{}", waited.stderr);
    assert!(
        waited.stdout.contains("is out of budget after"),
        "{}",
        waited.stdout
    );
    assert_eq!(work.run(&["wait", "nowhere", "--exit-status"]).code, 2);
}
