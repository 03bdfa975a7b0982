//! Tests of recipe files, budgets and branches of `tinker train`.

use serde_json::Value;

use crate::program::Workplace;

const RECIPE: &str = "# a recipe\n\
data = \"data.jsonl\"\n\
steps = 6\n\
batch-size = 8\n\
rank = 4\n\
save_every = 2\n";

pub(crate) fn workplace() -> Workplace {
    let work = Workplace::new();
    work.write_examples("data.jsonl", 40);
    work.write("recipe.toml", RECIPE);
    work
}

/// A setting of the resolved recipe: its value and its source.
fn setting(check: &Value, name: &str) -> (Value, String) {
    let setting = &check["recipe"][name];
    let source = setting["source"]
        .as_str()
        .unwrap_or_else(|| panic!("{name}: {setting}"));
    (setting["value"].clone(), source.to_owned())
}

#[test]
fn options_are_stronger_than_set_and_set_than_the_file() {
    let work = workplace();
    let line = [
        "train",
        "recipe.toml",
        "--dry-run",
        "--show-resolved",
        "--json",
        "--set",
        "rank=8",
        "--set",
        "seed=7",
        "--set",
        "batch_size=5",
        "--batch-size",
        "3",
        "--epochs",
        "2",
    ];
    let check = work.run(&line).json();
    let found = [
        "data",
        "batch_size",
        "rank",
        "seed",
        "save_every",
        "name",
        "learning_rate",
    ]
    .map(|name| setting(&check, name));
    let expected: [(Value, &str); 7] = [
        (vec!["data.jsonl"].into(), "file recipe.toml:2"),
        (3.into(), "command line"),
        (8.into(), "--set"),
        (7.into(), "--set"),
        (2.into(), "file recipe.toml:6"),
        ("final".into(), "default"),
        (0.003.into(), "by model"),
    ];
    for ((value, source), expected) in found.iter().zip(&expected) {
        assert_eq!((value, source.as_str()), (&expected.0, expected.1));
    }
    // The steps of the file give way to the epochs of the command line.
    assert_eq!(check["plan"]["steps"], 22);
    assert_eq!(setting(&check, "steps").1, "from epochs = 2, command line");
}

