//! The operations that graphs may use, under their PyTorch names.

mod arithmetic;
mod build;
mod groups;
mod index;
mod join;
mod operator;
mod pointwise;
mod product;
mod reduce;
mod shape;

use super::call::{Call, Function, required};
use super::value::Value;

/// Modules whose functions are looked up without the module name.
const TENSOR_MODULES: [&str; 6] = [
    "torch",
    "torch.Tensor",
    "torch.functional",
    "torch.nn.functional",
    "torch.special",
    "torch._C._nn",
];

/// The function of a qualified name, if it is offered.
pub(super) fn function(target: &str) -> Option<Function> {
    match target.rsplit_once('.') {
        None | Some(("builtins", _)) if target.ends_with("getattr") => Some(attribute),
        Some(("operator" | "_operator", name)) => operator::find(name),
        Some(("math", name)) => arithmetic::of_number(name),
        Some((module, name)) if TENSOR_MODULES.contains(&module) => of_tensor(name),
        _ => None,
    }
}

/// The method of a tensor, if it is offered.
pub(super) fn method(name: &str) -> Option<Function> {
    shape::method(name).or_else(|| of_tensor(name))
}

/// Operations that are both a function and a method.
fn of_tensor(name: &str) -> Option<Function> {
    pointwise::find(name)
        .or_else(|| arithmetic::of_tensors(name))
        .or_else(|| reduce::find(name))
        .or_else(|| shape::find(name))
        .or_else(|| join::find(name))
        .or_else(|| index::find(name))
        .or_else(|| build::find(name))
        .or_else(|| product::find(name))
}

/// `getattr(tensor, name)`
fn attribute(call: &mut Call<'_>) -> Result<Value, String> {
    let [of, name] = call.bind(["of", "name"])?;
    let Value::Tensor(of) = required(of)? else {
        return Err("takes attributes of tensors only".to_owned());
    };
    match required(name)? {
        Value::Text(name) => match name.as_str() {
            "shape" => Ok(shape::size_of(call.tape.shape(of))),
            "ndim" => Ok(Value::Int(call.tape.shape(of).len() as i64)),
            "dtype" => Ok(Value::Type(call.tape.kind(of))),
            "device" | "layout" => Ok(Value::Place),
            "T" | "mT" => shape::transposed(call.tape, of),
            other => Err(format!("attribute {other:?} is not offered here")),
        },
        other => Err(format!(
            "takes the name of an attribute, not {}",
            other.what()
        )),
    }
}
