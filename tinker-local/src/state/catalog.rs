//! Sessions and runs for lists, including those that have ended.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tinker_types::{ModelId, SamplingSessionId, SessionId, SessionStatus};

use crate::clock;
use crate::note::{Origin, RunNote, SessionNote};

/// Most sessions kept; beyond it the oldest ended ones are dropped with their runs.
const KEPT: usize = 10_000;

/// Most runs kept; beyond it the least recently used one is dropped.
const RUNS: usize = 20_000;

/// Most samplers listed for one session; beyond it the oldest are dropped.
const SAMPLERS: usize = 1000;

/// Sessions and runs of this process, and those of earlier ones that left checkpoints.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    sessions: BTreeMap<SessionId, SessionNote>,
    runs: BTreeMap<ModelId, RunNote>,
}

impl Catalog {
    /// A catalog of the runs that are stored beside checkpoints.
    pub(crate) fn of(origins: Vec<Origin>) -> Self {
        let mut catalog = Self::default();
        for Origin { run, session } in origins {
            catalog
                .sessions
                .entry(session.id.clone())
                .or_insert(session);
            catalog.runs.insert(run.id.clone(), run);
        }
        catalog
    }

    pub(crate) fn add_session(&mut self, session: SessionNote) {
        self.sessions.insert(session.id.clone(), session);
        while self.sessions.len() > KEPT {
            let oldest = self
                .sessions
                .values()
                .filter(|session| session.status != SessionStatus::Active)
                .min_by_key(|session| session.created)
                .map(|session| session.id.clone());
            let Some(oldest) = oldest else { return };
            self.sessions.remove(&oldest);
            self.runs.retain(|id, _| id.session() != oldest);
        }
    }

    pub(crate) fn add_run(&mut self, run: RunNote) {
        self.runs.insert(run.id.clone(), run);
        if self.runs.len() > RUNS
            && let Some(oldest) = self.runs.values().min_by_key(|run| run.last_request)
        {
            let oldest = oldest.id.clone();
            self.runs.remove(&oldest);
        }
    }

    /// Records a use of a run.
    pub(crate) fn touch_run(&mut self, id: &ModelId) {
        if let Some(run) = self.runs.get_mut(id) {
            run.last_request = clock::calendar();
        }
    }

    /// Changes a run, if it is known.
    pub(crate) fn change_run(&mut self, id: &ModelId, change: impl FnOnce(&mut RunNote)) {
        self.runs.get_mut(id).map(change);
    }

    pub(crate) fn add_sampler(&mut self, id: SamplingSessionId) {
        if let Some(session) = self.sessions.get_mut(&id.session()) {
            if session.samplers.len() == SAMPLERS {
                session.samplers.remove(0);
            }
            session.samplers.push(id);
        }
    }

    /// Changes a session and returns the records to store beside the checkpoints of its runs. `None` if the session is
    /// not known.
    pub(crate) fn change_session(
        &mut self,
        id: &SessionId,
        change: impl FnOnce(&mut SessionNote),
    ) -> Option<Vec<Origin>> {
        let session = self.sessions.get_mut(id)?;
        change(session);
        let session = session.clone();
        let origins = self.runs_of(id).map(|run| Origin {
            run: run.clone(),
            session: session.clone(),
        });
        Some(origins.collect())
    }

    pub(crate) fn session(&self, id: &SessionId) -> Option<&SessionNote> {
        self.sessions.get(id)
    }

    pub(crate) fn run(&self, id: &ModelId) -> Option<&RunNote> {
        self.runs.get(id)
    }

    pub(crate) fn runs_of(&self, session: &SessionId) -> impl Iterator<Item = &RunNote> {
        self.runs
            .values()
            .filter(move |run| run.id.session() == *session)
    }

    /// A run with its session, to be stored beside the run's checkpoints.
    pub(crate) fn origin(&self, id: &ModelId) -> Option<Origin> {
        Some(Origin {
            run: self.runs.get(id)?.clone(),
            session: self.sessions.get(&id.session())?.clone(),
        })
    }

    /// All sessions, newest first.
    pub(crate) fn sessions(&self) -> Vec<&SessionNote> {
        let mut sessions: Vec<_> = self.sessions.values().collect();
        let key = |session: &&SessionNote| (session.created, session.id.clone());
        sessions.sort_by_key(|session| std::cmp::Reverse(key(session)));
        sessions
    }

    /// All runs with their sessions, most recently used first.
    pub(crate) fn runs(&self) -> Vec<(&RunNote, Option<&SessionNote>)> {
        let session = |run: &RunNote| self.sessions.get(&run.id.session());
        let mut runs: Vec<_> = self.runs.values().map(|run| (run, session(run))).collect();
        let key = |run: &RunNote| -> (Timestamp, ModelId) { (run.last_request, run.id.clone()) };
        runs.sort_by_key(|(run, _)| std::cmp::Reverse(key(run)));
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: &str, second: i64, status: SessionStatus) -> SessionNote {
        let mut note = SessionNote::new(id.into(), Timestamp::from_second(second).unwrap());
        note.status = status;
        note
    }

    fn run(id: &str) -> RunNote {
        RunNote {
            id: id.into(),
            base_model: "tiny".into(),
            lora_rank: 4,
            last_request: Timestamp::UNIX_EPOCH,
            user_metadata: BTreeMap::new(),
        }
    }

    #[test]
    fn the_oldest_that_has_ended_goes_first() {
        let ended = || SessionStatus::Cancelled { detail: None };
        let mut catalog = Catalog::default();
        catalog.add_session(session("open", 1, SessionStatus::Active));
        catalog.add_session(session("old", 2, ended()));
        catalog.add_run(run("old:train:0"));
        for n in 0..KEPT as i64 - 1 {
            catalog.add_session(session(&format!("s{n}"), 3 + n, ended()));
        }
        assert!(catalog.session(&"open".into()).is_some());
        assert!(catalog.session(&"old".into()).is_none());
        assert!(catalog.run(&"old:train:0".into()).is_none());
        assert_eq!(catalog.sessions().len(), KEPT);
        assert_eq!(catalog.sessions()[KEPT - 1].id, "open".into());
    }

    #[test]
    fn runs_are_listed_by_use_and_belong_to_their_session() {
        let mut catalog = Catalog::default();
        catalog.add_session(session("s", 1, SessionStatus::Active));
        for id in ["s:train:0", "s:train:1", "t:train:0"] {
            catalog.add_run(run(id));
        }
        catalog.touch_run(&"s:train:0".into());
        let order: Vec<_> = catalog
            .runs()
            .iter()
            .map(|(run, _)| run.id.clone())
            .collect();
        assert_eq!(
            order,
            ["s:train:0".into(), "t:train:0".into(), "s:train:1".into()]
        );
        assert!(catalog.runs()[1].1.is_none());
        assert_eq!(catalog.runs_of(&"s".into()).count(), 2);
        let kept = catalog
            .change_session(&"s".into(), |session| session.project_id = Some("p".into()))
            .unwrap();
        assert!(kept.len() == 2 && kept[0].session.project() == "p");
        assert!(catalog.change_session(&"u".into(), |_| ()).is_none());
    }
}
