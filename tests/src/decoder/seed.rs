//! Seed inputs: recorded exchanges of the official client, and values encoded by this workspace.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tinker_types::proto::{encode_output, encode_sample};
use tinker_types::{
    Datum, Elements, ForwardBackward, ForwardBackwardOutput, Loss, SampleResponse, SampledSequence,
    StopReason, TensorData,
};

use super::{data, engine, folder, training};

/// Longest recorded body that is used. Longer ones slow a fuzzer down.
const LONGEST: usize = 2048;

/// The kind of input a target reads.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    JsonRequests,
    ProtobufRequests,
    JsonAnswers,
    Outputs,
    Samples,
    Tensors,
    Losses,
    Compressed,
    Addresses,
    Files,
    Configs,
    Headers,
    Indexes,
    Tokenizers,
    TokenizerConfigs,
    Generations,
    Cassettes,
    Templates,
    DataLines,
    DataLists,
    DataTables,
    DataCompressed,
    /// A response, after a choice of call and status.
    Answers,
    /// A request body, after a choice of endpoint.
    Requests,
}

/// A sample as server-sent events.
const EVENTS: &[u8] = b"event: accepted\ndata: {\"request_id\":\"r\",\"sample_sequence_ids\":[\"q\"]}\n\n: waiting\n\n\
    event: tokens\ndata: {\"sequence\":0,\"tokens\":[1,2],\"logprobs\":[-0.5,-1.0]}\n\n\
    event: done\ndata: {\"type\":\"sample\",\"sequences\":[{\"stop_reason\":\"stop\",\"tokens\":[1,2]}]}\n\n";

/// One recorded exchange: path with query, and the two bodies.
struct Exchange {
    address: String,
    request: Body,
    answer: Body,
}

enum Body {
    Json(Vec<u8>),
    Protobuf(Vec<u8>),
    Other,
}

static RECORDED: LazyLock<Vec<Exchange>> = LazyLock::new(|| {
    let mut files = Vec::new();
    collect(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/vectors"),
        &mut files,
    );
    files.sort();
    files.iter().flat_map(|file| exchanges(file)).collect()
});

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(path);
        }
    }
}

fn exchanges(file: &Path) -> Vec<Exchange> {
    let text = std::fs::read(file).expect("a recording can be read");
    let vector: Value = serde_json::from_slice(&text).expect("a recording is JSON");
    let exchanges = vector["exchanges"].as_array().cloned().unwrap_or_default();
    let read = |exchange: Value| {
        let path = exchange["request"]["path"].as_str().unwrap_or_default();
        let query = exchange["request"]["query"].as_str().unwrap_or_default();
        Exchange {
            address: format!("{path}?{query}"),
            request: body(&exchange["request"]["body"]),
            answer: body(&exchange["response"]["body"]),
        }
    };
    exchanges.into_iter().map(read).collect()
}

fn body(recorded: &Value) -> Body {
    let binary = |recorded: &Value| STANDARD.decode(recorded["raw_base64"].as_str()?).ok();
    match recorded["kind"].as_str() {
        Some("json") => match recorded["raw"].as_str() {
            Some(raw) => Body::Json(raw.as_bytes().to_vec()),
            None => Body::Json(recorded["json"].to_string().into_bytes()),
        },
        Some("protobuf") => binary(recorded).map_or(Body::Other, Body::Protobuf),
        _ => Body::Other,
    }
}

