//! A template in the form that the engine runs.
//!
//! The engine has a fixed set of tags. What it lacks, or handles otherwise than Jinja for Python, is written with the
//! tags that it has; text and white space around them stay the same.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::plus;
use super::scan::{Scan, Tag, deepest, is_name, top_level, top_level_word};

/// Blocks within blocks, of those that have variables of their own.
const DEEPEST: usize = 50;

/// Brackets within brackets of an expression.
const MOST_BRACKETS: usize = 24;

/// Words that are operators of expressions and no names.
const OPERATORS: [&str; 7] = ["and", "else", "if", "in", "is", "not", "or"];

/// A template for the engine.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// The template.
    pub(super) text: String,
    /// Name of the function that its generation blocks call. The original does not contain it.
    pub(super) generation: String,
    /// Name of the filter for values that are assigned. The original does not contain it.
    pub(super) kept: String,
    /// Name of the filter that adds, if the template makes safe texts. The original does not contain it.
    pub(super) plus: Option<String>,
    /// Name of the filter that refuses loops over what is not iterable. The original does not contain it.
    pub(super) iterable: String,
}

impl Source {
    /// Rewrites a template. The error is a line of it, and what is wrong there.
    pub(super) fn new(original: &str) -> Result<Self, (usize, String)> {
        // Line ends as Jinja reads them.
        let original = original.replace("\r\n", "\n").replace('\r', "\n");
        let name = |name: &str| {
            let mut name = name.to_owned();
            while original.contains(&name) {
                name.push('_');
            }
            name
        };
        let mut source = Self {
            text: String::with_capacity(original.len()),
            generation: name("generation_block"),
            kept: name("kept"),
            iterable: name("iterable"),
            plus: None,
        };
        let tags: Vec<Tag> = Scan::new(&original).collect();
        source.plus = plus::is_needed(&original, &tags).then(|| name("plus"));
        let ends = ends(&original, &tags)?;
        let mut copied = 0;
        for (index, tag) in tags.iter().enumerate() {
            let inside = ends[index].map(|end| &tags[index + 1..end]);
            if let Some(rewritten) = source.rewritten(&original, tag, inside) {
                source.text.push_str(&original[copied..tag.word.start]);
                source.text.push_str(&rewritten);
                copied = tag.body.end;
            }
        }
        source.text.push_str(&original[copied..]);
        Ok(source)
    }

    /// Another form of a tag, given the tags inside of its block; `None` if it stays.
    fn rewritten(&self, original: &str, tag: &Tag, inside: Option<&[Tag]>) -> Option<String> {
        let body = self.with_plus(original, tag);
        let names = || names(original, inside.unwrap_or_default());
        match &original[tag.word.clone()] {
            "macro" => Some(format!("macro{body}{}", names())),
            // The engine's variables of a block are those of its first run in the loop around it, unless a `with` block
            // is between.
            "call" => Some(format!("with %}}{{% call{body}{}", names())),
            // `transformers` makes a `call` block of it too.
            "generation" => {
                let function = &self.generation;
                Some(format!("with %}}{{% call {function}(){body}{}", names()))
            }
            "endcall" | "endgeneration" => Some(format!("endcall{body}%}}{{% endwith ")),
            "set" => {
                let at = top_level(&body).find(|(_, c)| *c == '=')?.0;
                let (target, value) = (&body[..at], &body[at + 1..]);
                let kept = &self.kept;
                let is_attribute = if target.contains('.') { "(true)" } else { "" };
                Some(format!("set{target}= ({value})|{kept}{is_attribute} "))
            }
            // A loop over none is an error in Python, and no loop for the engine.
            "for" => {
                let (targets, values) = body.split_at(top_level_word(&body, "in")? + 2);
                let ends = ["if", "recursive"].map(|end| top_level_word(values, end));
                let end = ends.into_iter().flatten().min().unwrap_or(values.len());
                let (values, rest) = values.split_at(end);
                let iterable = &self.iterable;
                Some(format!("for{targets} ({values})|{iterable} {rest}"))
            }
            word => match body {
                Cow::Owned(body) => Some(format!("{word}{body}")),
                Cow::Borrowed(_) => None,
            },
        }
    }

    /// The text after the first word of a tag, with the filter in place of `+` if the template needs it.
    fn with_plus<'t>(&self, original: &'t str, tag: &Tag) -> Cow<'t, str> {
        let body = &original[tag.body.clone()];
        let Some(name) = &self.plus else {
            return body.into();
        };
        // Outputs have the marks for white space here.
        let marks = ['-', '+'];
        let (start, end) = if tag.word.is_empty() {
            let start = usize::from(body.starts_with(marks));
            (
                start,
                body.len() - usize::from(body[start..].ends_with(marks)),
            )
        } else {
            (0, body.len())
        };
        match plus::rewritten(&body[start..end], name) {
            Some(inside) => format!("{}{inside}{}", &body[..start], &body[end..]).into(),
            None => body.into(),
        }
    }
}

