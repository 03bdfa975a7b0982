//! Damaged and hostile data folders: invalid checkpoints are refused, nothing outside the folder is read, and the engine
//! goes on.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Client, builder, save_body};

/// A data folder with checkpoint `a`, the path, and the folder of the checkpoint.
async fn saved(folder: &Path) -> (String, PathBuf) {
    let client = Client::of(&builder().data_dir(folder).build().unwrap());
    let (_, model) = client.model().await;
    client.forward_backward(&model, 1).await;
    client.step(&model, 2).await;
    let promise = client
        .post("save_weights", save_body(&model, 3, "a"))
        .await
        .promise();
    client.done(&promise).await;
    let run = model.replace(':', "_");
    (
        format!("tinker://{model}/weights/a"),
        folder.join("checkpoints").join(run).join("weights/a"),
    )
}

/// Opens the folder and tries to train and to sample from the checkpoint. Returns the errors; afterwards a model must
/// train as usual.
async fn refused(folder: &Path, path: &str) -> String {
    let client = Client::of(&builder().data_dir(folder).build().unwrap());
    let (session, model) = client.model().await;
    let load = json!({"model_id": model, "seq_id": 1, "path": path, "optimizer": true});
    let failed = client
        .fetch(&client.post("load_weights", load).await.promise())
        .await
        .json();
    assert_eq!(failed["category"], "user", "{failed}");
    let sampler = json!({"session_id": session, "sampling_session_seq_id": 0, "model_path": path});
    let sampler = client.post("create_sampling_session", sampler).await;
    // Damage to the optimizer's file does not affect samplers.
    assert!(
        matches!(sampler.status, 200 | 404 | 422),
        "{}",
        sampler.status
    );
    client.forward_backward(&model, 2).await;
    client.done(&client.step(&model, 3).await).await;
    failed["error"].as_str().unwrap().to_owned()
}

/// The bytes of a safetensors file with another header of the same length.
fn with_header(file: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&file[8..8 + length]).unwrap();
    change(&mut header);
    let mut header = header.to_string();
    while header.len() < length {
        header.push(' ');
    }
    [
        &(header.len() as u64).to_le_bytes()[..],
        header.as_bytes(),
        &file[8 + length..],
    ]
    .concat()
}

/// Writes a file of the checkpoint, and its size in the record.
fn replace(place: &Path, name: &str, bytes: &[u8]) {
    fs::write(place.join(name), bytes).unwrap();
    let record = place.join("checkpoint.json");
    let mut value: Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    value["files"][name] = bytes.len().into();
    fs::write(record, value.to_string()).unwrap();
}

#[tokio::test]
async fn headers_that_lie_and_files_that_end_early_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (path, place) = saved(folder.path()).await;
    for name in ["adapter_model.safetensors", "optimizer.safetensors"] {
        let good = fs::read(place.join(name)).unwrap();
        let first = |header: &mut Value, key: &str, value: Value| {
            let tensors = header.as_object_mut().unwrap();
            let tensor = tensors
                .iter_mut()
                .find(|(name, _)| *name != "__metadata__")
                .unwrap();
            tensor.1[key] = value;
        };
        let mut huge = good.clone();
        huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        let mut long = good.clone();
        long[..8].copy_from_slice(&(good.len() as u64).to_le_bytes());
        let bad = [
            Vec::new(),
            good[..7].to_vec(),
            good[..good.len() / 2].to_vec(),
            good[..good.len() - 1].to_vec(),
            huge,
            long,
            with_header(&good, |header| *header = json!([])),
            with_header(&good, |header| *header = json!({})),
            with_header(&good, |header| {
                first(header, "data_offsets", json!([0, 1_u64 << 60]));
            }),
            with_header(&good, |header| first(header, "data_offsets", json!([8, 0]))),
            with_header(&good, |header| {
                first(header, "shape", json!([1_u64 << 40, 1_u64 << 40]));
            }),
            with_header(&good, |header| first(header, "shape", json!([1]))),
            with_header(&good, |header| first(header, "dtype", json!("F64"))),
            with_header(&good, |header| first(header, "dtype", json!("NONSENSE"))),
        ];
        for (at, bytes) in bad.iter().enumerate() {
            replace(&place, name, bytes);
            let why = refused(folder.path(), &path).await;
            assert!(
                why.contains(&path) && why.len() < 3000,
                "{name} {at}: {why}"
            );
        }
        // Tensors of another model.
        let renamed = with_header(&good, |header| {
            let tensors = header.as_object_mut().unwrap();
            let name = tensors
                .keys()
                .find(|name| *name != "__metadata__")
                .unwrap()
                .clone();
            let tensor = tensors.remove(&name).unwrap();
            tensors.insert("x".to_owned(), tensor);
        });
        replace(&place, name, &renamed);
        refused(folder.path(), &path).await;
        replace(&place, name, &good);
    }
    let client = Client::of(&builder().data_dir(folder.path()).build().unwrap());
    let session = client.session().await;
    let good = json!({"session_id": session, "model_seq_id": 0, "path": path, "optimizer": true});
    client
        .done(&client.post("load_weights", good).await.promise())
        .await;
}