/// The seeds of a kind, without long ones and duplicates.
pub(super) fn of(kind: Kind) -> Vec<Vec<u8>> {
    let json = |body: &Body| match body {
        Body::Json(bytes) => Some(bytes.clone()),
        _ => None,
    };
    let protobuf = |body: &Body| match body {
        Body::Protobuf(bytes) => Some(bytes.clone()),
        _ => None,
    };
    let all = || RECORDED.iter();
    let of_path =
        |word: &'static str| all().filter(move |exchange| exchange.address.contains(word));
    let mut seeds: Vec<Vec<u8>> = match kind {
        Kind::JsonRequests => all()
            .filter_map(|e| json(&e.request))
            .chain(older())
            .collect(),
        Kind::ProtobufRequests => all()
            .filter_map(|e| protobuf(&e.request))
            .chain(training::trainings("s-1:train:0"))
            .collect(),
        Kind::JsonAnswers => all().filter_map(|e| json(&e.answer)).collect(),
        Kind::Outputs => all()
            .filter_map(|e| protobuf(&e.answer))
            .chain([output()])
            .collect(),
        Kind::Samples => of_path("retrieve_future")
            .filter_map(|e| protobuf(&e.answer))
            .chain([sample()])
            .collect(),
        Kind::Tensors => tensors()
            .iter()
            .map(|t| json!(t).to_string().into_bytes())
            .collect(),
        Kind::Losses => of_path("create_custom_loss")
            .filter_map(|e| json(&e.request))
            .chain(losses())
            .collect(),
        Kind::Compressed => all()
            .filter_map(|e| protobuf(&e.request).or_else(|| json(&e.request)))
            .step_by(7)
            .map(|bytes| zstd::encode_all(&bytes[..], 3).expect("memory takes it"))
            .collect(),
        Kind::Addresses => all()
            .map(|e| e.address.clone().into_bytes())
            .chain(paths())
            .collect(),
        Kind::Files => folder::checkpoints(),
        Kind::Configs => folder::configs(),
        Kind::Headers => folder::headers(),
        Kind::Indexes => folder::indexes(),
        Kind::Tokenizers => folder::tokenizers(),
        Kind::TokenizerConfigs => folder::tokenizer_configs(),
        Kind::Generations => folder::generations(),
        Kind::Cassettes => cassettes(),
        Kind::Templates => TEMPLATES
            .iter()
            .map(|text| text.as_bytes().to_vec())
            .collect(),
        Kind::Answers => all()
            .filter_map(|e| json(&e.answer).or_else(|| protobuf(&e.answer)))
            .enumerate()
            .map(|(at, body)| [vec![at as u8, (at / 5) as u8, 0], body].concat())
            .chain([[&[5, 0, 0], EVENTS].concat()])
            .collect(),
        Kind::Requests => engine::seeds(),
        Kind::DataLines => data::lines(),
        Kind::DataLists => data::lists(),
        Kind::DataTables => data::tables(),
        Kind::DataCompressed => data::compressed(),
    };
    seeds.retain(|seed| seed.len() <= LONGEST);
    seeds.sort();
    seeds.dedup();
    seeds
}

/// The same in the older JSON form.
fn older() -> Vec<Vec<u8>> {
    let write = |datum: Datum| {
        let request =
            ForwardBackward::new("s-1:train:0".into(), 1, vec![datum], Loss::cross_entropy());
        json!(request).to_string().into_bytes()
    };
    training::data().into_iter().map(write).collect()
}

fn output() -> Vec<u8> {
    let mut output = ForwardBackwardOutput::default();
    output.loss_fn_outputs = tensors()
        .into_iter()
        .map(|tensor| [("logprobs".to_owned(), tensor)].into())
        .collect();
    output.metrics.insert("loss:sum".to_owned(), 1.5);
    encode_output(&output).to_vec()
}

fn sample() -> Vec<u8> {
    let sequence = SampledSequence::new(StopReason::Stop, vec![1, 2, 3]);
    let mut sample = SampleResponse::default();
    sample.sequences = vec![sequence];
    sample.prompt_logprobs = Some(vec![None, Some(-0.5)]);
    sample.topk_prompt_logprobs = Some(vec![None, Some(vec![(7, -0.5), (8, -1.5)])]);
    encode_sample(&sample).to_vec()
}

fn tensors() -> Vec<TensorData> {
    let sparse = TensorData::csr(Elements::Int64([9, 8].into()), [0, 1, 2], [0, 4], [2, 5]);
    let dense = TensorData::from(vec![1_i64, -2, 3, 4]).with_shape([2, 2]);
    vec![
        TensorData::from(vec![0.5_f32, -1e30]),
        dense.expect("two rows of two"),
        sparse.expect("a matrix"),
        TensorData::dense(Elements::Float32([].into())),
    ]
}

fn losses() -> Vec<Vec<u8>> {
    let of = |name: &str| json!({ "ref": name });
    let node = |name: &str, op: &str, target: &str, args: Value| json!({ "name": name, "op": op, "target": target, "args": args, "kwargs": {} });
    let calls = [
        ("exp", json!([of("logprobs")])),
        ("operator.mul", json!([of("logprobs"), of("other")])),
        ("torch.clamp", json!([of("logprobs"), -1.0, 1.0])),
        ("cumsum", json!([of("logprobs"), 0])),
        (
            "operator.getitem",
            json!([of("logprobs"), {"slice": [0, 2, 1]}]),
        ),
    ];
    let graph = |(target, args): (&str, Value)| {
        let nodes = [
            node("logprobs", "placeholder", "logprobs", json!([])),
            node("other", "placeholder", "other", json!([])),
            node("a", "call_function", target, args),
            node("b", "call_function", "torch.sum", json!([of("a")])),
            node(
                "output",
                "output",
                "output",
                json!([{ "tuple": [of("b"), { "dict": { "custom/x:sum": of("b") } }] }]),
            ),
        ];
        let inputs = json!([{ "name": "logprobs", "rank": 1 }, { "name": "other", "rank": 1 }]);
        let request = json!({
            "session_id": "s-1", "custom_loss_seq_id": 0, "name": "x", "inputs": inputs,
            "graph": { "format": 1, "nodes": nodes },
        });
        request.to_string().into_bytes()
    };
    calls.into_iter().map(graph).collect()
}

