//! Arguments of nodes: values, and references to the results of other nodes.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::array::Kind;
use super::value::Value;

/// An argument of a node.
#[derive(Debug, Clone)]
pub(super) enum Arg {
    Constant(Value),
    /// The result of the node with this index.
    Node(usize),
    List(Vec<Arg>),
    Dict(BTreeMap<String, Arg>),
    Slice(Box<[Arg; 3]>),
}

impl Arg {
    /// Parses an argument. `place` finds an earlier node by name.
    pub(super) fn parse(
        json: &Json,
        place: &impl Fn(&str) -> Option<usize>,
    ) -> Result<Self, String> {
        let list = |values: &[Json]| -> Result<Vec<Self>, String> {
            values.iter().map(|json| Self::parse(json, place)).collect()
        };
        let constant = match json {
            Json::Null => Value::None,
            Json::Bool(b) => Value::Bool(*b),
            Json::Number(n) => match n.as_i64() {
                Some(n) => Value::Int(n),
                None => Value::Float(n.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Value::Text(text.clone()),
            Json::Array(values) => return Ok(Self::List(list(values)?)),
            Json::Object(object) => {
                let mut entries = object.iter();
                let (Some((tag, content)), None) = (entries.next(), entries.next()) else {
                    return Err("an argument that is an object has exactly one key".to_owned());
                };
                return match (tag.as_str(), content) {
                    ("ref", Json::String(name)) => place(name)
                        .map(Self::Node)
                        .ok_or_else(|| format!("refers to {name:?}, which is not an earlier node")),
                    ("tuple", Json::Array(values)) => Ok(Self::List(list(values)?)),
                    ("dict", Json::Object(values)) => {
                        let entry = |(key, json): (&String, &Json)| {
                            Ok((key.clone(), Self::parse(json, place)?))
                        };
                        Ok(Self::Dict(
                            values.iter().map(entry).collect::<Result<_, String>>()?,
                        ))
                    }
                    ("slice", Json::Array(values)) => {
                        let bounds = <[Self; 3]>::try_from(list(values)?)
                            .map_err(|_| "a slice has start, stop and step".to_owned())?;
                        Ok(Self::Slice(Box::new(bounds)))
                    }
                    _ => tagged(tag, content).map(Self::Constant),
                };
            }
        };
        Ok(Self::Constant(constant))
    }

    /// The value, from the results of the nodes it refers to.
    pub(super) fn value(&self, values: &[Value]) -> Value {
        match self {
            Self::Constant(value) => value.clone(),
            Self::Node(at) => values[*at].clone(),
            Self::List(args) => Value::List(args.iter().map(|arg| arg.value(values)).collect()),
            Self::Dict(args) => Value::Dict(
                args.iter()
                    .map(|(key, arg)| (key.clone(), arg.value(values)))
                    .collect(),
            ),
            Self::Slice(bounds) => {
                Value::Slice(Box::new(bounds.each_ref().map(|arg| arg.value(values))))
            }
        }
    }
}

/// Constants that JSON cannot express.
fn tagged(tag: &str, content: &Json) -> Result<Value, String> {
    let text = content.as_str().unwrap_or_default();
    match (tag, text) {
        ("float", "inf") => Ok(Value::Float(f64::INFINITY)),
        ("float", "-inf") => Ok(Value::Float(f64::NEG_INFINITY)),
        ("float", "nan") => Ok(Value::Float(f64::NAN)),
        ("ellipsis", _) => Ok(Value::Ellipsis),
        ("dtype", "float32" | "float64" | "float" | "double") => Ok(Value::Type(Kind::Float)),
        ("dtype", "int64" | "int32" | "long" | "int") => Ok(Value::Type(Kind::Int)),
        ("dtype", "bool") => Ok(Value::Type(Kind::Bool)),
        ("dtype", other) => Err(format!(
            "dtype {other:?} is not offered; use float32, float64, int64, int32 or bool"
        )),
        ("device" | "layout" | "memory_format", _) => Ok(Value::Place),
        _ => Err(format!("{tag:?} is not a form of an argument")),
    }
}
