use serde_json::json;

use super::*;
use crate::model::RopeScaling;
use crate::testing::RandomFolder;

fn read(change: impl FnOnce(&mut Value), context: Option<usize>) -> Result<ModelConfig, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    let mut file = RandomFolder::qwen3().config.to_file("float32");
    change(&mut file);
    std::fs::write(&path, file.to_string()).unwrap();
    let read = ConfigFile::read(&path).and_then(|file| file.model(&path, context));
    read.map_err(|error| error.report().replace(&format!("{}: ", path.display()), ""))
}

#[test]
fn what_is_written_is_read() {
    for folder in [
        RandomFolder::qwen3(),
        RandomFolder::qwen2(),
        RandomFolder::llama(),
    ] {
        let config = read(|file| *file = folder.config.to_file("float32"), None).unwrap();
        assert_eq!(config, folder.config);
    }
    let half_billion = RandomFolder::qwen3_half_billion();
    assert!((500_000_000..600_000_000).contains(&half_billion.parameters()));
}

#[test]
fn what_is_left_out_has_the_defaults_of_transformers() {
    let bare = |model_type: &str| {
        json!({ "model_type": model_type, "vocab_size": 10, "hidden_size": 64, "intermediate_size": 32,
            "num_hidden_layers": 1, "num_attention_heads": 32, "head_dim": null, "sliding_window": 4096 })
    };
    let llama = read(|file| *file = bare("llama"), None).unwrap();
    assert_eq!(
        (
            llama.num_key_value_heads,
            llama.head_dim,
            llama.max_position_embeddings
        ),
        (32, 2, 2048)
    );
    assert!(!llama.tie_word_embeddings && !llama.qkv_bias && !llama.qk_norm);
    let qwen2 = read(|file| *file = bare("qwen2"), None).unwrap();
    assert!(qwen2.qkv_bias && !qwen2.o_bias && !qwen2.qk_norm);
    let qwen3 = read(|file| *file = bare("qwen3"), None).unwrap();
    assert_eq!(
        (qwen3.head_dim, qwen3.qk_norm, qwen3.max_position_embeddings),
        (128, true, 32_768)
    );
}

#[test]
fn newer_files_have_rope_parameters() {
    let new = |file: &mut Value| {
        file["rope_theta"] = Value::Null;
        file["rope_parameters"] =
            json!({ "rope_type": "linear", "rope_theta": 5e5, "factor": 2.0 });
    };
    let config = read(new, None).unwrap();
    assert_eq!(config.rope_scaling, RopeScaling::Linear { factor: 2.0 });
    assert!((config.rope_theta - 5e5).abs() < 1e-9);
}

#[test]
fn rope_parameters_by_kind_of_layer_must_be_equal() {
    let nested = |parameters: Value| {
        move |file: &mut Value| {
            file["rope_theta"] = Value::Null;
            file["rope_parameters"] = parameters;
        }
    };
    let full = json!({ "rope_type": "default", "rope_theta": 1e6 });
    for parameters in [
        json!({ "full_attention": full }),
        json!({ "full_attention": full, "sliding_attention": full }),
        json!({ "full_attention": full, "sliding_attention": null }),
    ] {
        let config = read(nested(parameters), None).unwrap();
        assert!((config.rope_theta - 1e6).abs() < 1e-9);
        assert_eq!(config.rope_scaling, RopeScaling::None);
    }
    for (parameters, part) in [
        (
            json!({ "full_attention": full, "sliding_attention": { "rope_theta": 1e4 } }),
            "rope_parameters.sliding_attention differs from rope_parameters.full_attention",
        ),
        (
            json!({ "full_attention": full, "rope_theta": 1e4 }),
            "rope_parameters.rope_theta differs",
        ),
        (
            json!({ "sliding_attention": full }),
            "rope_parameters has no full_attention",
        ),
        (json!(3), "field rope_parameters is not usable"),
        (
            json!({ "rope_theta": 1e6, "mrope_section": [1, 2] }),
            "unknown field `mrope_section`",
        ),
        (
            json!({ "rope_theta": 1e6, "partial_rotary_factor": 0.5 }),
            "rope_parameters.partial_rotary_factor is not 1",
        ),
        (
            json!({ "rope_theta": 1e6, "factor": 2.0 }),
            "rope_parameters has a factor but no rope_type",
        ),
    ] {
        let error = read(nested(parameters), None).unwrap_err();
        assert!(error.contains(part), "{part}: {error}");
    }
    let both = |file: &mut Value| {
        file["rope_parameters"] = json!({ "rope_theta": 1e6 });
        file["rope_scaling"] = json!({ "rope_type": "linear", "factor": 2.0 });
    };
    let error = read(both, None).unwrap_err();
    assert!(
        error.contains("both rope_scaling and rope_parameters"),
        "{error}"
    );
}

