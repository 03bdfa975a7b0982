//! The environment in which `transformers` renders chat templates.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{AutoEscape, Environment, Error, Value};

use super::clock::Clock;
use super::refusal::{collect, refuse};
use super::{check, filter, method, print, track};

/// An environment without templates.
pub(super) fn new(clock: Clock) -> Result<Environment<'static>, Error> {
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()?;
    let mut environment = Environment::new();
    environment.set_syntax(syntax);
    environment.set_debug(true);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_formatter(track::format);
    environment.set_unknown_method_callback(method::call);
    // A chat template is one file: it includes no other, and not itself.
    environment.set_path_join_callback(|_, _| "".into());
    environment.remove_global("debug");
    environment.add_function("dict", dict);
    environment.add_function("raise_exception", |message: &Value| -> Result<Value, _> {
        Err(refuse(print::text(message)?))
    });
    environment.add_function("strftime_now", move |format: &str| {
        let wrong = |error| refuse(format!("strftime_now({format:?}) failed")).with_source(error);
        clock.format(format).map_err(wrong)
    });
    filter::register(&mut environment);
    check::register(&mut environment);
    Ok(environment)
}

/// `dict(pairs, **named)`: from a dict or a list of pairs.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the engine passes arguments by value"
)]
fn dict(pairs: Option<Value>, named: Kwargs) -> Result<Value, Error> {
    let mut items = Vec::new();
    if let Some(pairs) = pairs {
        let is_dict = pairs.kind() == ValueKind::Map;
        for item in pairs.try_iter()?.checked() {
            let item = item?;
            if is_dict {
                items.push((item.clone(), pairs.get_item(&item)?));
                continue;
            }
            let pair = collect(&item)?;
            match <[Value; 2]>::try_from(pair) {
                Ok([key, value]) => items.push((key, value)),
                Err(_) => return Err(refuse("dict takes a dict or a list of pairs")),
            }
        }
    }
    for name in named.args() {
        items.push((Value::from(name), named.peek(name)?));
    }
    Ok(Value::from_pairs(items))
}
