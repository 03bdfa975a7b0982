//! Methods of a Python `str`.

use minijinja::formatting::{self, FormatStyle};
use minijinja::{Error, ErrorKind, State, Value};

use super::arguments::Arguments;
use super::letter;
use super::refusal::refuse;

/// Longest text that padding may write.
const LONGEST: usize = 1 << 16;

/// Calls a method of `text`.
pub(super) fn call(
    state: &State<'_, '_>,
    text: &str,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    let none = || Arguments::new(method, args, []).map(|_: Arguments<'_, 0>| ());
    let one = || Arguments::new(method, args, [""]);
    let two = || Arguments::new(method, args, ["", ""]);
    let split = || Arguments::new(method, args, ["sep", "maxsplit"]);
    let all = |is: fn(char) -> bool| {
        none().map(|()| Value::from(!text.is_empty() && text.chars().all(is)))
    };
    Ok(match method {
        "upper" => none().map(|()| Value::from(text.to_uppercase()))?,
        "lower" => none().map(|()| Value::from(text.to_lowercase()))?,
        "title" => none().map(|()| Value::from(letter::title(text)))?,
        "capitalize" => none().map(|()| Value::from(letter::capitalize(text)))?,
        "swapcase" => none().map(|()| Value::from(letter::swap_case(text)))?,
        "isspace" => all(letter::is_space)?,
        "isalpha" => all(char::is_alphabetic)?,
        "isalnum" => all(char::is_alphanumeric)?,
        "isdigit" | "isnumeric" | "isdecimal" => {
            // Which of the other numerals count differs between the three.
            if text.chars().any(|c| !c.is_ascii() && c.is_numeric()) {
                return Err(refuse(format!(
                    "{method} is not supported for this character"
                )));
            }
            all(|c| c.is_ascii_digit())?
        }
        "isascii" => none().map(|()| Value::from(text.is_ascii()))?,
        "islower" => none().map(|()| Value::from(letter::has_only(text, char::is_lowercase)))?,
        "isupper" => none().map(|()| Value::from(letter::has_only(text, char::is_uppercase)))?,
        "strip" | "lstrip" | "rstrip" => {
            let args = one()?;
            Value::from(strip(text, method, args.some_text(0)?))
        }
        "removeprefix" => {
            let args = one()?;
            Value::from(text.strip_prefix(args.text(0)?).unwrap_or(text))
        }
        "removesuffix" => {
            let args = one()?;
            Value::from(text.strip_suffix(args.text(0)?).unwrap_or(text))
        }
        "replace" => {
            let args = Arguments::new(method, args, ["", "", "count"])?;
            Value::from(replace(
                state,
                text,
                args.text(0)?,
                args.text(1)?,
                args.integer(2)?,
            )?)
        }
        "startswith" | "endswith" => starts(text, method, args)?,
        "find" | "rfind" | "index" | "rindex" => find(text, method, args)?,
        "count" => {
            let args = Arguments::new(method, args, ["", "", ""])?;
            let (_, part) = part(text, args.integer(1)?, args.integer(2)?);
            let part = part.unwrap_or_default();
            Value::from(part.matches(args.text(0)?).count())
        }
        "split" => {
            let args = split()?;
            list(pieces(text, args.some_text(0)?, args.integer(1)?)?)
        }
        "rsplit" => {
            let args = split()?;
            list(last_pieces(text, args.some_text(0)?, args.integer(1)?)?)
        }
        "splitlines" => {
            let args = Arguments::new(method, args, ["keepends"])?;
            list(lines(text, args.get(0).is_some_and(Value::is_true)))
        }
        "partition" | "rpartition" => {
            let args = one()?;
            partition(text, method, args.text(0)?)?
        }
        "join" => {
            let args = one()?;
            Value::from(join(state, text, args.required(0)?)?)
        }
        "zfill" => {
            let args = one()?;
            let width = args.integer(0)?.unwrap_or(0);
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['+', '-'])));
            let zeros = missing(text, width)?;
            Value::from(format!("{sign}{}{digits}", "0".repeat(zeros)))
        }
        "ljust" | "rjust" | "center" => {
            let args = two()?;
            let fill = args.some_text(1)?.unwrap_or(" ");
            let width = args.integer(0)?;
            Value::from(pad(text, method, width.unwrap_or(0), fill)?)
        }
        "format" => {
            check_widths(text)?;
            Value::from(formatting::format(FormatStyle::StrFormat, text, args)?)
        }
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    })
}

fn list<'a>(items: impl IntoIterator<Item = &'a str>) -> Value {
    items.into_iter().map(Value::from).collect()
}

