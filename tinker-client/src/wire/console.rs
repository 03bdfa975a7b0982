//! Links to the hosted service's web console.
//!
//! The links do not depend on the base URL of a client.

use tinker_types::{CheckpointPath, ModelId, SessionId};
use url::form_urlencoded::byte_serialize;

const CONSOLE: &str = "https://tinker.thinkingmachines.ai";

/// The page with all sessions.
pub fn sessions() -> String {
    format!("{CONSOLE}/sessions")
}

/// The page of one session.
pub fn session(id: &SessionId) -> String {
    format!("{CONSOLE}/sessions/{id}")
}

/// The page of one training run.
pub fn training_run(id: &ModelId) -> String {
    format!("{CONSOLE}/training_runs/{id}")
}

/// The page of one checkpoint.
pub fn checkpoint(path: &CheckpointPath) -> String {
    let run = quote(path.run().as_str());
    format!("{CONSOLE}/checkpoints/{run}/{}", quote(&path.id()))
}

/// The playground of a checkpoint.
pub fn playground(path: &CheckpointPath) -> String {
    let path = quote(&path.to_string());
    format!("{CONSOLE}/playground?mode=checkpoint&checkpoint={path}")
}

/// The page of one API key, by its id.
pub fn key(id: u64) -> String {
    format!("{CONSOLE}/keys/{id}")
}

/// The page for creating an API key with this name.
pub fn new_key(name: &str) -> String {
    format!("{CONSOLE}/keys?new_key=true&key_name={}", quote(name))
}

/// Percent-encodes a segment for use in a path or a query. A space becomes `%20`: in a path, `+` means a plus.
fn quote(text: &str) -> String {
    byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_stays_one_segment() {
        let path: CheckpointPath = "tinker://s-1:train:0/sampler_weights/a b+c"
            .parse()
            .unwrap();
        assert_eq!(
            checkpoint(&path),
            "https://tinker.thinkingmachines.ai/checkpoints/s-1%3Atrain%3A0/sampler_weights%2Fa%20b%2Bc"
        );
        assert_eq!(
            playground(&path),
            "https://tinker.thinkingmachines.ai/playground?mode=checkpoint&checkpoint=tinker%3A%2F%2Fs-1%3Atrain%3A0%2Fsampler_weights%2Fa%20b%2Bc"
        );
        assert!(new_key("my laptop").ends_with("/keys?new_key=true&key_name=my%20laptop"));
        assert!(training_run(path.run()).ends_with("/training_runs/s-1:train:0"));
    }
}
