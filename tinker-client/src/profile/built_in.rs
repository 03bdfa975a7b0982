//! Servers with known differences, one row each.

use tinker_types::wire::header;

use super::settings::Profile;
use crate::config::OFFICIAL_BASE_URL;
use crate::config::dialect::{ForwardOnly, Wire};

/// A server with known differences from the hosted service.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct BuiltIn {
    /// Name of the profile.
    pub name: &'static str,
    /// Name and version of the server.
    pub title: &'static str,
    /// Address by default; `None` if it has none.
    pub base_url: Option<&'static str>,
    /// Commands that start the server, with `MODEL` for its base model and `FILE` for its configuration; empty if none is
    /// documented.
    pub start: &'static [&'static str],
    /// Whether adapters that were trained elsewhere can be uploaded to it.
    pub takes_uploads: bool,
    /// Whether its base model may be a folder in the layout of Hugging Face.
    pub takes_folder: bool,
    /// Key to use for a server that checks one: a key that it accepts by default, or a placeholder.
    pub key: Option<&'static str>,
    /// Variable that holds the key, for servers that check one.
    pub key_env: Option<&'static str>,
    /// Header of the key; `None` for `X-API-Key`.
    pub key_header: Option<&'static str>,
    /// Form of training passes.
    pub wire: Wire,
    /// Form of passes without gradients.
    pub forward_only: ForwardOnly,
    /// Whether requests have the form of the official client.
    pub official_form: bool,
    /// Scheme of checkpoint paths; `None` for `tinker`.
    pub path_scheme: Option<&'static str>,
    /// Headers with `{model}` or `{request}` in their values.
    pub headers: &'static [(&'static str, &'static str)],
    /// Options of the command that have no effect on this server.
    pub inert: &'static [InertOption],
    /// Other differences that a user notices.
    pub notes: &'static [&'static str],
}

/// An option of the command that has no effect on a server.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct InertOption {
    /// Long name, with the dashes.
    pub option: &'static str,
    /// The reason, and what to do instead.
    pub why: &'static str,
    /// Whether the command sets a value by itself, which then has no effect either.
    pub has_default: bool,
}

const PLAIN: BuiltIn = BuiltIn {
    name: "",
    title: "",
    base_url: None,
    start: &[],
    takes_uploads: false,
    takes_folder: false,
    key: None,
    key_env: None,
    key_header: None,
    wire: Wire::Auto,
    forward_only: ForwardOnly::Auto,
    official_form: false,
    path_scheme: None,
    headers: &[],
    inert: &[],
    notes: &[],
};

