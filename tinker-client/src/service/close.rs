//! End of a session.

use std::time::Duration;

use http::StatusCode;
use tinker_transport::Class;
use tinker_transport::policy::Standard;
use tinker_types::{FinishReason, FinishSession, SessionId};

use super::client::ServiceClient;
use crate::error::Error;
use crate::session::connection::Connection;
use crate::session::{lease, record::Session};
use crate::wire::request::repeatable;

/// Time limit for reporting the end of a session, so that a program that ends does not hang.
const FINISH_LIMIT: Duration = Duration::from_secs(10);

impl ServiceClient {
    /// Ends the session. All clients of the session refuse further work; operations in flight are not awaited. Sends
    /// nothing if no session was opened or the server knows its end already.
    ///
    /// If the future is dropped the clients are closed; another call then reports the end to the server.
    ///
    #[doc = setup!(sampling)]
    /// use tinker_client::{FinishReason, ModelInput, SamplingParams};
    ///
    /// service.close(FinishReason::Success).await?;
    /// let late = sampling.sample(ModelInput::from_tokens([1]), SamplingParams::default()).await;
    /// assert!(late.is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The server could not be reached within ten seconds. The clients are closed anyway, and the server ends the session
    /// when the heartbeats stop.
    pub async fn close(&self, reason: FinishReason) -> Result<(), Error> {
        Box::pin(self.finish(reason, None)).await
    }

    /// Like [`close`](Self::close), with a detail for the server.
    ///
    #[doc = setup!(sampling)]
    /// use tinker_client::FinishReason;
    ///
    /// service.close_with_detail(FinishReason::Success, "all epochs done").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`close`](Self::close).
    pub async fn close_with_detail(
        &self,
        reason: FinishReason,
        detail: impl Into<String>,
    ) -> Result<(), Error> {
        Box::pin(self.finish(reason, Some(detail.into()))).await
    }

    async fn finish(&self, reason: FinishReason, detail: Option<String>) -> Result<(), Error> {
        self.state.close();
        let session = self.state.latest_session();
        let (Some(id), Some(connection)) = (session.id(), self.state.opened_connection()) else {
            return Ok(());
        };
        if session.end().is_some() {
            return Ok(());
        }
        let report = || self.report_finish((&session, id), connection, reason, detail);
        session.finished.get_or_try_init(report).await?;
        Ok(())
    }

    async fn report_finish(
        &self,
        (session, id): (&Session, &SessionId),
        connection: &Connection,
        reason: FinishReason,
        detail: Option<String>,
    ) -> Result<(), Error> {
        let mut request = FinishSession::new(id.clone(), reason);
        request.detail = detail;
        let call = repeatable::<FinishSession>(Class::Session)
            .with_caller("ServiceClient.close")
            .with_policy(Standard::new().with_time_limit(FINISH_LIMIT));
        let reported = match connection.api.call_void(&request, call).await {
            // Servers without this route end a session when its heartbeats stop, and some keep its models even then.
            Err(Error::Status(error)) if matches!(error.status().as_u16(), 404 | 405 | 501) => {
                lease::unload_all(session, connection).await;
                Ok(())
            }
            // A session that is gone has ended, possibly by an earlier attempt whose answer was lost. Its end releases its
            // models.
            Err(Error::Status(error)) if error.status() != StatusCode::GONE => Err(error.into()),
            Ok(()) | Err(Error::Status(_)) => {
                session.forget_models();
                Ok(())
            }
            result => result,
        };
        if let Some(telemetry) = self.state.events().telemetry() {
            telemetry.flush().await;
        }
        reported
    }
}
