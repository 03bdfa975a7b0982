//! The tags of a template.

use std::ops::Range;

/// A tag, `{% word body %}` or `{{ body }}`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tag {
    /// Place of the first word. It is empty in an output.
    pub(super) word: Range<usize>,
    /// Place of what follows it, without the mark for white space at the end.
    pub(super) body: Range<usize>,
}

/// The tags of a template in their order. Comments, texts in quotes and raw blocks have none.
pub(super) struct Scan<'a> {
    source: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        Self { source, at: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn skip(&mut self, count: usize) {
        self.at = (self.at + count).min(self.source.len());
    }

    /// The identifier at the start of a tag.
    fn word(&mut self) -> Range<usize> {
        if self.rest().starts_with(['-', '+']) {
            self.skip(1);
        }
        let start = self.source.len() - self.rest().trim_start().len();
        let rest = &self.source[start..];
        let length = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        self.at = start + length;
        start..self.at
    }

    fn is_tag_end(&self) -> bool {
        let rest = self.rest().trim_start();
        let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest);
        rest.starts_with("%}")
    }

    /// Goes behind the tag that ends a raw block.
    fn skip_raw(&mut self) -> Option<()> {
        loop {
            self.at += self.rest().find("{%")? + 2;
            let word = self.word();
            if &self.source[word] == "endraw" && self.is_tag_end() {
                self.at += self.rest().find("%}")? + 2;
                return Some(());
            }
        }
    }

    /// Goes behind the mark that ends a tag; returns the place of that mark.
    fn skip_expression(&mut self, end: &str) -> usize {
        let rest = self.rest();
        let place = top_level(rest).find(|(at, _)| rest[*at..].starts_with(end));
        let place = place.map_or(rest.len(), |(at, _)| at);
        self.skip(place + end.len());
        self.source.len() - rest.len() + place
    }
}

impl Iterator for Scan<'_> {
    type Item = Tag;

    fn next(&mut self) -> Option<Tag> {
        loop {
            self.at += self.rest().find('{')?;
            match self.rest().as_bytes().get(1) {
                Some(b'#') => {
                    self.skip(2);
                    self.at += self.rest().find("#}")? + 2;
                }
                Some(b'{') => {
                    self.skip(2);
                    let start = self.at;
                    let end = self.skip_expression("}}");
                    return Some(Tag {
                        word: start..start,
                        body: start..end,
                    });
                }
                Some(b'%') => {
                    self.skip(2);
                    let word = self.word();
                    if &self.source[word.clone()] == "raw" && self.is_tag_end() {
                        self.skip_raw()?;
                        continue;
                    }
                    let end = self.skip_expression("%}");
                    let body = &self.source[word.end..end];
                    let body = word.end..word.end + body.trim_end_matches(['-', '+']).len();
                    return Some(Tag { word, body });
                }
                _ => self.skip(1),
            }
        }
    }
}

/// Whether a character is part of an identifier.
pub(super) fn is_name(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}

/// The characters of an expression with their places, without those in brackets and in texts.
pub(super) fn top_level(expression: &str) -> impl Iterator<Item = (usize, char)> {
    let mut depth = 0_usize;
    outside_of_texts(expression).filter(move |(_, c)| {
        match c {
            '(' | '[' | '{' => depth += 1,
            // The mark at the end of an output has two that close nothing.
            ')' | ']' | '}' if depth > 0 => {
                depth -= 1;
                return false;
            }
            _ => {}
        }
        depth == 0
    })
}

/// The characters of an expression with their places, without texts in quotes.
fn outside_of_texts(expression: &str) -> impl Iterator<Item = (usize, char)> {
    let mut quote = None;
    let mut is_escaped = false;
    expression.char_indices().filter(move |(_, c)| {
        let Some(open) = quote else {
            quote = matches!(c, '\'' | '"').then_some(*c);
            return quote.is_none();
        };
        if !is_escaped && *c == open {
            quote = None;
        }
        is_escaped = *c == '\\' && !is_escaped;
        false
    })
}

/// The number of brackets that are open at once.
pub(super) fn deepest(expression: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for (_, c) in outside_of_texts(expression) {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// Place of a word of an expression, outside of brackets and texts.
pub(super) fn top_level_word(expression: &str, word: &str) -> Option<usize> {
    let is_boundary = |c: Option<char>| !c.is_some_and(is_name);
    top_level(expression).map(|(at, _)| at).find(|at| {
        let (before, after) = expression.split_at(*at);
        let rest = after.strip_prefix(word);
        rest.is_some_and(|rest| is_boundary(rest.chars().next()))
            && is_boundary(before.chars().next_back())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<(&str, &str)> {
        let tags = Scan::new(source);
        tags.map(|tag| (&source[tag.word], source[tag.body].trim()))
            .collect()
    }

    #[test]
    fn tags_have_a_word_and_a_body() {
        assert_eq!(
            words("a{%- for x in y -%}{{ x }}{%+endfor+%}{% set a = {'b': ['%}']} %}"),
            [
                ("for", "x in y"),
                ("", "x"),
                ("endfor", ""),
                ("set", "a = {'b': ['%}']}")
            ]
        );
    }

    #[test]
    fn comments_texts_and_raw_blocks_have_none() {
        for source in [
            "{# {% a %} #}",
            "{% raw %}{% a %}{%- endraw -%}",
            "{%- raw -%}{{ {% a %}{% endraw %}",
            "{#",
            "{",
        ] {
            assert_eq!(words(source), [], "{source}");
        }
        for body in ["'{% a %}'", "\"\\\"{% a %}\"", "{'a': {'b': '}}'}}"] {
            assert_eq!(words(&format!("{{{{ {body} }}}}")), [("", body)]);
        }
    }

    #[test]
    fn what_has_no_end_reaches_to_the_end() {
        for (source, tag) in [
            ("{% a", ("a", "")),
            ("{%", ("", "")),
            ("{%}", ("", "}")),
            ("{{ a", ("", "a")),
        ] {
            assert_eq!(words(source), [tag], "{source}");
        }
    }

    #[test]
    fn words_are_found_outside_of_brackets_and_texts() {
        assert_eq!(top_level_word("x in (a if b) if c", "if"), Some(14));
        assert_eq!(top_level_word("x in ' if ' | iffy", "if"), None);
    }
}
