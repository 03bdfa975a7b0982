//! Custom losses as graphs that a server executes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::wire::{endpoint, tagged, type_tag};
use crate::{LossId, SessionId};

type_tag!(CreateCustomLossTag, "create_custom_loss");

/// Uploads a custom loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CreateCustomLoss {
    /// Session of the loss.
    pub session_id: SessionId,
    /// Index among the custom losses of the session, from 0.
    pub custom_loss_seq_id: u64,
    /// Name of the loss.
    pub name: String,
    /// Inputs of the graph, `logprobs` first.
    pub inputs: Vec<GraphInput>,
    /// Computation for one datum.
    pub graph: Graph,
    #[serde(rename = "type", default)]
    tag: CreateCustomLossTag,
}

impl CreateCustomLoss {
    /// A loss with its graph.
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

tagged! {
    /// An uploaded loss.
    CustomLossCreated as CreateCustomLossTag {
        /// Id, to be given as `loss_id` of the loss `custom`.
        loss_id: LossId
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

/// Operations in execution order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Graph {
    /// Version of the format: 1.
    pub format: u32,
    /// The operations.
    pub nodes: Vec<GraphNode>,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GraphNode {
    /// Kind: `placeholder`, `call_function`, `call_method` or `output`.
    pub op: String,
    /// Name by which later nodes refer to it.
    pub name: String,
    /// Name of the parameter, function or method.
    pub target: String,
    /// Arguments. Constants stand for themselves, `{"ref": name}` is the value of another node.
    pub args: Vec<Value>,
    /// Named arguments.
    pub kwargs: BTreeMap<String, Value>,
}
