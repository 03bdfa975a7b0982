//! Custom losses as graphs the server can run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::wire::{endpoint, type_tag};
use crate::{LossId, SessionId};

type_tag!(CreateCustomLossTag, "create_custom_loss");

/// Uploads a custom loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CreateCustomLoss {
    /// The session it belongs to.
    pub session_id: SessionId,
    /// Position among the session's custom losses, from 0.
    pub custom_loss_seq_id: u64,
    /// Its name.
    pub name: String,
    /// Its inputs, `logprobs` first.
    pub inputs: Vec<GraphInput>,
    /// What it computes for one datum.
    pub graph: Graph,
    #[serde(rename = "type", default)]
    tag: CreateCustomLossTag,
}

impl CreateCustomLoss {
    /// A loss by its graph.
    pub fn new(
        session_id: SessionId,
        custom_loss_seq_id: u64,
        name: &str,
        inputs: Vec<GraphInput>,
        graph: Graph,
    ) -> Self {
        Self {
            session_id,
            custom_loss_seq_id,
            name: name.to_owned(),
            inputs,
            graph,
            tag: CreateCustomLossTag::Tag,
        }
    }
}

endpoint!(CreateCustomLoss => promise of CustomLossCreated, "create_custom_loss", CreateCustomLoss);

/// An uploaded loss.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CustomLossCreated {
    /// Its id, to be given as `loss_id` of the loss `custom`.
    pub loss_id: LossId,
    #[serde(rename = "type", default)]
    tag: CreateCustomLossTag,
}

impl CustomLossCreated {
    /// The answer for a loss.
    pub fn new(loss_id: LossId) -> Self {
        Self {
            loss_id,
            tag: CreateCustomLossTag::Tag,
        }
    }
}

/// An input of a graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GraphInput {
    /// Key in `loss_fn_inputs`, or `logprobs`.
    pub name: String,
    /// Number of dimensions, 0 to 2.
    pub rank: u8,
}

/// Operations in the order they run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Graph {
    /// Version of the form: 1.
    pub format: u32,
    /// The operations.
    pub nodes: Vec<GraphNode>,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GraphNode {
    /// `placeholder`, `call_function`, `call_method` or `output`.
    pub op: String,
    /// Its name, by which later nodes refer to it.
    pub name: String,
    /// What it does: a parameter's, a function's or a method's name.
    pub target: String,
    /// Its arguments. Constants stand for themselves, `{"ref": name}` is another node's value.
    pub args: Vec<Value>,
    /// Its named arguments.
    pub kwargs: BTreeMap<String, Value>,
}
