//! Registration of a custom loss with a session.

use std::sync::Arc;

use tinker_transport::Class;
use tinker_types::{CreateCustomLoss, CustomLossCreated, InvalidValue, LossId, SessionId};
use tokio::time::Instant;

use super::graph::LossGraph;
use super::handle::LossHandle;
use super::registry::Registration;
use crate::error::Error;
use crate::operation::{group::Group, pending::Pending, tracker::Tracker, waiting::WaitingFor};
use crate::promise::record::Promise;
use crate::session::{connection::Connection, lost, record::Session, state::ClientState};
use crate::wire::request::repeatable;

/// Registers a loss with the session, and uploads it if the server runs custom losses.
pub(crate) fn create(state: &Arc<ClientState>, loss: LossGraph) -> Pending<LossHandle> {
    let (graph, inputs) = match loss.graph().and_then(|graph| Ok((graph, loss.inputs()?))) {
        Ok(written) => written,
        Err(error) => return Pending::refused(error.within(format!("loss {}", loss.name()))),
    };
    if let Err(error) = state.check_open() {
        return Pending::refused(error);
    }
    let session = state.session();
    let registration = match session.losses.add(loss.name(), &inputs, &graph) {
        Ok(registration) => registration,
        Err(error) => return Pending::refused(error),
    };
    let state = Arc::clone(state);
    let group = Group::new(format!("upload of loss {}", loss.name()), state.events());
    let tracker = Tracker::new(
        "ServiceClient.create_custom_loss",
        &group,
        WaitingFor::Session,
    );
    Pending::detached(tracker.clone(), async move {
        let request = |session: SessionId, number| {
            CreateCustomLoss::new(session, number, loss.name(), inputs, graph)
        };
        match upload((&state, &session), &loss, &registration, request, &tracker).await {
            Ok((session, id)) => Ok(LossHandle::new(session, Arc::new(loss), id)),
            Err(error) => {
                session.losses.forget(&registration);
                Err(error)
            }
        }
    })
}

async fn upload(
    (state, session): (&ClientState, &Arc<Session>),
    loss: &LossGraph,
    registration: &Registration,
    request: impl FnOnce(SessionId, u64) -> CreateCustomLoss,
    tracker: &Tracker,
) -> Result<(SessionId, Option<LossId>), Error> {
    let (id, connection) = state.open(session).await?;
    if !connection.flags.fixed().custom_loss_server_side {
        if loss.is_written() {
            return Ok((id.clone(), None));
        }
        let why = "is a graph, which only a server can run, and this server does not run custom losses; write it as an Expr";
        return Err(InvalidValue::new("loss", why).into());
    }
    let request = request(id.clone(), registration.number);
    match submit(connection, &request, tracker).await {
        Ok(loss) => Ok((id.clone(), Some(loss))),
        Err(error) => Err(lost::explained(session, connection, error).await),
    }
}

async fn submit(
    connection: &Arc<Connection>,
    request: &CreateCustomLoss,
    tracker: &Tracker,
) -> Result<LossId, Error> {
    let started = Instant::now();
    tracker.set(WaitingFor::Acceptance);
    let call = tracker.identify(repeatable::<CreateCustomLoss>(Class::Train));
    let submitted = Box::pin(connection.api.call(request, call)).await?;
    let created: CustomLossCreated = Promise::of::<CreateCustomLoss>(submitted, started)
        .resolve(connection, tracker)
        .await?;
    Ok(created.loss_id)
}
