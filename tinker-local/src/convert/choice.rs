//! Choice of the training pass for a request.

use std::sync::Arc;

use tinker_engine::backend::BaseModelInfo;
use tinker_types::{ForwardBackward, InvalidValue, LossId};

use super::loss::{Objective, objective};
use super::pass::Pass;
use super::{custom, datum, gspo};
use crate::graph::CustomLoss;

/// The pass for a request, checked against the model. `custom_loss` finds an uploaded loss.
pub(crate) fn pass(
    request: &ForwardBackward,
    model: &BaseModelInfo,
    custom_loss: impl FnOnce(&LossId) -> Result<Arc<CustomLoss>, InvalidValue>,
) -> Result<Pass, InvalidValue> {
    let (data, forward_only) = (&request.data[..], request.forward_only);
    let objective = objective(&request.loss)?;
    request.loss.check(data)?;
    match objective {
        Objective::Direct(kind) => Ok(Pass {
            batch: datum::batch(data, kind, forward_only, model)?,
            surrogate: None,
        }),
        Objective::Gspo { low, high } => gspo::pass(data, (low, high), forward_only, model),
        Objective::Custom(id) => custom::pass(data, custom_loss(&id)?, forward_only, model),
    }
}
