//! Classes and cases of characters as Python has them.

/// White space of `str.isspace` and `str.strip`.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// An end of a line of `str.splitlines`.
pub(super) fn is_line_end(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// Whether a text has letters of this case and none of another.
pub(super) fn has_only(text: &str, is: fn(char) -> bool) -> bool {
    text.chars().any(is) && !text.chars().any(|c| is_cased(c) && !is(c))
}

/// `str.capitalize`: the first character in title case, the others in lower case.
pub(super) fn capitalize(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    if let Some(first) = text.chars().next() {
        push_title(first, &mut out);
        push_lower(text, first.len_utf8(), &mut out);
    }
    out
}

/// `str.title`: each letter after a character that is none in title case, the others in lower case.
pub(super) fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut is_inside = false;
    for (at, c) in text.char_indices() {
        if is_inside {
            push_lower_char(text, at, c, &mut out);
        } else {
            push_title(c, &mut out);
        }
        is_inside = is_cased(c);
    }
    out
}

/// `str.swapcase`.
pub(super) fn swap_case(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if c.is_uppercase() {
            push_lower_char(text, at, c, &mut out);
        } else if c.is_lowercase() {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
    }
    out
}

fn is_cased(c: char) -> bool {
    c.is_uppercase() || c.is_lowercase() || is_title(c)
}

/// Letters that are title case themselves.
fn is_title(c: char) -> bool {
    matches!(c, 'ǅ' | 'ǈ' | 'ǋ' | 'ǲ' | '\u{1f88}'..='\u{1f8f}' | '\u{1f98}'..='\u{1f9f}'
        | '\u{1fa8}'..='\u{1faf}' | '\u{1fbc}' | '\u{1fcc}' | '\u{1ffc}')
}

fn push_lower(text: &str, from: usize, out: &mut String) {
    for (at, c) in text[from..].char_indices() {
        push_lower_char(text, from + at, c, out);
    }
}

/// The lower case of one character. A capital sigma at the end of a word has one of its own.
fn push_lower_char(text: &str, at: usize, c: char, out: &mut String) {
    if c == 'Σ' {
        let is_ignored = |c: &char| matches!(c, '\'' | '.' | ':' | '^' | '`' | '\u{ad}' | '·');
        let before = text[..at].chars().rev().find(|c| !is_ignored(c));
        let after = text[at + c.len_utf8()..].chars().find(|c| !is_ignored(c));
        let is_last = before.is_some_and(is_cased) && !after.is_some_and(is_cased);
        out.push(if is_last { 'ς' } else { 'σ' });
    } else {
        out.extend(c.to_lowercase());
    }
}

fn push_title(c: char, out: &mut String) {
    if c.is_ascii() {
        return out.push(c.to_ascii_uppercase());
    }
    match c {
        // Two letters in one character.
        'Ǆ'..='ǆ' => out.push('ǅ'),
        'Ǉ'..='ǉ' => out.push('ǈ'),
        'Ǌ'..='ǌ' => out.push('ǋ'),
        'Ǳ'..='ǳ' => out.push('ǲ'),
        'ß' => out.push_str("Ss"),
        'ﬀ' => out.push_str("Ff"),
        'ﬁ' => out.push_str("Fi"),
        'ﬂ' => out.push_str("Fl"),
        'ﬃ' => out.push_str("Ffi"),
        'ﬄ' => out.push_str("Ffl"),
        'ﬅ' | 'ﬆ' => out.push_str("St"),
        'և' => out.push_str("Եւ"),
        // Georgian letters are their own title case.
        '\u{10d0}'..='\u{10fa}' | '\u{10fd}'..='\u{10ff}' => out.push(c),
        _ => out.extend(c.to_uppercase()),
    }
}
