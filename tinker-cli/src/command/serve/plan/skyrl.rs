//! The plan for SkyRL.

#![expect(clippy::doc_markdown, reason = "names of other projects")]

use serde_json::json;
use tinker_client::profile::BuiltIn;

use super::deployment::Deployment;
use super::outline::{Plan, Port, Step};
use crate::exit::Usage;
use crate::format::shell_word;

/// The parent of the server: its API refuses any other, and starts the engine with the same options.
const UV: &str = "uv run --extra tinker --extra fsdp";

/// Port on which Ray's machines find each other.
const RAY_PORT: u16 = 6379;

/// Commands of a checkout, with Ray over several machines.
pub(super) fn plan(deployment: &Deployment, server: &'static BuiltIn) -> Result<Plan, Usage> {
    let layout = deployment.layout;
    let model = deployment.model.clone();
    let port = deployment.port.or_else(|| server.port()).unwrap_or(80);
    // Training and sampling share the GPUs, so both use all of them.
    let backend = json!({
        "trainer.placement.colocate_all": true,
        "trainer.placement.policy_num_nodes": layout.nodes,
        "trainer.placement.policy_num_gpus_per_node": layout.gpus,
        "generator.inference_engine.num_engines": layout.copies(layout.gpus)?,
        "generator.inference_engine.tensor_parallel_size": layout.tensor_parallel,
    });
    let mut steps = vec![Step {
        purpose: "On every machine, get SkyRL and uv; `uv run` installs what is missing".to_owned(),
        commands: vec!["git clone https://github.com/NovaSky-AI/SkyRL && cd SkyRL".to_owned()],
    }];
    let mut ports = vec![Port {
        port,
        purpose: "API, for your clients; it accepts every key, so keep others out",
    }];
    if layout.nodes > 1 {
        steps.push(Step {
            purpose: "On the first machine, HEAD, start Ray".to_owned(),
            commands: vec![format!("{UV} ray start --head --port {RAY_PORT}")],
        });
        steps.push(Step {
            purpose: "On each other machine, join it".to_owned(),
            commands: vec![format!("{UV} ray start --address HEAD:{RAY_PORT}")],
        });
        ports.push(Port {
            port: RAY_PORT,
            purpose: "Ray, between the machines; Ray also uses random high ports there",
        });
    }
    steps.push(Step {
        purpose: "On HEAD, start the server".to_owned(),
        commands: vec![format!(
            "{UV} -m skyrl.tinker.api --base-model {} --backend fsdp --host 0.0.0.0 --port {port} --backend-config {}",
            shell_word(&model),
            shell_word(&backend.to_string()),
        )],
    });
    let mut notes = vec![
        "start it as written: the API accepts no other parent process than `uv run`".to_owned(),
        "checkpoints and the database that lists them must survive a restart: set --checkpoints-base and --database-url to \
         a disk that stays"
            .to_owned(),
    ];
    notes.extend(deployment.folder_note());
    Ok(Plan {
        server: server.name,
        title: server.title,
        model,
        gpus: Some(layout.total()),
        files: Vec::new(),
        steps,
        ports,
        notes,
    })
}
