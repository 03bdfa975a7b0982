use std::sync::Arc;
use std::time::Duration;

use super::*;
use tinker_engine::backend::{AdapterSpec, NamedTensor, OptimizerState};

mod interrupted;

fn state(value: f32) -> AdapterState {
    let tensor = |name: &str, shape: [usize; 2]| NamedTensor {
        name: format!("base_model.model.model.layers.0.self_attn.q_proj.{name}.weight"),
        shape: shape.into(),
        data: Arc::from(vec![value; 6]),
    };
    let moments = || {
        vec![
            Arc::from(vec![value + 1.0; 6]),
            Arc::from(vec![value + 2.0; 6]),
        ]
    };
    AdapterState {
        spec: AdapterSpec {
            rank: 2,
            seed: u64::MAX,
            attention: true,
            mlp: false,
            unembed: true,
        },
        alpha: 32.0,
        tensors: vec![tensor("lora_A", [2, 3]), tensor("lora_B", [3, 2])],
        optimizer: Some(OptimizerState {
            step: 7,
            first: moments(),
            second: moments(),
        }),
    }
}

fn new(path: &str) -> NewCheckpoint {
    NewCheckpoint {
        path: path.parse().unwrap(),
        base_model: "tiny".into(),
        base_folder: None,
        base_fingerprint: None,
        overwrite: false,
        lifetime: None,
        user_metadata: BTreeMap::from([("note".into(), "x".into())]),
        uploaded: false,
        owner: None,
    }
}

const PATH: &str = "tinker://s-1:train:0/weights/a";

fn load(store: &mut Store, path: &str) -> Result<AdapterState, StoreError> {
    store
        .load(&path.parse().unwrap(), true)
        .map(|(_, state)| state)
}

#[test]
fn a_checkpoint_survives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    store.save(&new(PATH), &state(1.0)).unwrap();
    drop(store);
    let mut store = Store::open(folder.path()).unwrap();
    let (record, loaded) = store.load(&PATH.parse().unwrap(), true).unwrap();
    assert_eq!(loaded, state(1.0));
    assert_eq!(
        (
            record.base_model.as_str(),
            record.user_metadata["note"].as_str()
        ),
        ("tiny", "x")
    );
    assert_eq!(record.adapter.seed, u64::MAX);
    assert!(store.has_session("s-1") && !store.has_session("s-2"));
    let sampler = "tinker://s-1:train:0/sampler_weights/a";
    store
        .save(
            &new(sampler),
            &AdapterState {
                optimizer: None,
                ..state(3.0)
            },
        )
        .unwrap();
    assert!(matches!(
        load(&mut store, sampler),
        Err(StoreError::Unfit { .. })
    ));
    assert_eq!(store.list().len(), 2);
}

#[test]
fn a_taken_name_is_refused_unless_it_is_to_be_replaced() {
    let mut store = Store::temporary().unwrap();
    store.save(&new(PATH), &state(1.0)).unwrap();
    let taken = store.save(&new(PATH), &state(2.0)).unwrap_err();
    assert!(taken.is_users_fault() && taken.report().contains("overwrite"));
    assert_eq!(load(&mut store, PATH).unwrap(), state(1.0));
    store
        .save(
            &NewCheckpoint {
                overwrite: true,
                ..new(PATH)
            },
            &state(2.0),
        )
        .unwrap();
    assert_eq!(load(&mut store, PATH).unwrap(), state(2.0));
}

#[test]
fn damaged_files_are_refused_with_the_name_of_the_file() {
    for name in [CONFIG, WEIGHTS, OPTIMIZER] {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        store.save(&new(PATH), &state(1.0)).unwrap();
        let file = folder
            .path()
            .join("checkpoints/s-1_train_0/weights/a")
            .join(name);
        let bytes = fs::read(&file).unwrap();
        let mut is_refused = |what: &str| {
            let error = load(&mut store, PATH).unwrap_err();
            let report = error.report();
            assert!(
                matches!(error, StoreError::Damaged { .. }),
                "{what}: {report}"
            );
            assert!(error.is_users_fault() && report.contains(name), "{report}");
        };
        fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
        is_refused("cut short");
        fs::write(&file, vec![b'{'; bytes.len()]).unwrap();
        is_refused("the right size and the wrong content");
        fs::remove_file(&file).unwrap();
        is_refused("gone");
        fs::create_dir(&file).unwrap();
        is_refused("a folder");
    }
}

#[test]
fn foreign_folders_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path()).unwrap());
    let foreign = folder.path().join("checkpoints/run/weights/x");
    fs::create_dir_all(&foreign).unwrap();
    fs::write(foreign.join(RECORD), "{}").unwrap();
    // A record with a path outside its folder must not give access to that path.
    let liar = folder.path().join("checkpoints/run/weights/y");
    fs::create_dir_all(&liar).unwrap();
    let (record, _) = encode(&new(PATH), &state(1.0)).unwrap();
    fs::write(liar.join(RECORD), serde_json::to_vec(&record).unwrap()).unwrap();
    // Files that some systems create everywhere are ignored.
    fs::write(folder.path().join("tmp/.DS_Store"), "x").unwrap();
    fs::write(folder.path().join("checkpoints/.DS_Store"), "x").unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    assert!(store.list().is_empty() && foreign.exists() && liar.exists());
}

#[test]
fn one_engine_at_a_time_uses_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let refused = Store::open(folder.path()).unwrap_err().report();
    assert!(
        refused.contains(&format!("in use by process {}", std::process::id())),
        "{refused}"
    );
    drop(store);
    assert!(Store::open(folder.path()).is_ok());
}

#[test]
fn a_checkpoint_goes_when_its_time_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    store
        .save(
            &NewCheckpoint {
                lifetime: Some(Duration::from_millis(5)),
                ..new(PATH)
            },
            &state(1.0),
        )
        .unwrap();
    std::thread::sleep(Duration::from_millis(10));
    assert!(matches!(
        load(&mut store, PATH),
        Err(StoreError::Expired { .. })
    ));
    assert!(
        !folder
            .path()
            .join("checkpoints/s-1_train_0/weights/a")
            .exists()
    );
    assert!(
        fs::read_dir(folder.path().join("tmp"))
            .unwrap()
            .next()
            .is_none()
    );
}

#[test]
fn a_temporary_folder_goes_with_the_store() {
    let mut store = Store::temporary().unwrap();
    store.save(&new(PATH), &state(1.0)).unwrap();
    let root = store.root().to_owned();
    assert!(root.exists());
    drop(store);
    assert!(!root.exists());
}

#[test]
fn what_can_not_be_a_folder_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let refused = Store::open(file.path()).unwrap_err();
    assert!(
        refused.report().contains("could not make folder"),
        "{}",
        refused.report()
    );
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("data");
    let mut store = Store::open(&root).unwrap();
    store.save(&new(PATH), &state(1.0)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let mut open = vec![root];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            assert_eq!(mode(&path), 0o700, "{}", path.display());
            open.extend(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
}
