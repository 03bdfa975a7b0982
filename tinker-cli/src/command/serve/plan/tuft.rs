//! The plan for `TuFT`.

use serde_json::json;
use tinker_client::profile::BuiltIn;

use super::deployment::Deployment;
use super::outline::{File, Plan, Port, Step};
use crate::exit::Usage;

/// Name of the configuration file.
const FILE: &str = "tuft.yaml";

/// A configuration file and the start command.
pub(super) fn plan(deployment: &Deployment, server: &'static BuiltIn) -> Result<Plan, Usage> {
    let layout = deployment.layout;
    if layout.nodes > 1 {
        let message = "TuFT is documented for one machine; leave out --nodes, or plan for skyrl";
        return Err(Usage(message.to_owned()));
    }
    let model = deployment.model.clone();
    let port = deployment.port.or_else(|| server.port()).unwrap_or(80);
    let mut settings = json!({
        "model_name": &deployment.name,
        "model_path": &model,
        "max_model_len": 32768,
        "max_lora_rank": 32,
        "max_loras": 4,
    });
    let mut notes = vec![
        "max_model_len is the longest sequence; set it to at most the model's own limit".to_owned(),
        "replace tml-CHOOSE-A-KEY".to_owned(),
    ];
    if layout.gpus == 1 {
        if layout.tensor_parallel > 1 {
            let message = "--tensor-parallel needs more than one GPU; give --gpus";
            return Err(Usage(message.to_owned()));
        }
        settings["colocate"] = true.into();
        notes.push(
            "training and sampling share the GPU, which TuFT recommends for tests only".to_owned(),
        );
    } else {
        // Half of the GPUs train, the others sample.
        let training = layout.gpus / 2;
        let sampling = layout.gpus - training;
        settings["tensor_parallel_size"] = layout.tensor_parallel.into();
        settings["data_parallel_size"] = layout.copies(sampling)?.into();
        if training > 1 {
            settings["training_backend"] = "fsdp".into();
            settings["fsdp_num_gpus"] = training.into();
        }
        notes.push(format!("{training} of the GPUs train, {sampling} sample"));
    }
    notes.extend(deployment.folder_note());
    let config = json!({
        "checkpoint_dir": "/var/lib/tuft/checkpoints",
        "authorized_users": {"tml-CHOOSE-A-KEY": "me"},
        "supported_models": [settings],
        "persistence": {"mode": "FILE", "file_path": "/var/lib/tuft/state.json"},
    });
    Ok(Plan {
        server: server.name,
        title: server.title,
        model,
        gpus: Some(layout.total()),
        files: vec![File {
            name: FILE,
            // JSON is a subset of YAML.
            text: serde_json::to_string_pretty(&config)
                .map_err(|error| Usage(format!("the configuration cannot be written: {error}")))?,
        }],
        steps: vec![
            Step {
                purpose: "In a new environment of Python 3.12, install TuFT".to_owned(),
                commands: vec!["uv pip install 'tuft[backend,persistence]'".to_owned()],
            },
            Step {
                purpose: "Start the server".to_owned(),
                commands: vec![format!(
                    "tuft launch --host 0.0.0.0 --port {port} --config {FILE}"
                )],
            },
        ],
        ports: vec![Port {
            port,
            purpose: "API, for your clients",
        }],
        notes,
    })
}
