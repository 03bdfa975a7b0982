//! The end of a session.

use std::time::Duration;

use http::StatusCode;
use tinker_transport::policy::Standard;
use tinker_transport::{Call, Class, Replay};
use tinker_types::{Endpoint, FinishReason, FinishSession, SessionId};

use super::ServiceClient;
use crate::error::Error;
use crate::link::Link;

/// How long to go on telling the server that a session is over: a program that ends must not hang.
const FAREWELL: Duration = Duration::from_secs(10);

impl ServiceClient {
    /// Ends the session. Every client made from it refuses further work; operations under way are
    /// not waited for. Sends nothing if there never was a session, or if the server knows already
    /// that it is over.
    ///
    /// Dropping the future leaves the clients closed; another call then tells the server.
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
    /// The server could not be told within ten seconds. The clients are closed all the same, and the
    /// server ends the session itself when heartbeats stay away.
    pub async fn close(&self, reason: FinishReason) -> Result<(), Error> {
        Box::pin(self.finish(reason, None)).await
    }

    /// The same, with more to say about it.
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
        let is_ours = self.core.close();
        let (Some(session), Some(link)) = (self.core.opened_session(), self.core.opened_link())
        else {
            return Ok(());
        };
        if !is_ours {
            return Ok(());
        }
        let tell = || self.tell(session, link, reason, detail);
        self.core.farewell.get_or_try_init(tell).await?;
        Ok(())
    }

    async fn tell(
        &self,
        session: &SessionId,
        link: &Link,
        reason: FinishReason,
        detail: Option<String>,
    ) -> Result<(), Error> {
        let mut request = FinishSession::new(session.clone(), reason);
        request.detail = detail;
        let call = Call::new(FinishSession::NAME, Class::Session)
            .with_caller("ServiceClient.close")
            .with_replay(Replay::Safe)
            .with_policy(Standard::new().with_time_limit(FAREWELL));
        let told = match link.api.call_void(&request, call).await {
            // Servers without this route end a session when its heartbeats stay away. One that is over
            // may be so by an earlier try, whose answer was lost or not waited for.
            Err(Error::Status(error))
                if matches!(error.status(), StatusCode::NOT_FOUND | StatusCode::GONE) =>
            {
                Ok(())
            }
            result => result,
        };
        if let Some(telemetry) = self.core.news().telemetry() {
            telemetry.flush().await;
        }
        told
    }
}
