//! Requests with their route and the type of their response.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::route;
use crate::Submitted;

/// HTTP method of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// `GET`: reads.
    Get,
    /// `POST`: creates or runs.
    Post,
    /// `PUT`: replaces.
    Put,
    /// `DELETE`: removes.
    Delete,
}

impl Method {
    /// Name of the method in HTTP.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// A request with its route and the type of its response. Building an HTTP request is left to the client.
pub trait Endpoint: Serialize {
    /// Body of a successful response.
    type Response: DeserializeOwned;
    /// Name of the operation in traces, metrics and errors.
    const NAME: &'static str;
    /// HTTP method.
    const METHOD: Method = Method::Post;
    /// Route template below [`route::PREFIX`], with a placeholder for each part that varies: `samplers/{sampler}`.
    const ROUTE: &'static str;
    /// [`route::PREFIX`] and [`ROUTE`](Self::ROUTE) in one text, so that a client need not join them for each request.
    const WHOLE_ROUTE: Option<&'static str> = None;
    /// Values of the placeholders in [`ROUTE`](Self::ROUTE), in order; not escaped yet.
    fn parameters(&self) -> Vec<&str> {
        Vec::new()
    }
    /// Path below [`route::PREFIX`].
    fn path(&self) -> Cow<'static, str> {
        route::fill(Self::ROUTE, &self.parameters())
    }
    /// Query parameters, in order; values are not escaped yet.
    fn query(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// A request answered with a promise, whose result is fetched with [`RetrieveFuture`](crate::RetrieveFuture).
pub trait Operation: Endpoint<Response = Submitted> {
    /// Result of the promise.
    type Output: Send + 'static;
    /// Kind of the result, sent with each poll.
    const REQUEST_TYPE: RequestType;
}

/// Kind of result a promise is expected to hold, sent as [`header::REQUEST_TYPE`](super::header::REQUEST_TYPE).
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
    /// Name on the wire.
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

    /// Whether the operation saves weights under a name.
    pub const fn is_save(self) -> bool {
        matches!(
            self,
            Self::SaveWeights | Self::SaveWeightsForSampler | Self::SaveWeightsExternal
        )
    }

    /// Whether the result travels as protobuf.
    pub const fn is_protobuf(self) -> bool {
        matches!(self, Self::Forward | Self::ForwardBackward | Self::Sample)
    }
}

impl fmt::Display for RequestType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Implements [`Endpoint`] and, for operations, [`Operation`]. Without a method and a route, the request is a `POST` to
/// the path of its name.
macro_rules! endpoint {
    ($request:ty => $response:ty, $name:literal) => {
        endpoint!($request => $response, Post $name as $name);
    };
    ($request:ty => promise of $output:ty, $name:literal, $kind:ident) => {
        endpoint!($request => $crate::Submitted, $name);
        impl $crate::Operation for $request {
            type Output = $output;
            const REQUEST_TYPE: $crate::RequestType = $crate::RequestType::$kind;
        }
    };
    (
        $request:ty => $response:ty, $method:ident $route:literal as $name:literal
        $(, parameters($one:ident) $parameters:expr)? $(, query($other:ident) $query:expr)?
    ) => {
        impl $crate::Endpoint for $request {
            type Response = $response;
            const NAME: &'static str = $name;
            const METHOD: $crate::Method = $crate::Method::$method;
            const ROUTE: &'static str = $route;
            const WHOLE_ROUTE: Option<&'static str> = Some(concat!("/api/v1/", $route));
            $(fn parameters(&self) -> Vec<&str> {
                let $one = self;
                $parameters
            })?
            $(fn query(&self) -> Vec<(&'static str, String)> {
                let $other = self;
                $query
            })?
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

/// A message of one field and a constant `type` field.
macro_rules! tagged {
    (
        $(#[$doc:meta])* $name:ident as $tag:ident {
            $(#[$field_doc:meta])* $field:ident: $type:ty
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[non_exhaustive]
        pub struct $name {
            $(#[$field_doc])*
            pub $field: $type,
            #[serde(rename = "type", default)]
            tag: $tag,
        }

        impl $name {
            #[doc = concat!("The message with this `", stringify!($field), "`.")]
            pub fn new($field: $type) -> Self {
                Self {
                    $field,
                    tag: $tag::Tag,
                }
            }
        }
    };
}

pub(crate) use endpoint;
pub(crate) use tagged;
pub(crate) use type_tag;
