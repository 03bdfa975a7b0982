//! Making a loss known to a session.

use std::sync::Arc;

use tinker_transport::{Call, Class, Replay};
use tinker_types::{
    CreateCustomLoss, CustomLossCreated, Endpoint, InvalidValue, LossId, SessionId,
};
use tokio::time::Instant;

use super::registry::Place;
use super::{LossGraph, LossHandle};
use crate::board::Board;
use crate::core::Core;
use crate::error::Error;
use crate::line::Line;
use crate::link::Link;
use crate::pending::Pending;
use crate::promise::Promise;
use crate::waiting::WaitingFor;

/// Gives a loss its place in the session, and uploads it where the server runs it.
pub(crate) fn create(core: &Arc<Core>, loss: LossGraph) -> Pending<LossHandle> {
    let (graph, inputs) = match loss.graph().and_then(|graph| Ok((graph, loss.inputs()?))) {
        Ok(written) => written,
        Err(error) => return Pending::refused(error.within(format!("loss {}", loss.name()))),
    };
    if let Err(error) = core.check_open() {
        return Pending::refused(error);
    }
    let place = match core.losses.add(loss.name(), &inputs, &graph) {
        Ok(place) => place,
        Err(error) => return Pending::refused(error),
    };
    let core = Arc::clone(core);
    let line = Line::new(format!("upload of loss {}", loss.name()), core.news());
    let board = Board::new(
        "ServiceClient.create_custom_loss",
        &line,
        WaitingFor::Session,
    );
    Pending::detached(board.clone(), async move {
        let request = |session: SessionId, number| {
            CreateCustomLoss::new(session, number, loss.name(), inputs, graph)
        };
        match upload(&core, &loss, &place, request, &board).await {
            Ok((session, id)) => Ok(LossHandle::new(session, Arc::new(loss), id)),
            Err(error) => {
                core.losses.forget(&place);
                Err(error)
            }
        }
    })
}

async fn upload(
    core: &Arc<Core>,
    loss: &LossGraph,
    place: &Place,
    request: impl FnOnce(SessionId, u64) -> CreateCustomLoss,
    board: &Board,
) -> Result<(SessionId, Option<LossId>), Error> {
    let (session, link) = core.session().await?;
    let session = session.clone();
    if !link.flags.fixed().custom_loss_server_side {
        if loss.is_written() {
            return Ok((session, None));
        }
        let why = "is a given graph, which only a server can run, and this one runs no losses of others; write it as an Expr";
        return Err(InvalidValue::new("loss", why).into());
    }
    let request = request(session.clone(), place.number);
    let id = submit(link, &request, board).await?;
    Ok((session, Some(id)))
}

async fn submit(
    link: &Arc<Link>,
    request: &CreateCustomLoss,
    board: &Board,
) -> Result<LossId, Error> {
    let started = Instant::now();
    board.set(WaitingFor::Acceptance);
    let call = Call::new(CreateCustomLoss::NAME, Class::Train)
        .with_caller(board.method())
        .with_replay(Replay::Safe);
    let submitted = Box::pin(link.api.call(request, call)).await?;
    let created: CustomLossCreated = Promise::of::<CreateCustomLoss>(submitted, started)
        .resolve(link, board)
        .await?;
    Ok(created.loss_id)
}
