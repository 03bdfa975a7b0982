//! Tests of run folders.

use super::*;

fn files(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn numbers(folder: &RunFolder) -> Vec<usize> {
    let rows = folder.rows().unwrap();
    rows.iter().map(|row| row.number).collect()
}

#[test]
fn a_killed_run_goes_back_to_its_last_checkpoint() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("a/run");
    let mut folder = RunFolder::create(&path, &["settings"]).unwrap();
    let checkpoint: CheckpointPath = "tinker://r/weights/step-000002".parse().unwrap();
    for step in 1..=4 {
        folder.add_row(&StepRow::new(step)).unwrap();
        if step == 2 {
            folder.add_saved(2, checkpoint.clone()).unwrap();
        }
    }
    drop(folder);
    let metrics = path.join(METRICS);
    let mut text = std::fs::read_to_string(&metrics).unwrap();
    text.push_str("{\"step\": 5, \"tok");
    std::fs::write(&metrics, text).unwrap();

    let mut folder = RunFolder::open(&path).unwrap();
    assert_eq!((folder.done(), numbers(&folder)), (4, vec![1, 2, 3, 4]));
    let saved = folder.rewind().unwrap().unwrap();
    assert_eq!((saved.step, saved.path), (2, checkpoint));
    folder.add_row(&StepRow::new(3)).unwrap();
    assert_eq!((folder.done(), numbers(&folder)), (3, vec![1, 2, 3]));
    assert_eq!(
        files(&path),
        [CONFIG, JOURNAL, METRICS],
        "nothing else is left"
    );
}

#[test]
fn a_run_without_a_checkpoint_begins_anew() {
    let temporary = tempfile::tempdir().unwrap();
    let mut folder = RunFolder::create(temporary.path(), &0).unwrap();
    folder.add_row(&StepRow::new(1)).unwrap();
    assert_eq!(folder.rewind().unwrap(), None);
    assert_eq!((folder.done(), numbers(&folder)), (0, vec![]));
}

#[test]
fn a_run_is_never_written_over() {
    let temporary = tempfile::tempdir().unwrap();
    RunFolder::create(temporary.path(), &0).unwrap();
    let error = RunFolder::create(temporary.path(), &0).unwrap_err();
    assert!(
        error.to_string().ends_with("already holds a run"),
        "{error}"
    );
    let error = RunFolder::open(&temporary.path().join("other")).unwrap_err();
    assert!(matches!(error, TrainError::NoRun(_)), "{error}");
}

#[test]
fn a_file_at_the_path_is_an_error() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("taken");
    std::fs::write(&path, "").unwrap();
    let error = RunFolder::create(&path.join("run"), &0).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("cannot create the run folder "), "{text}");
}

#[test]
fn a_discarded_run_leaves_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("run");
    let others = [("recipe.toml", "steps = 4")];
    let folder = RunFolder::create_at(&path, &0, &others, 0, None).unwrap();
    assert_eq!(
        files(&path),
        [CONFIG, JOURNAL, METRICS, "recipe.toml"],
        "all of a new run"
    );
    drop(folder);
    // That of another process.
    RunFolder::open(&path).unwrap().discard(&["recipe.toml"]);
    assert_eq!(files(&path).len(), 4);

    let path = temporary.path().join("new");
    let folder = RunFolder::create_at(&path, &0, &others, 0, None).unwrap();
    folder.discard(&["recipe.toml"]);
    assert!(!path.exists());
}

#[test]
fn a_folder_with_settings_has_all_files_of_a_new_run() {
    let temporary = tempfile::tempdir().unwrap();
    // A directory at its temporary path, so that the file cannot be written.
    std::fs::create_dir(temporary.path().join(".recipe.toml.part")).unwrap();
    let others = [("recipe.toml", "steps = 4")];
    let error = RunFolder::create_at(temporary.path(), &0, &others, 0, None).unwrap_err();
    assert!(error.to_string().contains("recipe.toml"), "{error}");
    let error = RunFolder::open(temporary.path()).unwrap_err();
    assert!(matches!(error, TrainError::NoRun(_)), "{error}");
}
