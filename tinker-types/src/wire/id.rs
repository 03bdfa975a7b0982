//! Identifiers and their grammar. Each kind is a distinct type, so that a session can't be passed for a model.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// An opaque string, cheap to clone.
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps an id as the server gave it.
            pub fn new(id: impl Into<Arc<str>>) -> Self {
                Self(id.into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), &*self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self(id.into())
            }
        }

        impl From<String> for $name {
            fn from(id: String) -> Self {
                Self(id.into())
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                String::json_schema(generator)
            }
        }
    )*};
}

ids! {
    /// A session: the work of one client between start and finish.
    SessionId;
    /// A model in training, also called a training run: `<session>:train:<n>`.
    ModelId;
    /// A sampler: one set of weights to sample from.
    SamplingSessionId;
    /// A request whose result is fetched later.
    RequestId;
    /// A sampled sequence, named in provenance spans.
    SequenceId;
    /// An uploaded custom loss.
    LossId;
}

/// Positions reserved for each copy of a sampler: copy `c` numbers its requests from `c * SEQ_IDS_PER_COPY`.
pub const SEQ_IDS_PER_COPY: u64 = 1_000_000_000;

macro_rules! of_session {
    ($($name:ident: $kind:literal;)*) => {$(
        impl $name {
            #[doc = concat!("The id with number `n`, from 0, of a session: `<session>:", $kind, ":<n>`.")]
            pub fn of_session(session: &SessionId, n: u64) -> Self {
                Self::from(format!(concat!("{}:", $kind, ":{}"), session, n))
            }

            /// The session part of the id: the text before the first colon.
            pub fn session(&self) -> SessionId {
                SessionId::from(self.0.split(':').next().unwrap_or_default())
            }
        }
    )*};
}

of_session! {
    ModelId: "train";
    SamplingSessionId: "sample";
    LossId: "loss";
}

impl RequestId {
    /// The promise of a model's operation, `<model>:<seq_id>`. A repeated submission has the same id.
    pub fn of_model(model: &ModelId, seq_id: u64) -> Self {
        Self::from(format!("{model}:{seq_id}"))
    }

    /// The promise of a sample, `<sampler>:<seq_id>`. A repeated submission has the same id.
    pub fn of_sampler(sampler: &SamplingSessionId, seq_id: u64) -> Self {
        Self::from(format!("{sampler}:{seq_id}"))
    }

    /// The promise of an uploaded loss: the id of the loss itself.
    pub fn of_loss(loss: &LossId) -> Self {
        Self(Arc::clone(&loss.0))
    }

    /// The promise to release a model, `<model>:unload`.
    pub fn of_unload(model: &ModelId) -> Self {
        Self::from(format!("{model}:unload"))
    }

    /// The session part of the id: the text before the first colon.
    pub fn session(&self) -> SessionId {
        SessionId::from(self.0.split(':').next().unwrap_or_default())
    }

    /// The model or sampler the request belongs to: the text before the last colon.
    pub fn owner(&self) -> &str {
        self.0.rsplit_once(':').map_or(&self.0, |(owner, _)| owner)
    }

    /// Position of the request among those of its [`owner`](Self::owner), if it has one.
    pub fn seq_id(&self) -> Option<u64> {
        self.0.rsplit_once(':')?.1.parse().ok()
    }
}

impl SequenceId {
    /// Sequence `n`, from 0, of a sample: `<request>:<n>`.
    pub fn of_request(request: &RequestId, n: u32) -> Self {
        Self::from(format!("{request}:{n}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_contain_what_they_belong_to() {
        let session = SessionId::from("s-1");
        let model = ModelId::of_session(&session, 2);
        assert_eq!((model.as_str(), model.session()), ("s-1:train:2", session));
        let request = RequestId::of_model(&model, 7);
        assert_eq!(
            (request.owner(), request.seq_id()),
            (model.as_str(), Some(7))
        );
        let request = RequestId::of_unload(&model);
        assert_eq!((request.owner(), request.seq_id()), (model.as_str(), None));
        let foreign = RequestId::from("3f2a");
        assert_eq!((foreign.owner(), foreign.seq_id()), ("3f2a", None));
    }
}
