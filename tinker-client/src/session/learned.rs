//! Findings about a server.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::config::dialect::{ForwardOnly, Wire};
use crate::session::form::ForwardForm;
use crate::wire::request::Form;

/// Time after which facts are renewed: the server may have been replaced by another version.
const LIFETIME: Duration = Duration::from_hours(1);

/// Servers of this process, by base URL.
static SERVERS: LazyLock<Mutex<HashMap<String, Arc<Learned>>>> = LazyLock::new(Mutex::default);

/// Findings about one server. All clients of one base URL in this process share it.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    form: Mutex<Option<(Form, Instant)>>,
    /// A form that was accepted once, after a fault of the server with the other.
    likely: Mutex<Option<(Form, Instant)>>,
    forward: tokio::sync::Mutex<Option<Tested>>,
    /// Whether the server has a route that ends a session.
    pub(crate) ends_sessions: OnceCell<bool>,
}

/// A tested form of passes without gradients.
#[derive(Debug, Clone, Copy)]
struct Tested {
    form: ForwardForm,
    /// Since when this process has it.
    since: Instant,
    /// Age of the test at that time.
    age: Duration,
}

/// Findings of a client about its server, see
/// [`ServiceClient::server_facts`](crate::ServiceClient::server_facts). They are renewed after an hour; the test of passes without
/// gradients is kept between runs for a day, see [`Config::facts_file`](crate::Config::facts_file).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerFacts {
    /// Form in which the server accepted a training pass; `None` before the first one.
    pub wire: Option<Wire>,
    /// The way in which it takes passes without gradients; `None` before the first one, and if it was not tested.
    pub forward_only: Option<ForwardOnly>,
    /// Time since that was tested.
    pub forward_only_age: Option<Duration>,
}

impl Learned {
    /// Findings about the server at this base URL. A service in this process has no URL and is known to its client
    /// only.
    pub(crate) fn of(base_url: Option<&str>) -> Arc<Self> {
        let Some(url) = base_url else {
            return Arc::default();
        };
        let mut servers = lock(&SERVERS);
        Arc::clone(
            servers
                .entry(url.trim().trim_end_matches('/').to_owned())
                .or_default(),
        )
    }

    /// The form that the server accepted.
    pub(crate) fn form(&self) -> Option<Form> {
        fresh(*lock(&self.form))
    }

    pub(crate) fn set_form(&self, form: Form) {
        *lock(&self.likely) = None;
        let mut known = lock(&self.form);
        if fresh(*known) != Some(form) {
            *known = Some((form, Instant::now()));
        }
    }

    /// Records that a form was accepted after a fault of the server with the other, by a pass whose submission began at
    /// this time. Returns true if an earlier pass has found the same.
    pub(crate) fn confirms(&self, form: Form, began: Instant) -> bool {
        let mut likely = lock(&self.likely);
        let is_confirmed = likely.is_some_and(|(known, since)| known == form && since <= began);
        if !is_confirmed && likely.is_none_or(|(known, _)| known != form) {
            *likely = Some((form, Instant::now()));
        }
        is_confirmed
    }

    /// The way in which the server takes passes without gradients, found out with `find` on first use. `recall` gives
    /// what an earlier process has found, with its age; it is not asked again by a process that runs for longer.
    pub(crate) async fn forward<E>(
        &self,
        recall: impl FnOnce() -> Option<(ForwardForm, Duration)>,
        find: impl AsyncFnOnce() -> Result<ForwardForm, E>,
    ) -> Result<ForwardForm, E> {
        let mut known = self.forward.lock().await;
        if let Some(known) = known.filter(|known| known.since.elapsed() < LIFETIME) {
            return Ok(known.form);
        }
        let recalled = if known.is_none() { recall() } else { None };
        let (form, age) = match recalled {
            Some(recalled) => recalled,
            None => (find().await?, Duration::ZERO),
        };
        *known = Some(Tested {
            form,
            since: Instant::now(),
            age,
        });
        Ok(form)
    }

    pub(crate) fn facts(&self) -> ServerFacts {
        let tested = self.forward.try_lock().ok().and_then(|known| *known);
        let tested = tested.filter(|tested| tested.since.elapsed() < LIFETIME);
        ServerFacts {
            forward_only_age: tested.map(|tested| tested.age + tested.since.elapsed()),
            wire: self.form().map(|form| match form {
                Form::Json => Wire::Json,
                Form::Protobuf => Wire::Protobuf,
            }),
            forward_only: tested.and_then(|tested| match tested.form {
                ForwardForm::Flag => Some(ForwardOnly::Flag),
                ForwardForm::Url => Some(ForwardOnly::Url),
                ForwardForm::None => None,
            }),
        }
    }
}

fn fresh<T>(known: Option<(T, Instant)>) -> Option<T> {
    known
        .filter(|(_, since)| since.elapsed() < LIFETIME)
        .map(|(value, _)| value)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn knowledge_is_shared_by_url_and_ages() {
        let url = Some("http://learned.test/a");
        Learned::of(url).set_form(Form::Json);
        assert_eq!(
            Learned::of(Some("http://learned.test/a/")).form(),
            Some(Form::Json)
        );
        assert_eq!(Learned::of(Some("http://learned.test")).form(), None);
        assert_eq!(Learned::of(None).form(), None);
        let known = Learned::of(url);
        let ask = async |recalled, found| {
            let find = async || Ok::<_, ()>(found);
            known.forward(|| recalled, find).await.unwrap()
        };
        let hours = Duration::from_hours(3);
        let recalled = Some((ForwardForm::Url, hours));
        assert_eq!(ask(recalled, ForwardForm::Flag).await, ForwardForm::Url);
        assert_eq!(ask(None, ForwardForm::Flag).await, ForwardForm::Url);
        assert_eq!(known.facts().forward_only_age, Some(hours));
        assert_eq!(known.facts().forward_only, Some(ForwardOnly::Url));
        tokio::time::advance(LIFETIME).await;
        assert_eq!(known.form(), None);
        let renewed = ask(recalled, ForwardForm::Flag).await;
        assert_eq!(
            renewed,
            ForwardForm::Flag,
            "tested by a process that runs for longer"
        );
    }
}
