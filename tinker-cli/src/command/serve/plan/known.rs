//! Servers with a documented start.

/// A server with a documented start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// Port of the API by default.
    pub(super) port: u16,
    /// Commands that start it, with `MODEL` for the model and `FILE` for its configuration.
    pub(super) start: &'static [&'static str],
    /// The key that it accepts; `None` if it accepts every one.
    pub(super) key: Option<&'static str>,
    pub(super) notes: &'static [&'static str],
}

/// The servers.
pub(super) const SERVERS: [Known; 8] = [
    Known {
        name: "skyrl",
        title: "SkyRL",
        port: 8000,
        start: &[
            "uv run --extra tinker --extra fsdp -m skyrl.tinker.api --base-model MODEL --backend fsdp",
        ],
        key: None,
        notes: &[
            "it answers health checks before its engine is ready: use `tinker wait`",
            "rank, alpha, targets and seed of an adapter are partly ignored",
        ],
    },
    Known {
        name: "tuft",
        title: "TuFT",
        port: 10610,
        start: &["tuft launch --port 10610 --config FILE"],
        key: Some("tml-CHOOSE-A-KEY"),
        notes: &[
            "alpha of an adapter is twice its rank",
            "a request has at most 64 MB",
        ],
    },
    Known {
        name: "miles",
        title: "Miles gateway",
        port: 10613,
        start: &[
            "python examples/multi_lora/serve_qwen3_30b_a3b_tinker.py prepare",
            "python examples/multi_lora/serve_qwen3_30b_a3b_tinker.py serve",
        ],
        key: Some("KEY"),
        notes: &[
            "only sampler checkpoints can be sampled",
            "a failed pass ends the model",
        ],
    },
    Known {
        name: "open-rl",
        title: "open-rl",
        port: 9003,
        start: &["make server BASE_MODEL=MODEL SAMPLING_BACKEND=torch"],
        key: None,
        notes: &["sparse tensors, bf16 and images are refused"],
    },
    Known {
        name: "verl",
        title: "verl-tinker",
        port: 8000,
        start: &["python -m verl_tinker.start --config FILE"],
        key: Some("tml-KEY"),
        notes: &["the rank of adapters is set in FILE; that of a client is ignored"],
    },
    Known {
        name: "twinkle",
        title: "Twinkle-kit",
        port: 8000,
        start: &["ray start --head", "twinkle-server launch --config FILE"],
        key: Some("KEY"),
        notes: &["checkpoint paths begin with twinkle://"],
    },
    Known {
        name: "arctic",
        title: "Arctic",
        port: 8112,
        start: &["python -m arctic_platform.integrations.tinker.serve --model MODEL --port 8112"],
        key: None,
        notes: &["rank 0 and temperature 1 only; a run cannot be resumed"],
    },
    Known {
        name: "hatchery",
        title: "hatchery",
        port: 8420,
        start: &["python -m hatchery.core.local_dev"],
        key: Some("dev"),
        notes: &[],
    },
];
