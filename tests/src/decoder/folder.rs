//! Seeds of the files of models and of checkpoints: those that `transformers` and `peft` wrote for the goldens, and small
//! ones.

use std::path::Path;

use serde_json::{Value, json};

/// A file of each golden's folder `part`, where it has one.
fn recorded(part: &str, name: &str) -> Vec<Vec<u8>> {
    let goldens =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tinker-local/tests/fixtures/golden");
    let folders = std::fs::read_dir(goldens).expect("the goldens are there");
    let path = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.expect("an entry").path().join(part).join(name)
    };
    folders
        .filter_map(|entry| std::fs::read(path(entry)).ok())
        .collect()
}

pub(super) fn configs() -> Vec<Vec<u8>> {
    let scaled = json!({
        "model_type": "llama", "vocab_size": 64, "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 2,
        "num_attention_heads": 4, "rope_scaling": { "type": "linear", "factor": 2.0 }, "eos_token_id": [1, 2],
    });
    let windowed = json!({
        "model_type": "qwen2", "vocab_size": 64, "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 1, "use_sliding_window": true, "sliding_window": 64,
        "layer_types": ["full_attention", "sliding_attention"], "max_position_embeddings": 128,
    });
    let mut all = recorded("model", "config.json");
    all.extend([scaled, windowed].map(|config| config.to_string().into_bytes()));
    all
}

pub(super) fn headers() -> Vec<Vec<u8>> {
    let adapter = json!({
        "__metadata__": { "step": "3", "format": "pt" },
        "a": { "dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8] },
        "a.exp_avg": { "dtype": "F32", "shape": [1, 2], "data_offsets": [8, 16] },
        "a.exp_avg_sq": { "dtype": "F32", "shape": [1, 2], "data_offsets": [16, 24] },
    });
    let model = json!({
        "model.embed_tokens.weight": { "dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12] },
        "model.norm.weight": { "dtype": "F16", "shape": [2], "data_offsets": [12, 16] },
    });
    let empty = json!({ "a": { "dtype": "I64", "shape": [0, 7], "data_offsets": [0, 0] } });
    let file = |(header, size): (Value, usize)| {
        let header = header.to_string();
        let length = (header.len() as u64).to_le_bytes();
        [&length[..], header.as_bytes(), &vec![0; size]].concat()
    };
    [(adapter, 24), (model, 16), (empty, 0)].map(file).into()
}

pub(super) fn indexes() -> Vec<Vec<u8>> {
    let index = |map: Value| {
        let index = json!({ "metadata": { "total_size": 9 }, "weight_map": map });
        index.to_string().into_bytes()
    };
    vec![
        index(
            json!({ "a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors" }),
        ),
        index(json!({ "a": "../model.safetensors" })),
        index(json!({})),
    ]
}

pub(super) fn tokenizers() -> Vec<Vec<u8>> {
    let bytes = json!({
        "added_tokens": [{ "id": 4, "content": "<|end|>", "special": true }],
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": [{ "type": "ByteLevel" }] },
        "decoder": { "type": "ByteLevel" },
        "model": { "type": "BPE", "vocab": { "a": 0, "\u{120}b": 1, "\u{100}": 2 }, "merges": [["a", "b"]] },
    });
    let pieces = json!({
        "decoder": { "type": "Sequence", "decoders": [{ "type": "Replace" }, { "type": "ByteFallback" }] },
        "model": { "type": "BPE", "vocab": { "<0x0A>": 0, "\u{2581}the": 1, "<0xZZ>": 2 } },
    });
    let unigram =
        json!({ "model": { "type": "Unigram", "vocab": [["<unk>", 0.0], ["\u{2581}a", -2.5]] } });
    [bytes, pieces, unigram]
        .map(|file| file.to_string().into_bytes())
        .into()
}

pub(super) fn tokenizer_configs() -> Vec<Vec<u8>> {
    let template = "{% for m in messages %}{{ m.content + eos_token }}{% endfor %}";
    [
        json!({ "eos_token": "<|end|>", "bos_token": null, "chat_template": template }),
        json!({
            "eos_token": { "content": "<|end|>", "special": true },
            "chat_template": [
                { "name": "tool_use", "template": "" },
                { "name": "default", "template": template },
            ],
        }),
        json!({ "added_tokens_decoder": { "2": { "content": "<|end|>" } }, "chat_template": "{{ bos_token }}" }),
    ]
    .map(|file| file.to_string().into_bytes())
    .into()
}

pub(super) fn generations() -> Vec<Vec<u8>> {
    let own = [
        json!({ "eos_token_id": [3, 4_294_967_295_u32], "temperature": 0.6 }),
        json!({ "eos_token_id": null }),
    ];
    let mut all = recorded("model", "generation_config.json");
    all.extend(own.map(|file| file.to_string().into_bytes()));
    all
}

/// Files of a checkpoint, and the configuration of adapters that peft made.
pub(super) fn checkpoints() -> Vec<Vec<u8>> {
    let config = json!({
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": "tiny", "r": 4, "lora_alpha": 32.0,
        "lora_dropout": 0.0, "bias": "none", "inference_mode": true, "target_modules": ["q_proj"],
    });
    let record = json!({
        "layout": 1, "path": "tinker://s-1:train:0/weights/a", "base_model": "tiny", "created": "2026-01-02T03:04:05Z",
        "expires": "2026-01-03T03:04:05Z", "public": false, "user_metadata": { "a": "b" },
        "adapter": { "rank": 4, "seed": 1, "attention": true, "mlp": true, "unembed": true },
        "files": { "adapter_config.json": 3 },
    });
    let origin = json!({
        "layout": 1,
        "run": { "id": "s-1:train:0", "base_model": "tiny", "lora_rank": 4, "last_request": "2026-01-02T03:04:05Z" },
        "session": { "id": "s-1", "created": "2026-01-02T03:04:05Z", "status": { "type": "active" } },
    });
    let own = [
        config.to_string().into_bytes(),
        record.to_string().into_bytes(),
        origin.to_string().into_bytes(),
    ];
    let peft = recorded("adapter", "adapter_config.json");
    own.into_iter().chain(peft).chain(headers()).collect()
}