/// The servers with known differences.
pub const BUILT_IN: &[BuiltIn] = &[
    BuiltIn {
        name: "hosted",
        title: "the hosted service",
        base_url: Some(OFFICIAL_BASE_URL),
        takes_uploads: true,
        key_env: Some("TINKER_API_KEY"),
        wire: Wire::Auto,
        forward_only: ForwardOnly::Flag,
        official_form: true,
        notes: &[
            "keys begin with tml-",
            "old versions of clients are refused when a session opens",
        ],
        ..PLAIN
    },
    BuiltIn {
        name: "local",
        title: "tinker serve",
        base_url: Some("http://127.0.0.1:8700"),
        start: &["tinker serve --model MODEL"],
        takes_uploads: true,
        takes_folder: true,
        forward_only: ForwardOnly::Flag,
        notes: &["any key is accepted"],
        ..PLAIN
    },
    BuiltIn {
        name: "skyrl",
        title: "SkyRL 0.4",
        base_url: Some("http://localhost:8000"),
        start: &[
            "uv run --extra tinker --extra fsdp -m skyrl.tinker.api --base-model MODEL --backend fsdp",
        ],
        takes_folder: true,
        wire: Wire::Protobuf,
        forward_only: ForwardOnly::Flag,
        notes: &[
            "health is reported before the engine is ready: use `tinker wait`",
            "a pass reports no loss; it is computed from the log probabilities",
            "lists of sessions and of all checkpoints are missing",
            "the number of adapters is limited by max_lora_adapters",
            "rank, alpha, targets and seed of an adapter are partly ignored",
            "a sampler checkpoint can be sampled only while its run is loaded; free its place with `tinker unload`",
        ],
        ..PLAIN
    },
    BuiltIn {
        name: "skyrl-0.3",
        title: "SkyRL 0.3",
        base_url: Some("http://localhost:8000"),
        start: &["uv run --with skyrl -m skyrl.tinker.api --base-model MODEL"],
        takes_folder: true,
        wire: Wire::Json,
        forward_only: ForwardOnly::Url,
        notes: &[
            "only checkpoints of its own database can be loaded; they cannot be deleted",
            "a pass reports no loss; it is computed from the log probabilities",
            "the number of adapters is limited by max_lora_adapters",
            "rank, alpha, targets and seed of an adapter are partly ignored",
            "a sampler checkpoint can be sampled only while its run is loaded; free its place with `tinker unload`",
        ],
        ..PLAIN
    },
    BuiltIn {
        name: "tuft",
        title: "TuFT 0.2",
        base_url: Some("http://localhost:10610"),
        start: &["tuft launch --port 10610 --config FILE"],
        takes_folder: true,
        key: Some("tml-CHOOSE-A-KEY"),
        key_env: Some("TINKER_API_KEY"),
        wire: Wire::Protobuf,
        forward_only: ForwardOnly::Flag,
        notes: &[
            "keys begin with tml-",
            "alpha of an adapter is twice its rank",
            "unknown fields of requests are refused",
            "requests are limited to 64 MB",
        ],
        ..PLAIN
    },
    BuiltIn {
        name: "miles",
        title: "Miles gateway",
        base_url: Some("http://localhost:10613"),
        start: &[
            "python examples/multi_lora/serve_qwen3_30b_a3b_tinker.py prepare",
            "python examples/multi_lora/serve_qwen3_30b_a3b_tinker.py serve",
        ],
        key: Some("KEY"),
        key_env: Some("TINKER_API_KEY"),
        wire: Wire::Protobuf,
        notes: &[
            "only sampler checkpoints can be sampled",
            "a failed pass ends the model",
            "checkpoints cannot expire, be copied, published or downloaded",
        ],
        ..PLAIN
    },
    BuiltIn {
        name: "tinker-cloud",
        title: "tinker-cloud",
        base_url: Some("http://localhost:8000"),
        key: Some("tml-dev-key"),
        key_env: Some("TINKER_API_KEY"),
        notes: &[
            "the key is tml-dev-key by default",
            "sparse tensors are refused",
        ],
        ..PLAIN
    },
    BuiltIn {
        name: "open-rl",
        title: "open-rl",
        base_url: Some("http://localhost:9003"),
        start: &["make server BASE_MODEL=MODEL SAMPLING_BACKEND=torch"],
        takes_folder: true,
        notes: &["sparse tensors, bf16 and images are refused"],
        ..PLAIN
    },
    BuiltIn {
        name: "verl",
        title: "verl-tinker",
        base_url: Some("http://localhost:8000"),
        start: &["python -m verl_tinker.start --config FILE"],
        takes_folder: true,
        key: Some("tml-KEY"),
        key_env: Some("TINKER_API_KEY"),
        wire: Wire::Json,
        forward_only: ForwardOnly::Url,
        inert: &[InertOption {
            option: "--rank",
            why: "the rank is set in the server's configuration; set it there",
            has_default: true,
        }],
        notes: &[
            "keys begin with tml",
            "an older version of a sampler is refused with a 409",
        ],
        ..PLAIN
    },
    BuiltIn {
        name: "twinkle",
        title: "Twinkle-kit 0.5",
        base_url: Some("http://localhost:8000"),
        start: &["ray start --head", "twinkle-server launch --config FILE"],
        takes_folder: true,
        key: Some("KEY"),
        key_env: Some("TINKER_API_KEY"),
        key_header: Some("twinkle-authorization"),
        wire: Wire::Json,
        forward_only: ForwardOnly::Url,
        path_scheme: Some("twinkle"),
        headers: &[
            (header::REQUEST_ID, "{request}"),
            ("serve_multiplexed_model_id", "{model}"),
        ],
        notes: &["checkpoint paths begin with twinkle://"],
        ..PLAIN
    },
    BuiltIn {
        name: "hosted-tinker",
        title: "hosted_tinker and other servers for SDK 0.12",
        base_url: Some("http://localhost:8000"),
        wire: Wire::Json,
        forward_only: ForwardOnly::Url,
        notes: &["client/config is missing"],
        ..PLAIN
    },
    BuiltIn {
        name: "arctic",
        title: "Arctic platform",
        base_url: Some("http://localhost:8112"),
        start: &["python -m arctic_platform.integrations.tinker.serve --model MODEL --port 8112"],
        takes_folder: true,
        wire: Wire::Json,
        inert: &[
            InertOption {
                option: "--rank",
                why: "the server trains all weights; leave the option out",
                has_default: true,
            },
            InertOption {
                option: "--train",
                why: "the server trains all weights; leave the option out",
                has_default: false,
            },
            InertOption {
                option: "--temperature",
                why: "the server samples at temperature 1.0 only; leave the option out",
                has_default: false,
            },
            InertOption {
                option: "--resume",
                why: "the server cannot resume a run; start a fresh one",
                has_default: false,
            },
        ],
        ..PLAIN
    },
    BuiltIn {
        name: "hatchery",
        title: "hatchery",
        base_url: Some("http://localhost:8420"),
        start: &["python -m hatchery.core.local_dev"],
        key: Some("dev"),
        key_env: Some("TINKER_API_KEY"),
        wire: Wire::Json,
        forward_only: ForwardOnly::Url,
        notes: &["the key is dev by default"],
        ..PLAIN
    },
];

impl BuiltIn {
    /// The row of a name.
    pub fn find(name: &str) -> Option<&'static Self> {
        BUILT_IN.iter().find(|row| row.name == name)
    }

    /// Port of its default address; `None` if that is the port of its scheme.
    pub fn port(&self) -> Option<u16> {
        let uri: http::Uri = self.base_url?.parse().ok()?;
        uri.port_u16()
    }

    /// The row as a profile.
    pub fn to_profile(&self) -> Profile {
        let text = |value: Option<&'static str>| value.map(str::to_owned);
        let headers = self.headers.iter();
        Profile {
            like: Some(self.name.to_owned()),
            base_url: text(self.base_url),
            key_env: text(self.key_env),
            key_header: text(self.key_header),
            wire: Some(self.wire),
            forward_only: Some(self.forward_only),
            official_form: Some(self.official_form),
            path_scheme: text(self.path_scheme),
            headers: headers
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..Profile::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_row_makes_a_configuration() {
        for (index, row) in BUILT_IN.iter().enumerate() {
            assert!(BUILT_IN[..index].iter().all(|other| other.name != row.name));
            assert!(row.inert.iter().all(|inert| inert.option.starts_with("--")));
            assert!(row.start.is_empty() || row.port().is_some());
            let config = row.to_profile().to_config().unwrap();
            assert_eq!(Some(config.base_url.as_str()), row.base_url);
            assert_eq!(config.has_official_form(), row.name == "hosted");
        }
    }
}
