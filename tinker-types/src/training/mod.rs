//! Training: models, losses, optimizers, passes and steps.

mod check;
mod graph;
mod lora;
mod loss;
mod model;
mod optimizer;
mod pass;

pub use graph::{CreateCustomLoss, CustomLossCreated, Graph, GraphInput, GraphNode};
pub use lora::LoraConfig;
pub use loss::{Loss, LossFn, LossInput, LossValue};
pub use model::{CreateModel, GetInfo, ModelCreated, ModelData, ModelInfo, UnloadModel};
pub use optimizer::{AdamParams, DimuonParams, OptimParams, OptimizerConfig, UnknownOptimizer};
pub use pass::{ForwardBackward, ForwardBackwardOutput, OptimStep, OptimStepOutput};
