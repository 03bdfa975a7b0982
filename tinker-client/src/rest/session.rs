//! Sessions: lists, search, projects, traces.

use std::time::Duration;

use tinker_types::{
    AssignSessionProject, ExportSessionTrace, FoundSessions, GetSession, ListSessions,
    SearchSessions, SessionId, SessionInfo, SessionSummary, TraceExport,
};

use super::{PAGE, RestClient};
use crate::ask::{ask, call};
use crate::error::{Error, ExportFailed};
use crate::pages::Pages;

/// Time between two looks at an export.
const EXPORT_INTERVAL: Duration = Duration::from_secs(5);

impl RestClient {
    /// What belongs to a session: training runs, samplers, notes.
    ///
    #[doc = setup!(training)]
    /// let session = service.session_id().ok_or("no session")?;
    /// let info = service.rest().get_session(session).await?;
    /// assert_eq!(info.training_run_ids.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 404 for a session there is not, or that may not be read.
    pub async fn get_session(&self, id: &SessionId) -> Result<SessionInfo, Error> {
        let request = GetSession {
            session_id: id.clone(),
            access_scope: self.scope,
        };
        ask(&self.core, "RestClient.get_session", request).await
    }

    /// The ids of all sessions.
    ///
    #[doc = setup!(training)]
    /// let sessions = service.rest().sessions().all().await?;
    /// assert_eq!(Some(&sessions[0]), service.session_id());
    /// # Ok(())
    /// # }
    /// ```
    pub fn sessions(&self) -> Pages<SessionId> {
        let client = self.clone();
        Pages::by_offset(move |offset| {
            let client = client.clone();
            async move { Ok((client.list_sessions(PAGE, offset).await?, None)) }
        })
    }

    /// One page of session ids: at most `limit` after the first `offset`.
    ///
    #[doc = setup!(training)]
    /// let sessions = service.rest().list_sessions(10, 0).await?;
    /// assert_eq!(sessions.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// No answer, or one that refuses.
    pub async fn list_sessions(&self, limit: u64, offset: u64) -> Result<Vec<SessionId>, Error> {
        let request = ListSessions {
            limit,
            offset,
            access_scope: self.scope,
        };
        Ok(ask(&self.core, "RestClient.list_sessions", request)
            .await?
            .sessions)
    }

    /// All sessions that are as `query` says, from its `cursor` on; `limit` is the size of a page.
    /// Experimental on the hosted service.
    ///
    #[doc = setup!(training)]
    /// let found = service.rest().search_sessions(Default::default()).all().await?;
    /// assert_eq!(Some(&found[0].session_id), service.session_id());
    /// # Ok(())
    /// # }
    /// ```
    pub fn search_sessions(&self, query: SearchSessions) -> Pages<SessionSummary> {
        let client = self.clone();
        Pages::new(query, move |query| {
            let client = client.clone();
            async move {
                let page = client.search_sessions_page(query.clone()).await?;
                let next = page
                    .next_cursor
                    .filter(|next| query.cursor.as_ref() != Some(next));
                let next = next.map(|cursor| {
                    let mut query = query;
                    query.cursor = Some(cursor);
                    query
                });
                Ok((page.sessions, next))
            }
        })
    }

    /// One page of a search.
    ///
    #[doc = setup!(training)]
    /// let page = service.rest().search_sessions_page(Default::default()).await?;
    /// assert_eq!(page.sessions.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A query that the server does not take.
    pub async fn search_sessions_page(
        &self,
        query: SearchSessions,
    ) -> Result<FoundSessions, Error> {
        ask(&self.core, "RestClient.search_sessions", query).await
    }

    /// Books a session on a project. It cannot be booked on none again.
    ///
    #[doc = setup!(training)]
    /// let session = service.session_id().ok_or("no session")?;
    /// service.rest().assign_session_project(session, "mine").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 404 for a session or a project there is not.
    pub async fn assign_session_project(
        &self,
        id: &SessionId,
        project_id: impl Into<String>,
    ) -> Result<(), Error> {
        let request = AssignSessionProject {
            session_id: id.clone(),
            project_id: project_id.into(),
        };
        let link = self.core.link().await?;
        let call = call::<AssignSessionProject>("RestClient.assign_session_project");
        let answer = Box::pin(link.api.call_void(&request, call)).await;
        self.core.news().outcome(answer)
    }

    /// Has a trace of a session made and waits for it, however long that takes. Gives a signed URL,
    /// valid for about an hour, of a file in Perfetto's format.
    ///
    /// Dropping the future ends the wait; the server goes on, and the next call finds its work.
    ///
    #[doc = setup!(training)]
    /// let session = service.session_id().ok_or("no session")?;
    /// let url = service.rest().export_session_trace(session).await?;
    /// assert!(url.starts_with("http"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Export`] when the server could not make the trace.
    pub async fn export_session_trace(&self, id: &SessionId) -> Result<String, Error> {
        let request = ExportSessionTrace {
            session_id: id.clone(),
        };
        loop {
            match ask(
                &self.core,
                "RestClient.export_session_trace",
                request.clone(),
            )
            .await?
            {
                TraceExport::Ready { url } => return Ok(url),
                TraceExport::Failed { error } => {
                    return Err(ExportFailed::new(id.clone(), error).into());
                }
                TraceExport::Pending => tokio::time::sleep(EXPORT_INTERVAL).await,
            }
        }
    }
}