#[test]
fn the_resolved_recipe_is_a_recipe() {
    let work = workplace();
    let shown = work.run(&["train", "recipe.toml", "--dry-run", "--show-resolved"]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert!(
        shown.stdout.starts_with("recipe = \"supervised\"\n"),
        "{}",
        shown.stdout
    );
    assert!(
        shown.stderr.contains("next: a smoke test"),
        "{}",
        shown.stderr
    );
    assert!(
        shown.stderr.contains("train recipe.toml --steps 2"),
        "{}",
        shown.stderr
    );
    work.write("resolved.toml", &shown.stdout);
    let plan =
        |file: &str| work.run(&["train", file, "--dry-run", "--json"]).json()["plan"].clone();
    assert_eq!(plan("resolved.toml"), plan("recipe.toml"));

    let whole = work.run(&[
        "train",
        "recipe.toml",
        "--output",
        "run",
        "--data-dir",
        "data",
    ]);
    assert_eq!(whole.code, 0, "{}", whole.stderr);
    let kept = std::fs::read_to_string(work.path("run/recipe.toml")).unwrap();
    assert!(kept.contains("rank = 4"), "{kept}");
    let shown = work.run(&["train", "show", "run"]).stdout;
    assert!(
        shown.contains("rank = 4") && shown.contains("# file recipe.toml:5"),
        "{shown}"
    );
    let again = work.run(&[
        "train",
        "run/recipe.toml",
        "--output",
        "again",
        "--data-dir",
        "data",
    ]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    let losses = |run: &str| {
        let rows = std::fs::read_to_string(work.path(run).join("metrics.jsonl")).unwrap();
        let loss = |line: &str| serde_json::from_str::<Value>(line).unwrap()["loss"].clone();
        rows.lines().map(loss).collect::<Vec<Value>>()
    };
    assert_eq!(losses("again"), losses("run"));
}

#[test]
fn errors_of_recipes_name_the_line_and_the_fix() {
    let work = workplace();
    for (recipe, expected) in [
        (
            "data = \"data.jsonl\"\nlerning_rate = 1\n",
            "bad.toml:2: there is no setting \"lerning_rate\"; did you mean \"learning_rate\"?",
        ),
        (
            "data = \"data.jsonl\"\nrank = \"many\"\n",
            "bad.toml:2: invalid value 'many' for '--rank <RANK>'",
        ),
        (
            "data = \"data.jsonl\"\n\n[training]\nrank = 1\n",
            "bad.toml:3: training is a section",
        ),
        ("rank = 1\n", "no data file is named"),
        (
            "recipe = \"dpo\"\ndata = \"data.jsonl\"\n",
            "bad.toml:1: this is a recipe for `train dpo`",
        ),
        (
            "data = \"data.jsonl\"\nsteps = 1\nepochs = 2\n",
            "cannot be used with",
        ),
    ] {
        work.write("bad.toml", recipe);
        let run = work.run(&["train", "bad.toml", "--dry-run"]);
        assert_eq!(run.code, 2, "{recipe}: {}", run.stderr);
        assert!(run.stderr.contains(expected), "{expected}: {}", run.stderr);
    }
    let run = work.run(&["train", "recipe.toml", "--dry-run", "--set", "rnak=1"]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(
        run.stderr
            .contains("--set rnak=1: there is no setting \"rnak\"; did you mean \"rank\"?"),
        "{}",
        run.stderr
    );
}

#[test]
fn recipes_of_preferences_and_rewards_are_resolved_and_counted() {
    let work = Workplace::new();
    let pair =
        |at: usize| format!("{{\"prompt\":\"p{at}\",\"chosen\":\"a\",\"rejected\":\"b\"}}\n");
    work.write("pairs.jsonl", &(0..40).map(pair).collect::<String>());
    let problem = |at: usize| format!("{{\"prompt\":\"p{at}\",\"answer\":\"a\"}}\n");
    work.write("problems.jsonl", &(0..40).map(problem).collect::<String>());
    work.write(
        "dpo.toml",
        "recipe = \"dpo\"\ndata = \"pairs.jsonl\"\nbeta = 0.3\nsteps = 100\n",
    );
    let check = [
        "train",
        "dpo",
        "dpo.toml",
        "--dry-run",
        "--show-resolved",
        "--json",
    ];
    let check = work.run(&check).json();
    assert_eq!(
        setting(&check, "beta"),
        (0.3.into(), "file dpo.toml:3".to_owned())
    );
    assert_eq!(check["held_out"], 8);
    assert_eq!(check["tokens"]["sampled"], 0);
    let next = check["next"].as_array().unwrap();
    assert_eq!(next.len(), 3, "{next:?}");
    assert!(
        next[1]["command"]
            .as_str()
            .unwrap()
            .ends_with("dpo.toml --json --steps 10"),
        "{next:?}"
    );

    let prices = "{\"date\": \"2026-01-02\", \"tinker-local/tiny\": {\"prefill\": \"$1\", \"sample\": \"$2\", \"train\": \"$4\"}}";
    work.write("prices.json", prices);
    let check = [
        "train",
        "rl",
        "problems.jsonl",
        "--dry-run",
        "--json",
        "--steps",
        "5",
        "--batch-size",
        "4",
        "--group-size",
        "3",
        "--max-tokens",
        "10",
        "--prices",
        "prices.json",
    ];
    let check = work.run(&check).json();
    let tokens = &check["tokens"];
    let count = |name: &str| tokens[name].as_f64().unwrap();
    // 60 answers, and two evaluations of 8 held-out problems.
    assert_eq!(tokens["sampled"], 60 * 10 + 2 * 8 * 10);
    let usd = (count("prefilled") + 2.0 * count("sampled") + 4.0 * count("trained")) / 1e6;
    assert!((check["price"]["usd"].as_f64().unwrap() - usd).abs() < 1e-12);
    assert_eq!(check["price"]["date"], "2026-01-02");
    assert!(!work.path("runs").exists());
}

#[test]
fn a_budget_stops_the_run_with_a_checkpoint() {
    let work = workplace();
    let run = |output: &str, more: &[&str]| {
        let line = [
            "train",
            "recipe.toml",
            "--data-dir",
            "data",
            "--json",
            "--output",
            output,
        ];
        work.run(&[&line[..], more].concat()).json()
    };
    let whole = run("whole", &[]);
    let of_step = whole["metrics"][0]["tokens"].as_u64().unwrap();
    let budget = format!("{}tok", of_step + 1);
    let stopped = run("run", &["--budget", &budget]);
    assert_eq!(stopped["status"], "out_of_budget");
    let done = stopped["steps"].as_u64().unwrap();
    assert!((2..6).contains(&done), "{done}");
    let rest = work
        .run(&["train", "resume", "run", "--budget", "1h", "--json"])
        .json();
    assert_eq!(rest["status"], "finished");
    let losses = |run: &Value| {
        run["metrics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["loss"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(losses(&rest), losses(&whole));

    let money = work.run(&["train", "recipe.toml", "--budget", "5usd"]);
    assert_eq!(money.code, 2, "{}", money.stderr);
    assert!(
        money.stderr.contains("name a file of them with --prices"),
        "{}",
        money.stderr
    );
    work.write(
        "prices.json",
        "{\"other\": {\"prefill\": 1, \"sample\": 1, \"train\": 1}}",
    );
    let other = work.run(&[
        "train",
        "recipe.toml",
        "--budget",
        "5usd",
        "--prices",
        "prices.json",
    ]);
    assert_eq!(other.code, 2, "{}", other.stderr);
    assert!(
        other
            .stderr
            .contains("has no prices of \"tinker-local/tiny\"; it has other"),
        "{}",
        other.stderr
    );
}

#[test]
fn a_branch_starts_from_a_checkpoint_of_another_run() {
    let work = workplace();
    let run = |output: &str, more: &[&str]| {
        let line = [
            "train",
            "recipe.toml",
            "--data-dir",
            "data",
            "--json",
            "--output",
            output,
        ];
        work.run(&[&line[..], more].concat())
    };
    run("first", &[]).json();
    let whole = run("whole", &["--branch", "first@4"]).json();
    let weights = run("weights", &["--branch", "first@4", "--weights-only"]).json();
    let loss = |outcome: &Value, step: usize| outcome["metrics"][step]["loss"].as_f64().unwrap();
    let first = |outcome: &Value| loss(outcome, 0);
    assert!(
        (first(&whole) - first(&weights)).abs() < 1e-12,
        "the same weights"
    );
    assert!(
        (loss(&whole, 2) - loss(&weights, 2)).abs() > 1e-9,
        "another optimizer"
    );
    let none = run("none", &["--branch", "first@5"]);
    assert_eq!(none.code, 2, "{}", none.stderr);
    assert!(
        none.stderr
            .contains("has no checkpoint after step 5; it has some after the steps 2, 4, 6"),
        "{}",
        none.stderr
    );
    let alone = run("alone", &["--weights-only"]);
    assert_eq!(alone.code, 2, "{}", alone.stderr);
}
