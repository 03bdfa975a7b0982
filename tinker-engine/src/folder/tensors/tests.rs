use std::fs;

use serde_json::json;

use super::*;

fn file(header: &serde_json::Value, data: usize) -> Vec<u8> {
    let header = header.to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

fn slot(name: &str, shape: &[usize]) -> Slot {
    let len = shape.iter().product();
    Slot {
        name: name.to_owned(),
        shape: shape.to_vec(),
        at: 0..len,
    }
}

fn opened(bytes: &[u8]) -> Result<(tempfile::TempDir, FolderTensors), String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(WHOLE), bytes).unwrap();
    let tensors = FolderTensors::open(folder.path()).map_err(|error| error.report())?;
    Ok((folder, tensors))
}

#[test]
fn headers_that_lie_are_refused() {
    let good = json!({ "a": { "dtype": "F32", "shape": [2], "data_offsets": [0, 8] } });
    let whole = file(&good, 8);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("has 3 bytes", whole[..3].to_vec()),
        ("truncated", whole[..20].to_vec()),
        ("truncated or damaged", whole[..whole.len() - 1].to_vec()),
        ("truncated or damaged", file(&good, 9)),
        (
            "truncated or not a safetensors",
            [&u64::MAX.to_le_bytes()[..], b"{}"].concat(),
        ),
        ("header is damaged", file(&json!([1]), 8)),
        (
            "header is damaged",
            file(
                &json!({ "a": { "dtype": "F32", "shape": [3], "data_offsets": [0, 8] } }),
                8,
            ),
        ),
        (
            "header is damaged",
            file(
                &json!({ "a": { "dtype": "F32", "shape": [2], "data_offsets": [8, 0] } }),
                8,
            ),
        ),
        (
            "header is damaged",
            file(
                &json!({ "a": { "dtype": "F32", "shape": [u64::MAX, 2], "data_offsets": [0, 8] } }),
                8,
            ),
        ),
        (
            "header is damaged",
            file(
                &json!({ "a": { "dtype": "F32", "shape": [2], "data_offsets": [0, 8] },
                    "b": { "dtype": "F32", "shape": [2], "data_offsets": [4, 12] } }),
                12,
            ),
        ),
    ];
    for (part, bytes) in cases {
        let error = opened(&bytes).unwrap_err();
        assert!(
            error.contains(part) && error.contains(WHOLE),
            "{part}: {error}"
        );
    }
    assert!(opened(&whole).is_ok());
}

#[test]
fn what_does_not_fit_the_model_is_named() {
    let header = json!({
        "a": { "dtype": "F32", "shape": [2], "data_offsets": [0, 8] },
        "i": { "dtype": "I64", "shape": [1], "data_offsets": [8, 16] },
    });
    let (folder, tensors) = opened(&file(&header, 16)).unwrap();
    let check = |slots: &[Slot], unused: &str| {
        let checked = tensors.check(folder.path(), slots, |name| name == unused);
        checked.map_err(|error| error.to_string())
    };
    assert_eq!(check(&[slot("a", &[2])], "i"), Ok(()));
    for (slots, unused, part) in [
        (vec![slot("b", &[2])], "", "no file holds b, [2]"),
        (
            vec![slot("a", &[1, 2])],
            "i",
            "a has shape [2]; config.json asks for [1, 2]",
        ),
        (
            vec![slot("a", &[2]), slot("i", &[1])],
            "",
            "i is I64; F32, F16 and BF16 can be read",
        ),
        (
            vec![slot("a", &[2])],
            "",
            "holds i, which the model of config.json does not have",
        ),
    ] {
        let error = check(&slots, unused).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn numbers_that_are_none_are_refused() {
    let header = json!({ "a": { "dtype": "F32", "shape": [1], "data_offsets": [0, 4] } });
    let mut bytes = file(&header, 0);
    bytes.extend_from_slice(&f32::NAN.to_le_bytes());
    let (_folder, tensors) = opened(&bytes).unwrap();
    let error = tensors.tensor(&slot("a", &[1])).err().unwrap();
    assert!(
        error.message().contains("a holds NaN or infinity"),
        "{error}"
    );
}

#[test]
fn an_index_names_files_beside_it_and_nothing_else() {
    let tensor =
        |name: &str| json!({ name: { "dtype": "F32", "shape": [1], "data_offsets": [0, 4] } });
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("model");
    fs::create_dir(&folder).unwrap();
    fs::write(
        place.path().join("outside.safetensors"),
        file(&tensor("a"), 4),
    )
    .unwrap();
    fs::write(folder.join("one.safetensors"), file(&tensor("a"), 4)).unwrap();
    fs::write(folder.join("two.safetensors"), file(&tensor("a"), 4)).unwrap();
    let outside = place
        .path()
        .join("outside.safetensors")
        .display()
        .to_string();
    for (name, part) in [
        ("../outside.safetensors", "not the plain name of a file"),
        (outside.as_str(), "not the plain name of a file"),
        ("./one.safetensors", "not the plain name of a file"),
        ("..", "not the plain name of a file"),
        ("", "not the plain name of a file"),
        ("three.safetensors", "do not exist, first three.safetensors"),
    ] {
        let index = json!({ "weight_map": { "a": name } });
        fs::write(folder.join(INDEX), index.to_string()).unwrap();
        let error = FolderTensors::open(&folder).unwrap_err().report();
        assert!(error.contains(part), "{name}: {error}");
    }
    for (map, part) in [
        (
            json!({ "a": "one.safetensors", "b": "one.safetensors" }),
            "lists b in one.safetensors",
        ),
        (
            json!({ "a": "one.safetensors", "b": "two.safetensors" }),
            "holds a, and so does",
        ),
        (json!({}), ""),
    ] {
        fs::write(folder.join(INDEX), json!({ "weight_map": map }).to_string()).unwrap();
        match FolderTensors::open(&folder) {
            Err(error) => assert!(error.report().contains(part), "{error}"),
            Ok(tensors) => assert!(part.is_empty() && tensors.places.is_empty()),
        }
    }
}

#[cfg(unix)]
#[test]
fn links_lead_to_files_and_not_to_devices() {
    use std::os::unix::fs::symlink;
    let header = json!({ "a": { "dtype": "F32", "shape": [1], "data_offsets": [0, 4] } });
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("blob"), file(&header, 4)).unwrap();
    let folder = place.path().join("model");
    fs::create_dir(&folder).unwrap();
    let link = folder.join(WHOLE);
    symlink("../blob", &link).unwrap();
    assert!(
        FolderTensors::open(&folder)
            .unwrap()
            .places
            .contains_key("a"),
        "as in the cache of Hugging Face"
    );
    for target in ["/dev/zero", "/"] {
        fs::remove_file(&link).unwrap();
        symlink(target, &link).unwrap();
        let error = FolderTensors::open(&folder).unwrap_err().to_string();
        assert!(error.contains("is not a regular file"), "{error}");
    }
}
