use std::io::Cursor;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::store::NewCheckpoint;
use tinker_engine::backend::{AdapterSpec, AdapterState, NamedTensor, OptimizerState};

const PATH: &str = "tinker://s-1:train:0/weights/a";

/// A checkpoint with files of several chunks.
fn saved(value: f32) -> Store {
    let mut store = Store::temporary().unwrap();
    save(&mut store, value);
    store
}

fn save(store: &mut Store, value: f32) {
    let size = 3 * CHUNK / 4 + 7;
    let state = AdapterState {
        spec: AdapterSpec {
            rank: 1,
            seed: 0,
            attention: true,
            mlp: true,
            unembed: true,
        },
        alpha: 1.0,
        tensors: vec![NamedTensor {
            name: "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight".into(),
            shape: vec![1, size],
            data: Arc::from(vec![value; size]),
        }],
        optimizer: Some(OptimizerState {
            step: 1,
            first: vec![Arc::from(vec![value; size])],
            second: vec![Arc::from(vec![value; size])],
        }),
    };
    let new = NewCheckpoint {
        path: PATH.parse().unwrap(),
        base_model: "tiny".into(),
        base_folder: None,
        base_fingerprint: None,
        overwrite: true,
        lifetime: None,
        user_metadata: std::collections::BTreeMap::new(),
        uploaded: false,
        owner: None,
    };
    store.save(&new, &state).unwrap();
}

fn open(store: &mut Store) -> Tarball {
    store.tarball(&PATH.parse().unwrap()).unwrap()
}

fn rest(mut tarball: Tarball) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(chunk) = tarball.read().unwrap() {
        assert!(chunk.len() <= CHUNK);
        bytes.extend(chunk);
    }
    assert_eq!(tarball.length(), 0);
    bytes
}

/// Names and contents.
fn unpack(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(Cursor::new(bytes));
    let read = |entry: io::Result<tar::Entry<'_, _>>| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (name, content)
    };
    archive.entries().unwrap().map(read).collect()
}

#[test]
fn an_archive_holds_the_files_and_says_that_it_is_complete() {
    let mut store = saved(0.5);
    let tarball = open(&mut store);
    let length = tarball.length();
    let bytes = rest(tarball);
    assert_eq!(bytes.len() as u64, length);
    assert_eq!(length % BLOCK, 0);
    let files = unpack(&bytes);
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let want = [
        "adapter_config.json",
        "adapter_model.safetensors",
        "optimizer.safetensors",
        COMPLETE,
    ];
    assert_eq!(names, want);
    for (name, content) in &files[..3] {
        assert_eq!(*content, store.file(&PATH.parse().unwrap(), name).unwrap());
    }
    assert!(files[3].1.is_empty());
}

#[test]
fn what_was_opened_stays_when_the_checkpoint_is_replaced_or_removed() {
    let mut store = saved(0.5);
    let before = rest(open(&mut store));
    let (first, mut second) = (open(&mut store), open(&mut store));
    assert_eq!(first.tag(), second.tag());
    let start = second.read().unwrap().unwrap();
    save(&mut store, 0.25);
    assert_ne!(open(&mut store).tag(), first.tag(), "another checkpoint");
    assert!(rest(first) == before, "it was opened before");
    store.remove(&PATH.parse().unwrap()).unwrap();
    assert!([&start[..], &rest(second)].concat() == before);
    let gone = store.tarball(&PATH.parse().unwrap());
    assert!(matches!(gone, Err(StoreError::NotFound { .. })));
}

#[test]
fn a_file_that_lost_its_end_is_not_filled_up() {
    let mut store = saved(0.5);
    let mut tarball = open(&mut store);
    let (_, place) = store.entry(&PATH.parse().unwrap()).unwrap();
    let file = place.join("optimizer.safetensors");
    let cut = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
    cut.set_len(10).unwrap();
    let end = loop {
        match tarball.read() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it was filled up"),
            Err(error) => break error,
        }
    };
    assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
    let damaged = store.tarball(&PATH.parse().unwrap()).unwrap_err();
    assert!(
        damaged.to_string().contains("has 10 bytes instead of"),
        "{damaged}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn it_can_be_read_from_any_place_on(at in 0.0..1.1_f64, again in 0_u64..5000) {
        let mut store = saved(0.5);
        let whole = rest(open(&mut store));
        let mut tarball = open(&mut store);
        let start = (whole.len() as f64 * at) as u64;
        tarball.skip(start);
        tarball.skip(again);
        let start = usize::try_from(start + again).unwrap().min(whole.len());
        prop_assert_eq!(tarball.length(), (whole.len() - start) as u64);
        prop_assert!(rest(tarball) == whole[start..]);
    }
}
