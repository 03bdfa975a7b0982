//! Facts about servers that are kept between runs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::credentials::disk;
use crate::session::form::ForwardForm;

/// Time after which a fact is renewed.
const LIFETIME: Duration = Duration::from_hours(24);

/// A file with facts about servers. A file that cannot be read or written is only logged: it saves a test.
#[derive(Debug)]
pub(crate) struct Memory {
    path: PathBuf,
    server: String,
    /// Text that differs between versions of the server.
    identity: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    servers: BTreeMap<String, Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    identity: String,
    forward_only: ForwardForm,
    /// Seconds since 1970.
    found: u64,
}

impl Entry {
    fn age(&self) -> Option<Duration> {
        let age = now().checked_sub(self.found)?;
        Some(Duration::from_secs(age)).filter(|age| *age < LIFETIME)
    }
}

impl Memory {
    pub(crate) fn new(path: PathBuf, server: &str, identity: String) -> Self {
        Self {
            path,
            server: server.trim().trim_end_matches('/').to_owned(),
            identity,
        }
    }

    /// The form that was found in an earlier run, and its age.
    pub(crate) fn recall(&self) -> Option<(ForwardForm, Duration)> {
        let contents = self.read();
        let entry = contents.servers.get(&self.server)?;
        let age = entry.age().filter(|_| entry.identity == self.identity)?;
        Some((entry.forward_only, age))
    }

    /// Keeps a form for later runs. A refusal of both forms is not kept: the server may be mended.
    pub(crate) fn keep(&self, form: ForwardForm) {
        let mut contents = self.read();
        contents.servers.retain(|_, entry| entry.age().is_some());
        contents.servers.remove(&self.server);
        if form != ForwardForm::None {
            let entry = Entry {
                identity: self.identity.clone(),
                forward_only: form,
                found: now(),
            };
            contents.servers.insert(self.server.clone(), entry);
        }
        let written = serde_json::to_vec_pretty(&contents).map_err(std::io::Error::from);
        if let Err(error) = written.and_then(|text| disk::replace(&self.path, &text)) {
            tracing::debug!(%error, path = %self.path.display(), "facts about servers were not kept");
        }
    }

    fn read(&self) -> Contents {
        let Ok(text) = std::fs::read(&self.path) else {
            return Contents::default();
        };
        serde_json::from_slice(&text).unwrap_or_else(|error| {
            tracing::debug!(%error, path = %self.path.display(), "the file of facts about servers is replaced");
            Contents::default()
        })
    }
}

fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_kept_for_one_version_of_a_server_and_age() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tinker/servers.json");
        let memory = |url, identity: &str| Memory::new(path.clone(), url, identity.to_owned());
        let first = memory("http://a/", "1");
        assert_eq!(first.recall(), None);
        first.keep(ForwardForm::Url);
        let (form, age) = memory("http://a", "1").recall().unwrap();
        assert!(form == ForwardForm::Url && age < Duration::from_mins(1));
        assert_eq!(memory("http://a", "2").recall(), None, "another version");
        assert_eq!(memory("http://b", "1").recall(), None, "another server");
        memory("http://b", "1").keep(ForwardForm::Flag);
        assert!(first.recall().is_some());

        let text = std::fs::read_to_string(&path).unwrap();
        let found = text.rsplit_once("\"found\": ").unwrap().1;
        let found = found.split_once('\n').unwrap().0;
        let day_before = (now() - LIFETIME.as_secs()).to_string();
        std::fs::write(&path, text.replace(found, &day_before)).unwrap();
        assert_eq!(first.recall(), None, "too old");
        first.keep(ForwardForm::None);
        assert_eq!(first.recall(), None, "tested again by the next run");
        std::fs::write(&path, "{").unwrap();
        assert_eq!(first.recall(), None);
        first.keep(ForwardForm::Flag);
        assert!(first.recall().is_some());
    }
}
