//! `+` in templates that have safe texts.
//!
//! The engine cannot add its own values to safe ones. Templates with safe texts are written with a filter in place of
//! `+`, which escapes as `markupsafe` does; other templates keep the operator.

use minijinja::{Error, State, Value, context};

use super::filter::escape;
use super::refusal::refuse;
use super::safe::{Safe, as_text};
use super::scan::{Tag, is_name};

/// Filters that make a text safe.
const SAFE: [&str; 4] = ["e", "escape", "forceescape", "safe"];

/// Words that bind less than `+`.
const LOOSE: [&str; 8] = ["and", "else", "if", "in", "is", "not", "or", "recursive"];

/// Whether a template makes safe texts.
pub(super) fn is_needed(original: &str, tags: &[Tag]) -> bool {
    let is_safe = |after: &str| {
        let name = after.trim_start();
        let end = name.find(|c| !is_name(c)).unwrap_or(name.len());
        SAFE.contains(&&name[..end])
    };
    let bodies = tags.iter().map(|tag| &original[tag.body.clone()]);
    let mut bodies = bodies.flat_map(|body| body.split('|').skip(1));
    bodies.any(is_safe)
}

/// An expression with the filter `name` in place of each `+` between two values; `None` if there is no such `+`.
pub(super) fn rewritten(expression: &str, name: &str) -> Option<String> {
    let mut writer = Writer {
        rest: expression,
        name,
        count: 0,
    };
    let text = writer.expression();
    // Brackets that close nothing end an expression early; the engine names them.
    (writer.count > 0 && writer.rest.is_empty()).then_some(text)
}

/// `left + right`.
pub(super) fn add(state: &mut State<'_, '_>, left: &Value, right: &Value) -> Result<Value, Error> {
    let is_safe = |value: &Value| value.downcast_object_ref::<Safe>().is_some();
    if let (Some(a), Some(b)) = (as_text(left), as_text(right)) {
        let length = (a.len() + b.len()) as u64;
        state.consume_fuel(length / 64)?;
        if !is_safe(left) && !is_safe(right) {
            return Ok(Value::from(format!("{a}{b}")));
        }
        // Escapes take up to five bytes for one.
        state.consume_fuel(length / 16)?;
        let (left, right) = (escape(left)?, escape(right)?);
        let texts = [as_text(&left), as_text(&right)];
        let text = texts.into_iter().flatten().collect();
        return Ok(Value::from_object(Safe(text)));
    }
    if is_safe(left) || is_safe(right) {
        return Err(refuse(format!(
            "+ takes two texts, not {} and {}",
            left.kind(),
            right.kind()
        )));
    }
    let lengths = [left, right].map(|value| value.len().unwrap_or_default() as u64);
    state.consume_fuel(lengths.iter().sum())?;
    let sum = state.env().compile_expression("left + right")?;
    sum.eval(context! { left, right })
}

struct Writer<'a> {
    rest: &'a str,
    name: &'a str,
    /// Operators that were replaced.
    count: usize,
}

impl<'a> Writer<'a> {
    /// Takes `count` bytes.
    fn take(&mut self, count: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        taken
    }

    /// Writes up to the bracket that closes the expression, or to the end.
    fn expression(&mut self) -> String {
        let mut out = String::new();
        // The sum so far, and the current value.
        let mut sum: Option<(String, char)> = None;
        let mut value = String::new();
        let mut has_value = false;
        while let Some(c) = self.rest.chars().next().filter(|c| !")]}".contains(*c)) {
            match c {
                '(' | '[' | '{' => {
                    value += self.take(1);
                    value += &self.expression();
                    value += self.take(usize::from(!self.rest.is_empty()));
                    has_value = true;
                }
                '\'' | '"' => {
                    value += self.take(quoted(self.rest));
                    has_value = true;
                }
                '+' | '-' if has_value => {
                    self.take(1);
                    let left = self.sum(sum.take(), &value);
                    sum = Some((left, c));
                    value.clear();
                    has_value = false;
                }
                c if is_name(c) => {
                    let word = self.take(word(self.rest));
                    if LOOSE.contains(&word) {
                        out += &self.sum(sum.take(), &value);
                        out += word;
                        value.clear();
                    } else {
                        value += word;
                    }
                    has_value = !LOOSE.contains(&word);
                }
                ',' | ':' | '=' | '!' | '<' | '>' => {
                    out += &self.sum(sum.take(), &value);
                    out += self.take(1);
                    value.clear();
                    has_value = false;
                }
                c => {
                    value += self.take(c.len_utf8());
                    // The next sign belongs to a number.
                    has_value &= !"*/%~".contains(c);
                }
            }
        }
        out + &self.sum(sum, &value)
    }

    /// A value after what is added to it.
    fn sum(&mut self, sum: Option<(String, char)>, value: &str) -> String {
        match sum {
            None => value.to_owned(),
            Some((left, '+')) => {
                self.count += 1;
                format!("({left})|{}({value})", self.name)
            }
            Some((left, sign)) => format!("({left}){sign}{value}"),
        }
    }
}

/// Length of the text in quotes with which `rest` begins.
fn quoted(rest: &str) -> usize {
    let quote = rest.chars().next();
    let mut is_escaped = false;
    let mut inside = rest.char_indices().skip(1);
    let end = inside.find(|(_, c)| {
        let is_end = !is_escaped && Some(*c) == quote;
        is_escaped = *c == '\\' && !is_escaped;
        is_end
    });
    end.map_or(rest.len(), |(at, _)| at + 1)
}

/// Length of the name or number with which `rest` begins. A number may have a point and an exponent with a sign.
fn word(rest: &str) -> usize {
    let is_number = rest.starts_with(|c: char| c.is_ascii_digit());
    let mut before = ' ';
    let end = rest.char_indices().find(|(_, c)| {
        let is_exponent = "+-".contains(*c) && "eE".contains(before);
        let is_inside = is_name(*c) || is_number && (*c == '.' || is_exponent);
        before = *c;
        !is_inside
    });
    end.map_or(rest.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::jinja::scan::Scan;

    #[test]
    fn additions_become_filters() {
        for (expression, expected) in [
            (" 'a' + b ", "( 'a' )|plus( b )"),
            ("a|safe + b.c + '+'", "((a|safe )|plus( b.c ))|plus( '+')"),
            (
                "f(a + b, c=d + 1e+5)",
                "f((a )|plus( b),c=(d )|plus( 1e+5))",
            ),
            ("a - b + c * -d", "((a )- b )|plus( c * -d)"),
            (
                "x in a + b if c + d == e else f[1 + 2]",
                "x in( a )|plus( b )if( c )|plus( d )== e else f[(1 )|plus( 2)]",
            ),
            ("{'a': b + c}", "{'a':( b )|plus( c)}"),
        ] {
            let found = rewritten(expression, "plus").unwrap();
            let plain = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(plain(&found), plain(expected), "{found}");
        }
        for expression in [
            "a", "-1", "a - +1", "'+'", "a[1:-1]", "a ~ -1", "1e+5", "a + b)",
        ] {
            assert_eq!(rewritten(expression, "plus"), None, "{expression}");
        }
    }

    #[test]
    fn only_safe_texts_need_it() {
        let needs = |source: &str| is_needed(source, &Scan::new(source).collect::<Vec<_>>());
        assert!(needs("{{ a | safe + b }}") && needs("{% set a = b|e %}"));
        assert!(!needs("{{ a | safely + b }}") && !needs("safe | safe {{ a }}"));
    }
}
