//! Writes that are killed or fail, at each step.

use super::super::super::write::Step;
use super::*;

/// All files and folders below `root`, except those that always exist.
fn contents(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![root.join("checkpoints"), root.join("tmp")];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            found.push(path.strip_prefix(root).unwrap().display().to_string());
            if path.is_dir() {
                open.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The steps of a save, recorded from one.
fn steps(overwrite: bool) -> Vec<Step> {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let mut seen = Vec::new();
    if overwrite {
        store.save(&new(PATH), &state(1.0)).unwrap();
    }
    let watch = &mut |step| {
        seen.push(step);
        Ok(())
    };
    store
        .save_watched(
            &NewCheckpoint {
                overwrite,
                ..new(PATH)
            },
            &state(2.0),
            watch,
        )
        .unwrap();
    seen
}

#[test]
fn a_kill_at_any_step_leaves_a_whole_checkpoint_or_none() {
    for overwrite in [false, true] {
        let steps = steps(overwrite);
        assert_eq!(steps.contains(&Step::MoveOldAway), overwrite);
        for fatal in &steps {
            let folder = tempfile::tempdir().unwrap();
            let mut store = Store::open(folder.path()).unwrap();
            store
                .save(&new("tinker://s-1:train:0/weights/other"), &state(5.0))
                .unwrap();
            if overwrite {
                store.save(&new(PATH), &state(1.0)).unwrap();
            }
            kill_at(&mut store, *fatal, overwrite);
            drop(store);

            let mut store = Store::open(folder.path()).unwrap();
            let found = load(&mut store, PATH);
            match (
                overwrite,
                matches!(fatal, Step::FlushParent | Step::RemoveOld),
            ) {
                (_, true) => assert_eq!(found.unwrap(), state(2.0), "killed at {fatal:?}"),
                (true, false) => assert_eq!(found.unwrap(), state(1.0), "killed at {fatal:?}"),
                (false, false) => assert!(
                    matches!(found, Err(StoreError::NotFound { .. })),
                    "killed at {fatal:?}"
                ),
            }
            assert!(
                fs::read_dir(folder.path().join("tmp"))
                    .unwrap()
                    .next()
                    .is_none(),
                "killed at {fatal:?}"
            );
            assert_eq!(
                load(&mut store, "tinker://s-1:train:0/weights/other").unwrap(),
                state(5.0)
            );
            store
                .save(
                    &NewCheckpoint {
                        overwrite: true,
                        ..new(PATH)
                    },
                    &state(3.0),
                )
                .unwrap();
            assert_eq!(load(&mut store, PATH).unwrap(), state(3.0));
        }
    }
}

/// Runs a save up to a step.
fn kill_at(store: &mut Store, fatal: Step, overwrite: bool) {
    let new = NewCheckpoint {
        overwrite,
        ..new(PATH)
    };
    let (_, files) = encode(&new, &state(2.0)).unwrap();
    let (tmp, checkpoints, place) = (
        store.folder.tmp(),
        store.folder.checkpoints(),
        store.folder.place(&new.path),
    );
    let write = Write {
        tmp: &tmp,
        checkpoints: &checkpoints,
        place: &place,
        files: &files,
    };
    // A file is torn: only half of it was written.
    let torn = |index: usize| {
        let (name, bytes): &(String, Vec<u8>) = &files[index];
        fs::write(tmp.join("new").join(name), &bytes[..bytes.len() / 2]).unwrap();
    };
    let watch = &mut |step| {
        if step != fatal {
            return Ok(());
        }
        if let Step::WriteFile(index) = step {
            torn(index);
        }
        Err(StoreError::Stopped)
    };
    assert!(write.steps(watch, &mut false).is_err());
}

#[test]
fn a_failing_disk_leaves_nothing_behind() {
    for overwrite in [false, true] {
        for fatal in steps(overwrite) {
            let folder = tempfile::tempdir().unwrap();
            let mut store = Store::open(folder.path()).unwrap();
            if overwrite {
                store.save(&new(PATH), &state(1.0)).unwrap();
            }
            let before = contents(folder.path());
            let full =
                || StoreError::io("write", Path::new("x"))(io::ErrorKind::StorageFull.into());
            let watch = &mut |step| if step == fatal { Err(full()) } else { Ok(()) };
            let failed = store
                .save_watched(
                    &NewCheckpoint {
                        overwrite,
                        ..new(PATH)
                    },
                    &state(2.0),
                    watch,
                )
                .unwrap_err();
            assert!(
                !failed.is_users_fault() && failed.report().contains("no storage space"),
                "{}",
                failed.report()
            );
            assert_eq!(contents(folder.path()), before, "failed at {fatal:?}");
            assert_eq!(load(&mut store, PATH).is_ok(), overwrite);
        }
    }
}
