//! Tests of `tinker serve plan`.

use crate::program::Workplace;

const SKYRL: &[&str] = &[
    "serve",
    "plan",
    "--server",
    "skyrl",
    "--model",
    "Qwen/Qwen3-8B",
];

#[test]
fn a_plan_divides_the_gpus() {
    let work = Workplace::new();
    let gpus = [
        "--gpus",
        "8",
        "--nodes",
        "2",
        "--tensor-parallel",
        "4",
        "--json",
    ];
    let plan = work.run(&[SKYRL, &gpus].concat()).json();
    assert_eq!(plan["gpus"], 16);
    let steps = plan["steps"].as_array().unwrap();
    let start = steps[3]["commands"][0].as_str().unwrap();
    let (command, settings) = start.split_once(" --backend-config ").unwrap();
    assert_eq!(
        command,
        "uv run --extra tinker --extra fsdp -m skyrl.tinker.api --base-model Qwen/Qwen3-8B --backend fsdp --host 0.0.0.0 \
         --port 8000"
    );
    let settings: serde_json::Value = serde_json::from_str(settings.trim_matches('\'')).unwrap();
    assert_eq!(settings["trainer.placement.policy_num_nodes"], 2);
    assert_eq!(settings["trainer.placement.policy_num_gpus_per_node"], 8);
    assert_eq!(settings["generator.inference_engine.num_engines"], 4);
    assert_eq!(
        settings["generator.inference_engine.tensor_parallel_size"],
        4
    );
    assert_eq!(plan["ports"][1]["port"], 6379);
}

#[test]
fn a_plan_for_one_machine_needs_no_ray() {
    let work = Workplace::new();
    let text = work.run(SKYRL).stdout;
    assert!(!text.contains("ray start"), "{text}");
    assert!(
        text.contains("tinker wait http://HEAD:8000") || text.contains(" wait http://HEAD:8000")
    );
    assert!(
        text.lines().filter(|line| line.starts_with("  - ")).count() >= 3,
        "{text}"
    );
}

#[test]
fn a_merged_folder_is_planned_by_its_full_path() {
    let work = Workplace::new();
    let export = work.run(&["export", "tinker-local/tiny", "--out", "merged"]);
    assert_eq!(export.code, 0, "{}", export.stderr);
    let plan = [
        "serve", "plan", "--server", "tuft", "--model", "merged", "--gpus", "4",
    ];
    let plan = work.run(&[&plan[..], &["--json"]].concat()).json();
    let file = plan["files"][0]["text"].as_str().unwrap();
    let config: serde_json::Value = serde_json::from_str(file).unwrap();
    let model = &config["supported_models"][0];
    let folder = std::fs::canonicalize(work.path("merged")).unwrap();
    assert_eq!(model["model_path"], folder.to_str().unwrap());
    assert_eq!(
        (&model["fsdp_num_gpus"], &model["data_parallel_size"]),
        (&2.into(), &2.into())
    );
}

#[test]
fn plans_that_cannot_be_made_are_refused() {
    let work = Workplace::new();
    let model = ["--model", "Qwen/Qwen3-8B"];
    for (arguments, message) in [
        (&["--server", "nothing"][..], "skyrl"),
        (
            &["--server", "open-rl", "--gpus", "4"],
            "--gpus has no effect",
        ),
        (&["--server", "tuft", "--nodes", "2"], "one machine"),
        (
            &["--server", "skyrl", "--gpus", "8", "--tensor-parallel", "3"],
            "does not divide",
        ),
    ] {
        let run = work.run(&[&["serve", "plan"], arguments, &model[..]].concat());
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(message), "{}", run.stderr);
    }
    let run = work.run(&["serve", "plan", "--server", "skyrl", "--model", "./none"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("not a folder"), "{}", run.stderr);
}