/// For each tag that opens a block with variables of its own, the index of the tag that ends it.
fn ends(original: &str, tags: &[Tag]) -> Result<Vec<Option<usize>>, (usize, String)> {
    let mut ends = vec![None; tags.len()];
    let mut open = Vec::new();
    let wrong = |tag: &Tag, what: String| {
        let line = original[..tag.word.start].matches('\n').count() + 1;
        (line, what)
    };
    for (index, tag) in tags.iter().enumerate() {
        let word = &original[tag.word.clone()];
        if deepest(&original[tag.body.clone()]) > MOST_BRACKETS {
            let what = format!("brackets are nested more than {MOST_BRACKETS} levels deep");
            return Err(wrong(tag, what));
        }
        match word {
            "autoescape" => {
                let what = "`autoescape` would write HTML; leave it out";
                return Err(wrong(tag, what.to_owned()));
            }
            "call" | "generation" | "macro" => {
                if open.len() == DEEPEST {
                    return Err(wrong(
                        tag,
                        format!("`{word}` is inside of {DEEPEST} others"),
                    ));
                }
                open.push((word, index));
            }
            "endcall" | "endgeneration" | "endmacro" => {
                let opened = open.pop();
                let name = opened.map(|(name, _)| name);
                let found = name.map_or("no block".to_owned(), |it| format!("`{it}`"));
                match opened.filter(|_| name == word.strip_prefix("end")) {
                    Some((_, start)) => ends[start] = Some(index),
                    None => return Err(wrong(tag, format!("`{word}` ends {found}"))),
                }
            }
            _ => {}
        }
    }
    Ok(ends)
}

/// A statement without effect that names every variable inside of a block, to follow the tag that opens it.
///
/// The engine passes to a block the outer variables that it names before it assigns to them. In Jinja the order is of no
/// importance: `{% set x = x + 1 %}` reads the outer variable.
fn names(original: &str, inside: &[Tag]) -> String {
    let mut names = BTreeSet::new();
    for tag in inside {
        let body = &original[tag.body.clone()];
        let words = body.split(|c| !is_name(c));
        names.extend(words.filter(|word| {
            word.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
                && !OPERATORS.contains(word)
        }));
    }
    let names: Vec<&str> = names.into_iter().collect();
    format!(
        "%}}{{% if false %}}{{{{ [{}] }}}}{{% endif ",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(source: &str) -> String {
        Source::new(source).unwrap().text
    }

    #[test]
    fn generation_blocks_become_call_blocks() {
        assert_eq!(
            rewritten("a {%- generation -%} {{ b.c + 'd' if 1 }} {%+ endgeneration %}c"),
            "a {%- with %}{% call generation_block() %}{% if false %}{{ [b, c, d] }}{% endif -%} \
             {{ b.c + 'd' if 1 }} {%+ endcall %}{% endwith %}c"
        );
    }

    #[test]
    fn names_elsewhere_are_left() {
        for source in [
            "{# {% generation %} {% endgeneration %} #}",
            "{{ '{% generation %}' }}",
            "{% raw %}{% generation %}{% endraw %}",
            "{% if generation == '{% for a in b %}' %}{{ generation }}",
        ] {
            assert_eq!(rewritten(source), source);
        }
    }

    #[test]
    fn loops_refuse_what_is_not_iterable() {
        for (body, expected) in [
            ("a in b ", "a in ( b )|iterable "),
            (
                "a, b in c['in'] if a ",
                "a, b in ( c['in'] )|iterable if a ",
            ),
            ("a in b recursive ", "a in ( b )|iterable recursive "),
            ("a in (b if c) ", "a in ( (b if c) )|iterable "),
        ] {
            let source = format!("{{%- for {body}-%}}{{% endfor %}}");
            let expected = format!("{{%- for {expected}-%}}{{% endfor %}}");
            assert_eq!(rewritten(&source), expected);
        }
    }

    #[test]
    fn assigned_values_go_through_a_filter() {
        for (body, expected) in [
            ("a = 1, 2 ", "a = ( 1, 2 )|kept "),
            ("a.b = c == d ", "a.b = ( c == d )|kept(true) "),
            ("a | f(b=1) ", "a | f(b=1) "),
            ("a ", "a "),
        ] {
            let source = format!("{{% set {body}-%}}");
            assert_eq!(rewritten(&source), format!("{{% set {expected}-%}}"));
        }
    }

    #[test]
    fn added_names_are_not_names_of_the_template() {
        let source = Source::new("{{ generation_block }}{{ iterable_ }}").unwrap();
        assert_eq!(source.generation, "generation_block_");
        assert_eq!(source.iterable, "iterable__");
    }

    #[test]
    fn blocks_end_with_their_own_tag() {
        for source in [
            "\n{% generation %}{% endcall %}",
            "\n{% call f() %}{% endgeneration %}",
            "\n{% endgeneration %}",
            "\n{% autoescape true %}{% endautoescape %}",
            &format!(
                "\n{{{{ {}1{} }}}}",
                "[".repeat(MOST_BRACKETS + 1),
                "]".repeat(MOST_BRACKETS + 1)
            ),
            &("\n".to_owned() + &"{% generation %}".repeat(DEEPEST + 1)),
        ] {
            assert_eq!(Source::new(source).unwrap_err().0, 2, "{source}");
        }
    }
}
