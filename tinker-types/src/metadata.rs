//! Metadata in responses.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Reads metadata as texts. Sessions and runs are created with values of any kind, which some servers return as they are;
/// such a value is read as its JSON text.
pub(crate) fn texts<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<BTreeMap<String, String>>, D::Error> {
    let values = Option::<BTreeMap<String, Value>>::deserialize(deserializer)?;
    let text = |value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let texts = |values: BTreeMap<String, Value>| {
        let entries = values.into_iter().map(|(key, value)| (key, text(value)));
        entries.collect()
    };
    Ok(values.map(texts))
}

#[cfg(test)]
mod tests {
    use crate::{Checkpoint, SessionInfo, SessionSummary, TrainingRun};

    /// A list with one such run would otherwise not be readable at all.
    #[test]
    fn values_of_any_kind_are_read_as_texts() {
        let metadata = r#""user_metadata": {"a": "b", "n": 7, "x": {"y": [true, null]}}"#;
        let run = format!(
            r#"{{"training_run_id": "s:train:0", "base_model": "m", "model_owner": "o", "is_lora": true,
                "last_request_time": "2026-01-02T03:04:05Z", {metadata}}}"#
        );
        let session = format!(r#"{{"training_run_ids": [], "sampler_ids": [], {metadata}}}"#);
        let summary = format!(
            r#"{{"session_id": "s", "created_at": "2026-01-02T03:04:05Z", "owner": "o", "project_id": "p",
                "checkpoints_count": 0, {metadata}}}"#
        );
        let checkpoint = format!(
            r#"{{"checkpoint_id": "weights/a", "checkpoint_type": "training", "time": "2026-01-02T03:04:05Z",
                "tinker_path": "tinker://s:train:0/weights/a", {metadata}}}"#
        );
        let read = [
            serde_json::from_str::<TrainingRun>(&run)
                .unwrap()
                .user_metadata,
            serde_json::from_str::<SessionInfo>(&session)
                .unwrap()
                .user_metadata,
            serde_json::from_str::<SessionSummary>(&summary)
                .unwrap()
                .user_metadata,
            serde_json::from_str::<Checkpoint>(&checkpoint)
                .unwrap()
                .user_metadata,
        ];
        for metadata in read {
            let metadata = metadata.unwrap();
            assert_eq!(metadata["a"], "b");
            assert_eq!(metadata["n"], "7");
            assert_eq!(metadata["x"], r#"{"y":[true,null]}"#);
        }
        let none = session.replace(r#"{"a": "b", "n": 7, "x": {"y": [true, null]}}"#, "null");
        let none: SessionInfo = serde_json::from_str(&none).unwrap();
        assert_eq!(none.user_metadata, None);
    }
}
