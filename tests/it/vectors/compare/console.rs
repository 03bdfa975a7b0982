//! Addresses of console pages.

use serde_json::{Value, json};
use tinker_client::{CheckpointPath, console};

use crate::vectors::outcome::Outcome;
use crate::vectors::replay::Replay;

/// Fields of recorded results that are such addresses.
pub(super) const FIELDS: [&str; 4] = [
    "console_url",
    "sampler_console",
    "playground",
    "run_console",
];

/// The pages of the created objects, by field name.
pub(super) fn compare(recorded: &Value, replay: &Replay) -> Result<(), String> {
    for field in FIELDS {
        let Some(expected) = recorded.get(field) else {
            continue;
        };
        let ours = match field {
            "run_console" => run(replay),
            "console_url" => {
                saved(replay, "SaveWeightsResponse")?.map(|path| console::checkpoint(&path))
            }
            "sampler_console" => saved(replay, SAMPLER)?.map(|path| console::checkpoint(&path)),
            _ => saved(replay, SAMPLER)?.map(|path| console::playground(&path)),
        };
        if json!(ours) != *expected {
            return Err(format!("{field}: expected {expected}, is {ours:?}"));
        }
    }
    Ok(())
}

const SAMPLER: &str = "SaveWeightsForSamplerResponse";

fn run(replay: &Replay) -> Option<String> {
    replay
        .outcomes
        .iter()
        .find_map(|(_, outcome)| match outcome {
            Outcome::Model(client) => Some(client.console_url()),
            _ => None,
        })
}

/// The first checkpoint that a call of this kind saved.
fn saved(replay: &Replay, wanted: &str) -> Result<Option<CheckpointPath>, String> {
    let path = replay
        .outcomes
        .iter()
        .find_map(|(_, outcome)| match outcome {
            Outcome::Value { class, value } if *class == wanted => value["path"].as_str(),
            _ => None,
        });
    let path = path.map(|path| path.parse().map_err(|error| format!("{path}: {error}")));
    path.transpose()
}
