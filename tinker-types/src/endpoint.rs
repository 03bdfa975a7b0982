//! Where a request goes and what comes back, as types.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// HTTP method of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Does.
    Post,
    /// Replaces.
    Put,
    /// Removes.
    Delete,
}

impl Method {
    /// The method as HTTP spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// A request that knows its route and its answer. It builds no HTTP itself.
pub trait Endpoint: Serialize {
    /// What a success answers.
    type Response: DeserializeOwned;
    /// Name of the operation in traces, metrics and errors.
    const NAME: &'static str;
    /// HTTP method.
    const METHOD: Method = Method::Post;
    /// Path below `/api/v1/`.
    fn path(&self) -> Cow<'static, str>;
    /// Query parameters, in order; values are not escaped yet.
    fn query(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// A request that is answered with a promise; its result is fetched with [`RetrieveFuture`](crate::RetrieveFuture).
pub trait Operation: Endpoint<Response = crate::Submitted> {
    /// What the promise resolves to.
    type Output: Send + 'static;
    /// How the result is asked for.
    const REQUEST_TYPE: RequestType;
}

/// Says what a promise is expected to hold; travels as `X-Tinker-Request-Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestType {
    /// [`CreateModel`](crate::CreateModel)
    CreateModel,
    /// [`LoadWeights`](crate::LoadWeights)
    LoadWeights,
    /// A forward-only [`ForwardBackward`](crate::ForwardBackward)
    Forward,
    /// [`ForwardBackward`](crate::ForwardBackward)
    ForwardBackward,
    /// [`OptimStep`](crate::OptimStep)
    OptimStep,
    /// [`SaveWeights`](crate::SaveWeights)
    SaveWeights,
    /// [`SaveWeightsForSampler`](crate::SaveWeightsForSampler)
    SaveWeightsForSampler,
    /// [`SaveWeightsExternal`](crate::SaveWeightsExternal)
    SaveWeightsExternal,
    /// [`CreateCustomLoss`](crate::CreateCustomLoss)
    CreateCustomLoss,
    /// [`SampleRequest`](crate::SampleRequest)
    Sample,
}

impl RequestType {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CreateModel => "CreateModel",
            Self::LoadWeights => "LoadWeights",
            Self::Forward => "Forward",
            Self::ForwardBackward => "ForwardBackward",
            Self::OptimStep => "OptimStep",
            Self::SaveWeights => "SaveWeights",
            Self::SaveWeightsForSampler => "SaveWeightsForSampler",
            Self::SaveWeightsExternal => "SaveWeightsExternal",
            Self::CreateCustomLoss => "CreateCustomLoss",
            Self::Sample => "Sample",
        }
    }

    /// The result travels as protobuf.
    pub const fn is_protobuf(self) -> bool {
        matches!(self, Self::Forward | Self::ForwardBackward | Self::Sample)
    }
}

impl fmt::Display for RequestType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Gives a request type its route, its answer and, for operations, its output.
macro_rules! endpoint {
    ($request:ty => $response:ty, $name:literal) => {
        impl $crate::Endpoint for $request {
            type Response = $response;
            const NAME: &'static str = $name;
            fn path(&self) -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed($name)
            }
        }
    };
    ($request:ty => promise of $output:ty, $name:literal, $kind:ident) => {
        endpoint!($request => $crate::Submitted, $name);
        impl $crate::Operation for $request {
            type Output = $output;
            const REQUEST_TYPE: $crate::RequestType = $crate::RequestType::$kind;
        }
    };
}

/// The constant `type` field that many requests carry.
macro_rules! type_tag {
    ($name:ident, $tag:literal) => {
        #[derive(
            Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize,
        )]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub(crate) enum $name {
            #[default]
            #[serde(rename = $tag)]
            Tag,
        }
    };
}

pub(crate) use endpoint;
pub(crate) use type_tag;
