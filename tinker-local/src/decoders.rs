//! Entry points to the decoders behind the API, for fuzz targets and tests.
//!
//! Not covered by semantic versioning. Each function takes any bytes and runs one decoder; it must return without a
//! panic.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, HeaderValue};
use http::{HeaderMap, Method};
use tinker_engine::backend::BaseModelInfo;
use tinker_types::proto::decode_request;
use tinker_types::{CreateCustomLoss, ForwardBackward, InvalidValue, LossId, TensorData};

use crate::graph::CustomLoss;
use crate::{Limits, api, convert, store};

/// Largest decompressed body.
const BODY: usize = 1 << 16;

fn model() -> BaseModelInfo {
    BaseModelInfo::new("tiny", "qwen3", 320, 64)
}

/// A training request in protobuf, checked against a model.
pub fn training_request(bytes: &[u8]) {
    if let Ok(request) = decode_request(Bytes::copy_from_slice(bytes)) {
        pass(&request);
    }
}

/// A training request in JSON, checked against a model.
pub fn training_request_json(bytes: &[u8]) {
    if let Ok(request) = api::read_json::<ForwardBackward>(bytes) {
        pass(&request);
    }
}

fn pass(request: &ForwardBackward) {
    let none = |_: &LossId| Err(InvalidValue::new("loss_fn_config.loss_id", "is not known"));
    let _checked = convert::pass(request, &model(), none);
}

/// A sampling request, checked against a model.
pub fn sample_request(bytes: &[u8]) {
    if let Ok(request) = api::read_json(bytes) {
        let _checked = convert::sample_job(&request, &model(), &Limits::default());
    }
}

/// An uploaded loss, run on three positions.
pub fn custom_loss(bytes: &[u8]) {
    let Ok(request) = api::read_json::<CreateCustomLoss>(bytes) else {
        return;
    };
    let Ok(loss) = CustomLoss::parse(&request) else {
        return;
    };
    let given: BTreeMap<String, TensorData> = request
        .inputs
        .iter()
        .map(|input| {
            let flat = TensorData::from(vec![0.5_f32, -1.0, 2.0]);
            let tensor = match input.rank {
                0 => TensorData::from(vec![2.0_f32]).with_shape([0_usize; 0]),
                1 => Ok(flat),
                _ => flat.with_shape([3, 1]),
            };
            (
                input.name.clone(),
                tensor.unwrap_or_else(|_| TensorData::from(vec![1_i64])),
            )
        })
        .collect();
    for shape in [vec![3], vec![3, 1]] {
        if let Ok(inputs) = loss.inputs(&given, shape) {
            let _evaluated = loss.evaluate(&[-0.1, -2.0, -0.7], &inputs);
        }
    }
}

/// A compressed body.
///
/// # Panics
/// It grows beyond its limit.
pub fn compressed_body(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("zstd"));
    if let Ok(plain) = api::decompress(&headers, Bytes::copy_from_slice(bytes), BODY) {
        assert!(plain.len() <= BODY, "{} bytes came out", plain.len());
    }
}

/// A method, a path and a query.
pub fn address(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (path, query) = text.split_once('?').unwrap_or((&text, ""));
    for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
        api::look_up(&method, path, query);
    }
}

/// The files of a checkpoint in a data folder.
pub fn checkpoint_files(bytes: &[u8]) {
    store::read_any(bytes, Path::new("any"));
}

/// The name of a checkpoint.
///
/// # Panics
/// An accepted name is not a plain part of a path.
pub fn checkpoint_name(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if store::check_name(&text).is_ok() {
        let parts: Vec<_> = Path::new(&*text).components().collect();
        let [std::path::Component::Normal(part)] = parts[..] else {
            panic!("{text:?} is taken as a name and is no plain part of a path");
        };
        assert_eq!(part.to_str(), Some(&*text));
    }
}