fn paths() -> Vec<Vec<u8>> {
    let paths = [
        "tinker://s-1:train:0/weights/step-100",
        "tinker://s-1:train:0/sampler_weights/a",
        "tinker://a/external_weights/b%2f..",
        "best model",
        "/files/s-1%3Atrain%3A0/external_weights/a/adapter_config.json?expires=1&signature=ab",
        "/api/v1/training_runs/s%3Atrain%3A0/checkpoints/weights%2Fa%20b/publish?limit=2&offset=18446744073709551615",
    ];
    paths.iter().map(|path| path.as_bytes().to_vec()).collect()
}

fn cassettes() -> Vec<Vec<u8>> {
    let head = json!({ "tinker_cassette": 1 });
    let line = |answer: Value| {
        let request = json!({ "method": "POST", "path": "/api/v1/asample", "headers": { "a": "b" }, "json": { "x": 1 } });
        json!({ "n": 1, "request": request, "answer": answer, "took_ms": 12 })
    };
    let answers = [
        json!({ "status": 200, "headers": {}, "json": { "status": "ok" } }),
        json!({ "status": 503, "headers": { "retry-after": "1" }, "text": "busy" }),
        json!({ "status": 200, "headers": {}, "base64": "AAEC" }),
    ];
    let lines = answers
        .into_iter()
        .map(|answer| format!("{head}\n{}\n", line(answer)));
    lines.map(String::into_bytes).collect()
}

const TEMPLATES: [&str; 11] = [
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}",
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content.strip() }}{%- endfor %}",
    "{% set ns = namespace(x=0) %}{% for m in messages %}{% set ns.x = ns.x + loop.index %}{% generation %}{{ m.content | trim | upper }}{% endgeneration %}{% endfor %}",
    "{{ raise_exception('no') if messages[0]['role'] == 'system' else messages | tojson }}{% macro f(a) %}{{ a[1:] }}{% endmacro %}{{ f('abc') }}",
    "{% set n = namespace(l=[]) %}{% for i in range(9) %}{% set n.l = n.l + [{'a': n.l}] %}{% endfor %}{{ n.l | tojson(indent=2) }}{{ n.l[::-1] }}",
    "{% for t in tools %}{% for k, v in t.items() %}{{ k }}={{ v }}{{ t.items is defined }}{% endfor %}{% endfor %}{# {% generation %} #}{% raw %}{{ {% endraw %}",
    "{{ '%s' | format(1) }}{{ '{:>9}'.format(2) }}{{ 'a-b'.rsplit('-', 1) }}{{ ' a'.rjust(9).title() }}{{ 'x'.replace('', 'y') | indent(3) }}{{ strftime_now('%d %b %Y') }}",
    "{% macro f(n) %}{% set x = n %}{% if n %}{{ f(n - 1) }}{% endif %}{{ caller is defined }}{% endmacro %}{% call f(3) %}{{ loop }}{% endcall %}{% for a in [1] recursive %}{{ loop([]) }}{% endfor %}",
    "{{ 'it\'s '|safe + messages[1].content + '<' | e + -1 ~ (messages[0].content|safe)[0].upper() }}{% set x = [1] + ['<'|safe] %}{{ x + x }}",
    "{% for m in messages %}{% if m.role == 'user' %}{{ '<a|safe>' | e + 'b' * 2 - 1 if x + 1 else m.content + (m.role + ',')|safe }}{% endif %}{% endfor %}{{- {'k': 'v' + 'w'}['k'] -}}",
    "{{ messages | map(attribute='role') | join(', ') }}{{ messages | selectattr('content', 'defined') | list | length }}{{ messages | rejectattr('tool_calls') | first | tojson(sort_keys=true, ensure_ascii=true) }}",
];