#[tokio::test]
async fn a_size_that_is_not_that_of_the_record_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (path, place) = saved(folder.path()).await;
    let file = place.join("adapter_model.safetensors");
    let good = fs::read(&file).unwrap();
    fs::write(&file, &good[..good.len() - 4]).unwrap();
    assert!(
        refused(folder.path(), &path)
            .await
            .contains("bytes instead of")
    );
    fs::remove_file(&file).unwrap();
    assert!(
        refused(folder.path(), &path)
            .await
            .contains("adapter_model.safetensors")
    );
    fs::write(&file, &good).unwrap();
    for nonsense in ["", "{", "[]", "null", &"[".repeat(100_000)] {
        fs::write(place.join("checkpoint.json"), nonsense).unwrap();
        assert!(
            refused(folder.path(), &path)
                .await
                .contains("there is no checkpoint")
        );
    }
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_not_followed() {
    use std::os::unix::fs::symlink;
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (path, place) = saved(folder.path()).await;
    let file = place.join("adapter_model.safetensors");
    let elsewhere = outside.path().join("weights");
    fs::rename(&file, &elsewhere).unwrap();
    symlink(&elsewhere, &file).unwrap();
    assert!(
        refused(folder.path(), &path)
            .await
            .contains("links are not followed")
    );
    fs::remove_file(&file).unwrap();
    fs::rename(&elsewhere, &file).unwrap();
    // The record itself, the checkpoint's folder, and the run's.
    let mut at = place.join("checkpoint.json");
    for _ in 0..4 {
        let elsewhere = outside.path().join("moved");
        fs::rename(&at, &elsewhere).unwrap();
        symlink(&elsewhere, &at).unwrap();
        assert!(
            refused(folder.path(), &path)
                .await
                .contains("there is no checkpoint"),
            "{at:?}"
        );
        fs::remove_file(&at).unwrap();
        fs::rename(&elsewhere, &at).unwrap();
        at.pop();
    }
    // The target of a link is never removed.
    let kept = outside.path().join("kept");
    fs::create_dir(&kept).unwrap();
    fs::write(kept.join("file"), "x").unwrap();
    symlink(&kept, folder.path().join("tmp/left")).unwrap();
    let _client = Client::of(&builder().data_dir(folder.path()).build().unwrap());
    assert_eq!(fs::read(kept.join("file")).unwrap(), b"x");
}

#[tokio::test]
async fn names_in_a_record_that_lead_elsewhere_make_it_no_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let (path, place) = saved(folder.path()).await;
    fs::write(folder.path().join("secret"), "secret").unwrap();
    let record = place.join("checkpoint.json");
    let good: Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    for name in ["../../../../secret", "/etc/passwd", "..", ".", "a/b", ""] {
        let mut bad = good.clone();
        bad["files"][name] = 6.into();
        fs::write(&record, bad.to_string()).unwrap();
        assert!(
            refused(folder.path(), &path)
                .await
                .contains("there is no checkpoint"),
            "{name}"
        );
    }
    // A checkpoint that was moved away for an overwrite is put back only if it is valid.
    for bad_path in [
        "tinker://../weights/a",
        "tinker://a:b/weights/..",
        "tinker://x\\y/weights/a/b",
        "x",
    ] {
        let replaced = folder.path().join("tmp/replaced");
        fs::create_dir_all(&replaced).unwrap();
        let mut bad = good.clone();
        bad["path"] = bad_path.into();
        fs::write(replaced.join("checkpoint.json"), bad.to_string()).unwrap();
        let _client = Client::of(&builder().data_dir(folder.path()).build().unwrap());
        assert!(!replaced.exists(), "{bad_path}");
        assert!(!folder.path().join("weights").exists(), "{bad_path}");
    }
}