#[test]
fn what_this_engine_cannot_do_is_named() {
    let set = |field: &'static str, value: Value| move |file: &mut Value| file[field] = value;
    for (field, value, part) in [
        (
            "model_type",
            json!("mamba"),
            "\"mamba\"; this engine runs llama, qwen2 and qwen3",
        ),
        ("model_type", Value::Null, "has no model_type"),
        ("hidden_act", json!("gelu"), "hidden_act is \"gelu\""),
        ("mlp_bias", json!(true), "mlp_bias"),
        (
            "architectures",
            json!(["Qwen3ForSequenceClassification"]),
            "architectures has \"Qwen3ForSequenceClassification\"",
        ),
        (
            "final_logit_softcapping",
            json!(30.0),
            "final_logit_softcapping is 30.0, a field that this engine does not know",
        ),
        ("num_experts", json!(8), "num_experts is 8"),
        ("is_causal", json!(false), "is_causal is false"),
        ("partial_rotary_factor", json!(0.5), "partial_rotary_factor"),
        (
            "quantization_config",
            json!({ "bits": 4 }),
            "quantization_config",
        ),
        (
            "rope_scaling",
            json!({ "type": "yarn", "factor": 4.0 }),
            "rope scaling \"yarn\" is not supported",
        ),
        (
            "rope_scaling",
            json!({ "rope_type": "llama3", "factor": 4.0 }),
            "no low_freq_factor",
        ),
        (
            "rope_scaling",
            json!({ "rope_type": "linear", "factor": 0.0 }),
            "rope_scaling are not positive",
        ),
        (
            "rope_scaling",
            json!({ "rope_type": "linear", "factor": 1e-300 }),
            "rope_scaling are not positive",
        ),
        ("rope_theta", json!(1e-300), "rope_theta is not"),
        ("rms_norm_eps", json!(-1.0), "rms_norm_eps is not"),
        (
            "layer_types",
            json!(["full_attention", "linear_attention"]),
            "\"linear_attention\"",
        ),
        (
            "layer_types",
            json!(["sliding_attention"]),
            "no sliding_window",
        ),
        ("head_dim", json!(15), "head_dim is odd"),
        ("num_key_value_heads", json!(3), "does not divide"),
        ("num_attention_heads", json!(0), "a size is 0"),
        (
            "hidden_size",
            json!(1_u64 << 40),
            "above the supported maximum",
        ),
        (
            "num_hidden_layers",
            json!(100_000),
            "above the supported maximum",
        ),
        ("vocab_size", json!(-1), "field vocab_size is not usable"),
        (
            "vocab_size",
            json!("many"),
            "field vocab_size is not usable",
        ),
    ] {
        let error = read(set(field, value), None).unwrap_err();
        assert!(error.contains(part), "{field}: {error}");
    }
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    std::fs::write(&path, deep).unwrap();
    assert!(
        ConfigFile::read(&path).is_err(),
        "and does not overflow the stack"
    );
}

#[test]
fn within_its_window_sliding_attention_is_full() {
    let sliding = |file: &mut Value| {
        file["use_sliding_window"] = json!(true);
        file["sliding_window"] = json!(64);
    };
    let error = read(sliding, None).unwrap_err();
    assert!(error.contains("a context of at most 64 works"), "{error}");
    assert_eq!(read(sliding, Some(64)).unwrap().max_position_embeddings, 64);
}

#[test]
fn a_context_is_within_the_model_s_own() {
    let long = |file: &mut Value| file["max_position_embeddings"] = json!(1_000_000);
    assert_eq!(
        read(long, None).unwrap().max_position_embeddings,
        DEFAULT_CONTEXT
    );
    assert_eq!(
        read(long, Some(100_000)).unwrap().max_position_embeddings,
        100_000
    );
    for asked in [0, 257] {
        let error = read(|_| {}, Some(asked)).unwrap_err();
        assert!(error.contains("1 to 256 are possible"), "{error}");
    }
}
