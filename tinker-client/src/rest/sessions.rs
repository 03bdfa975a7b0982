//! `SessionClient`: sessions and their samplers.

use std::sync::Arc;

use tinker_types::{
    AccessScope, AssignSessionProject, FoundSessions, GetSampler, GetSession, ListSessions,
    SamplerInfo, SamplingSessionId, SearchSessions, SessionId, SessionInfo, SessionSummary,
};

use crate::error::Error;
use crate::rest::{list_options::ListOptions, pages::Pages};
use crate::service::client::ServiceClient;
use crate::session::ask::{ask, ask_void};
use crate::session::state::ClientState;

/// Reads sessions, searches them, assigns them to projects, exports their traces.
///
/// Get one from [`ServiceClient::sessions`]. Opens no session. Cheap to clone. Methods are plain futures: nothing is
/// sent before they are polled, and dropping one abandons the request.
#[derive(Debug, Clone)]
pub struct SessionClient {
    pub(super) state: Arc<ClientState>,
    scope: AccessScope,
}

impl ServiceClient {
    /// The sessions that the server keeps. Works after [`close`](Self::close), too.
    ///
    #[doc = setup!(training)]
    /// let session = service.session_id().ok_or("no session")?;
    /// let info = service.sessions().get(&session).await?;
    /// assert_eq!(info.training_run_ids.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn sessions(&self) -> SessionClient {
        SessionClient {
            state: Arc::clone(self.state()),
            scope: AccessScope::default(),
        }
    }
}

impl SessionClient {
    tinker_types::setters! {
        /// Sets which sessions are visible: those of the caller (the default) or all that the key may read.
        with_access_scope(scope: AccessScope) => scope = scope;
    }

    /// The ids of all sessions, as a stream.
    ///
    #[doc = setup!(training)]
    /// let sessions = service.sessions().list(Default::default()).all().await?;
    /// assert_eq!(Some(&sessions[0]), service.session_id().as_ref());
    /// # Ok(())
    /// # }
    /// ```
    pub fn list(&self, options: ListOptions) -> Pages<SessionId> {
        Pages::list(self, options, |client, options| async move {
            Ok((client.page(options).await?, None))
        })
    }

    /// One page of [`list`](Self::list).
    ///
    #[doc = setup!(training)]
    /// let sessions = service.sessions().page(Default::default()).await?;
    /// assert_eq!(sessions.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A project id in the options, before anything is sent. No answer, or an error status.
    pub async fn page(&self, options: ListOptions) -> Result<Vec<SessionId>, Error> {
        let (limit, offset) = options.without_project()?;
        let request = ListSessions {
            limit,
            offset,
            access_scope: self.scope,
        };
        let answer = ask(&self.state, "RestClient.list_sessions", request);
        Ok(answer.await?.sessions)
    }

    /// The training runs, samplers and metadata of a session.
    ///
    /// # Errors
    /// 404 if the session does not exist or is not readable.
    pub async fn get(&self, id: &SessionId) -> Result<SessionInfo, Error> {
        let request = GetSession {
            session_id: id.clone(),
            access_scope: self.scope,
        };
        ask(&self.state, "RestClient.get_session", request).await
    }

    /// The base model and checkpoint of a sampler.
    ///
    #[doc = setup!(sampling)]
    /// let sampler = service.sessions().sampler(&sampling.sampler_id()).await?;
    /// assert_eq!(sampler.sampler_id, sampling.sampler_id());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 404 if the sampler does not exist.
    pub async fn sampler(&self, id: &SamplingSessionId) -> Result<SamplerInfo, Error> {
        let request = GetSampler::new(id.clone());
        ask(&self.state, "RestClient.get_sampler", request).await
    }

    /// The sessions that match `query`, from its `cursor` on, as a stream; its `limit` is the page size. Experimental
    /// on the hosted service.
    ///
    #[doc = setup!(training)]
    /// let found = service.sessions().search(Default::default()).all().await?;
    /// assert_eq!(Some(&found[0].session_id), service.session_id().as_ref());
    /// # Ok(())
    /// # }
    /// ```
    pub fn search(&self, query: SearchSessions) -> Pages<SessionSummary> {
        let client = self.clone();
        let fetch = move |query| {
            let client = client.clone();
            async move {
                let page = client.search_page(query).await?;
                Ok((page.sessions, page.next_cursor))
            }
        };
        Pages::search(query, |query| &mut query.cursor, fetch)
    }

    /// One page of [`search`](Self::search).
    ///
    #[doc = setup!(training)]
    /// let page = service.sessions().search_page(Default::default()).await?;
    /// assert_eq!(page.sessions.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A query that the server refuses.
    pub async fn search_page(&self, query: SearchSessions) -> Result<FoundSessions, Error> {
        ask(&self.state, "RestClient.search_sessions", query).await
    }

    /// Assigns a session to a project. The assignment can be changed, but not removed.
    ///
    #[doc = setup!(training)]
    /// let session = service.session_id().ok_or("no session")?;
    /// service.sessions().assign_project(&session, "mine").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 404 if the session or the project does not exist.
    pub async fn assign_project(
        &self,
        id: &SessionId,
        project_id: impl Into<String>,
    ) -> Result<(), Error> {
        let request = AssignSessionProject {
            session_id: id.clone(),
            project_id: project_id.into(),
        };
        let method = "RestClient.assign_session_project";
        ask_void(&self.state, method, request).await
    }
}