/// `strip`, `lstrip` or `rstrip`: without these characters, or without white space, at the ends.
pub(super) fn strip<'a>(text: &'a str, method: &str, characters: Option<&str>) -> &'a str {
    let is_stripped = |c: char| match characters {
        Some(characters) => characters.contains(c),
        None => letter::is_space(c),
    };
    match method {
        "lstrip" => text.trim_start_matches(is_stripped),
        "rstrip" => text.trim_end_matches(is_stripped),
        _ => text.trim_matches(is_stripped),
    }
}

/// Replaces a text, at most `count` times.
pub(super) fn replace(
    state: &State<'_, '_>,
    text: &str,
    old: &str,
    new: &str,
    count: Option<i64>,
) -> Result<String, Error> {
    let count = usize::try_from(count.unwrap_or(-1)).unwrap_or(usize::MAX);
    if new.len() > old.len() {
        // Paid for before it is written.
        let most = text.len() / old.len().max(1) + 1;
        let growth = most.min(count).saturating_mul(new.len() - old.len());
        state.consume_fuel((growth / 64) as u64)?;
    }
    Ok(text.replacen(old, new, count))
}

/// Characters from `start` to `end`, and the number of those before; `None` if `start` is behind the text.
fn part(text: &str, start: Option<i64>, end: Option<i64>) -> (usize, Option<&str>) {
    if start.is_none() && end.is_none() {
        return (0, Some(text));
    }
    let length = text.chars().count();
    let place = |at: i64| match usize::try_from(at) {
        Ok(at) => at,
        Err(_) => length.saturating_sub(at.unsigned_abs().try_into().unwrap_or(usize::MAX)),
    };
    let start = start.map_or(0, place);
    let end = end.map_or(length, place).min(length);
    if start > end {
        return (start, None);
    }
    let byte = |at| {
        text.char_indices()
            .nth(at)
            .map_or(text.len(), |(byte, _)| byte)
    };
    (start, text.get(byte(start)..byte(end)))
}

fn starts(text: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let args = Arguments::new(method, args, ["", "", ""])?;
    let (_, part) = part(text, args.integer(1)?, args.integer(2)?);
    let Some(part) = part else {
        return Ok(Value::from(false));
    };
    let is_at = |affix: &str| match method {
        "startswith" => part.starts_with(affix),
        _ => part.ends_with(affix),
    };
    let affix = args.required(0)?;
    if let Some(affix) = affix.as_str() {
        return Ok(Value::from(is_at(affix)));
    }
    if !affix.is_tuple() {
        let message = format!(
            "{method} takes a text or a tuple of texts, not {}",
            affix.kind()
        );
        return Err(refuse(message));
    }
    let mut any = false;
    for affix in affix.try_iter()? {
        let wrong = || refuse(format!("{method} takes a tuple of texts"));
        any |= is_at(affix.as_str().ok_or_else(wrong)?);
    }
    Ok(Value::from(any))
}

fn find(text: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let args = Arguments::new(method, args, ["", "", ""])?;
    let (before, part) = part(text, args.integer(1)?, args.integer(2)?);
    let what = args.text(0)?;
    let part = part.unwrap_or_default();
    let found = if method.starts_with('r') {
        part.rfind(what)
    } else {
        part.find(what)
    };
    match found {
        Some(at) => Ok(Value::from(before + part[..at].chars().count())),
        None if method.ends_with("index") => Err(refuse("substring not found")),
        None => Ok(Value::from(-1)),
    }
}

fn limit(count: Option<i64>) -> usize {
    usize::try_from(count.unwrap_or(-1)).unwrap_or(usize::MAX)
}

fn pieces<'a>(
    text: &'a str,
    separator: Option<&str>,
    count: Option<i64>,
) -> Result<Vec<&'a str>, Error> {
    let count = limit(count);
    match separator {
        Some("") => Err(refuse("empty separator")),
        Some(separator) => Ok(text.splitn(count.saturating_add(1), separator).collect()),
        None => {
            let mut pieces = Vec::new();
            let mut rest = text.trim_start_matches(letter::is_space);
            while !rest.is_empty() && pieces.len() < count {
                let end = rest.find(letter::is_space).unwrap_or(rest.len());
                pieces.push(&rest[..end]);
                rest = rest[end..].trim_start_matches(letter::is_space);
            }
            if !rest.is_empty() {
                // It keeps its white space at the end.
                pieces.push(rest);
            }
            Ok(pieces)
        }
    }
}

