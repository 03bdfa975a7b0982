//! Sessions.

use tinker_types::{CreateSession, SessionId, SessionStatus};

use super::operations::Operations;
use crate::audit::Entry;
use crate::clock;
use crate::note::SessionNote;
use crate::refusal::Refusal;
use crate::state::{Absent, Full};
use crate::tenant::Tenant;

impl Operations {
    /// Opens a session.
    pub(crate) async fn create_session(
        &self,
        request: CreateSession,
        tenant: &Tenant,
    ) -> Result<SessionId, Refusal> {
        let most = self.limits.sessions;
        if self.registry().session_count() >= most {
            return Err(Full(format!(
                "{most} sessions are open, which is the most; finish one, or wait until one was silent for too long"
            ))
            .into());
        }
        // Run ids begin with the session's, and checkpoints outlive the process: an id must be new to the data folder.
        let id = self
            .archive
            .ask(|store| Ok(draw_session(|id| store.has_session(id))))
            .await?;
        self.registry().open(id.clone(), clock::now());
        let mut note = SessionNote::new(id.clone(), clock::calendar());
        note.tags = request.tags;
        note.user_metadata = request.user_metadata;
        note.project_id = request.project_id;
        note.display_name = request.display_name;
        note.owner = tenant.owner();
        self.catalog().add_session(note);
        let entry = Entry::new("session_created").with_detail("session_id", id.as_str());
        self.audit
            .note(entry.with_detail("sdk_version", request.sdk_version));
        Ok(id)
    }

    /// Whether a session belongs to a tenant. If only certain keys are accepted, unknown sessions belong to nobody.
    pub(crate) fn is_own(&self, tenant: &Tenant, session: &SessionId) -> bool {
        let owns = |note: &SessionNote| tenant.owns(note.owner.as_ref());
        tenant.is_anyone() || self.catalog().session(session).is_some_and(owns)
    }

    /// The tenant that a session belongs to.
    pub(super) fn tenant_of(&self, session: &SessionId) -> Result<Tenant, Refusal> {
        let owner = self
            .catalog()
            .session(session)
            .map(|note| note.owner.clone());
        let absent = || Refusal::absent("session", session.as_str(), Absent::Unknown);
        owner.map(Tenant::of_owner).ok_or_else(absent)
    }

    /// Notes a sign of life of a session.
    pub(crate) fn touch(&self, session: &SessionId) -> Result<(), Refusal> {
        let touched = self.registry().touch(session, clock::now());
        touched.map_err(|absent| Refusal::absent("session", session.as_str(), absent))
    }

    /// Ends a session and frees what belongs to it.
    pub(crate) fn end_session(&self, session: &SessionId, status: SessionStatus) {
        let ended = self.registry().end(session);
        self.forget(ended);
        self.audit
            .note(Entry::new("session_finished").with_detail("session_id", session.as_str()));
        self.change_session(session, |note| note.status = status);
    }

    /// Ends the sessions that have been silent for too long.
    pub(crate) fn end_silent_sessions(&self) {
        let silent = self
            .registry()
            .silent(clock::now(), self.limits.session_timeout);
        for session in silent {
            tracing::info!(%session, "the session ends: nothing was heard of it for too long");
            let detail = Some("nothing was heard of it for too long".to_owned());
            self.end_session(&session, SessionStatus::Cancelled { detail });
        }
    }
}

/// Draws an id for a session.
pub(super) fn draw_session(is_taken: impl Fn(&str) -> bool) -> SessionId {
    loop {
        let id = format!("s-{:012x}", fastrand::u64(..1 << 48));
        if !is_taken(&id) {
            return SessionId::from(id);
        }
    }
}
