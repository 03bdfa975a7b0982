//! Token streams as lists with positions.

use std::ops::Range;

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};

/// A token, or one end of a group.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    kind: Kind,
    pub(crate) text: String,
    pub(crate) line: usize,
    /// Bytes in the file.
    pub(crate) range: Range<usize>,
}

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ident,
    Punct,
    Literal,
    Delimiter,
}

/// All tokens in order; the delimiters of groups are tokens.
pub(super) fn flatten(stream: TokenStream) -> Vec<Token> {
    let mut tokens = Vec::new();
    push(stream, &mut tokens);
    tokens
}

fn push(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        let span = tree.span();
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                tokens.push(token(Kind::Delimiter, open.to_owned(), group.span_open()));
                push(group.stream(), tokens);
                tokens.push(token(Kind::Delimiter, close.to_owned(), group.span_close()));
            }
            TokenTree::Ident(ident) => tokens.push(token(Kind::Ident, ident.to_string(), span)),
            TokenTree::Punct(punct) => tokens.push(token(Kind::Punct, punct.to_string(), span)),
            TokenTree::Literal(literal) => {
                tokens.push(token(Kind::Literal, literal.to_string(), span));
            }
        }
    }
}

fn token(kind: Kind, text: String, span: Span) -> Token {
    Token {
        kind,
        text,
        line: span.start().line,
        range: span.byte_range(),
    }
}

impl Token {
    pub(crate) fn is_ident(&self) -> bool {
        self.kind == Kind::Ident
    }

    /// The value of a string literal.
    pub(crate) fn string(&self) -> Option<String> {
        if self.kind != Kind::Literal {
            return None;
        }
        match syn::parse_str(&self.text) {
            Ok(syn::Lit::Str(text)) => Some(text.value()),
            _ => None,
        }
    }
}