fn last_pieces<'a>(
    text: &'a str,
    separator: Option<&str>,
    count: Option<i64>,
) -> Result<Vec<&'a str>, Error> {
    let count = limit(count);
    let mut pieces: Vec<&str> = match separator {
        Some("") => return Err(refuse("empty separator")),
        Some(separator) => text.rsplitn(count.saturating_add(1), separator).collect(),
        None => {
            let mut pieces = Vec::new();
            let mut rest = text.trim_end_matches(letter::is_space);
            while !rest.is_empty() && pieces.len() < count {
                let start = rest
                    .char_indices()
                    .rfind(|(_, c)| letter::is_space(*c))
                    .map_or(0, |(at, c)| at + c.len_utf8());
                pieces.push(&rest[start..]);
                rest = rest[..start].trim_end_matches(letter::is_space);
            }
            if !rest.is_empty() {
                pieces.push(rest);
            }
            pieces
        }
    };
    pieces.reverse();
    Ok(pieces)
}

fn lines(text: &str, keep_ends: bool) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(letter::is_line_end) {
        let after = &rest[at..];
        let length = if after.starts_with("\r\n") {
            2
        } else {
            after.chars().next().map_or(1, char::len_utf8)
        };
        lines.push(&rest[..if keep_ends { at + length } else { at }]);
        rest = &after[length..];
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

fn partition(text: &str, method: &str, separator: &str) -> Result<Value, Error> {
    if separator.is_empty() {
        return Err(refuse("empty separator"));
    }
    let (before, between, after) = if method == "partition" {
        match text.split_once(separator) {
            Some((before, after)) => (before, separator, after),
            None => (text, "", ""),
        }
    } else {
        match text.rsplit_once(separator) {
            Some((before, after)) => (before, separator, after),
            None => ("", "", text),
        }
    };
    Ok(Value::from((before, between, after)))
}

fn join(state: &State<'_, '_>, separator: &str, items: &Value) -> Result<String, Error> {
    let mut text = String::new();
    if items.is_none() {
        return Err(refuse("join takes a list of texts, not none"));
    }
    for (index, item) in items.try_iter()?.checked().enumerate() {
        if index > 0 {
            state.consume_fuel(separator.len() as u64 / 64 + 1)?;
            text.push_str(separator);
        }
        let item = item?;
        let wrong = || {
            refuse(format!(
                "join takes a list of texts; item {index} is {}",
                item.kind()
            ))
        };
        text.push_str(item.as_str().ok_or_else(wrong)?);
    }
    Ok(text)
}

/// The number of characters that a text lacks to this width.
fn missing(text: &str, width: i64) -> Result<usize, Error> {
    let missing = usize::try_from(width)
        .unwrap_or(0)
        .saturating_sub(text.chars().count());
    if missing > LONGEST {
        return Err(refuse(format!(
            "a text is padded to at most {LONGEST} characters"
        )));
    }
    Ok(missing)
}

/// Refuses a format text with a width or a precision above the limit.
pub(super) fn check_widths(format: &str) -> Result<(), Error> {
    let numbers = format.split(|c: char| !c.is_ascii_digit());
    let is_long = |number: &str| {
        number
            .parse::<usize>()
            .map_or(!number.is_empty(), |n| n > LONGEST)
    };
    if numbers.into_iter().any(is_long) || format.contains("%*") || format.contains(".*") {
        return Err(refuse(format!(
            "a text is formatted to at most {LONGEST} characters, with widths in the format itself"
        )));
    }
    // The engine reads keys byte by byte.
    let mut keys = format.split("%(").skip(1).map(|key| key.split(')').next());
    let mut fields = format
        .split('{')
        .skip(1)
        .map(|field| field.split('}').next());
    let is_wide = |key: Option<&str>| key.is_some_and(|key| !key.is_ascii());
    if keys.any(is_wide) || fields.any(|it| is_wide(it) && it.is_some_and(|it| it.contains('['))) {
        return Err(refuse("the keys of a format have ASCII characters only"));
    }
    Ok(())
}

/// `ljust`, `rjust` or `center`.
pub(super) fn pad(text: &str, method: &str, width: i64, fill: &str) -> Result<String, Error> {
    if fill.chars().count() != 1 {
        return Err(refuse(
            "the fill character must be exactly one character long",
        ));
    }
    let missing = missing(text, width)?;
    let left = match method {
        "ljust" => 0,
        "rjust" => missing,
        // The rule of Python for an odd number.
        _ => missing / 2 + (missing & width.max(0) as usize & 1),
    };
    Ok([&fill.repeat(left), text, &fill.repeat(missing - left)].concat())
}
