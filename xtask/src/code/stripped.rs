//! Token streams without doc comments and without tests.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// Removes the `#[doc = ".."]` that doc comments become; `text` is the file.
pub(super) fn without_docs(stream: TokenStream, text: &str) -> TokenStream {
    let mut kept = Vec::new();
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        if !is_comment(&tree, text) {
            kept.push(map_group(tree, |inner| without_docs(inner, text)));
            continue;
        }
        // `#`, `!` of an inner comment, and the brackets have the span of the comment.
        while trees
            .next_if(|next| is_comment(next, text) && !is_hash(next))
            .is_some()
        {}
    }
    kept.into_iter().collect()
}

fn is_comment(tree: &TokenTree, text: &str) -> bool {
    let start = tree.span().byte_range().start;
    let found = text.get(start..).unwrap_or_default();
    found.starts_with("//") || found.starts_with("/*")
}

fn is_hash(tree: &TokenTree) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == '#')
}

/// Removes whatever stands under `#[cfg(test)]` or `#[cfg(all(test, ..))]`.
pub(super) fn without_tests(stream: TokenStream) -> TokenStream {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    let mut kept = Vec::new();
    let mut at = 0;
    while let Some(tree) = trees.get(at) {
        if is_hash(tree) && trees.get(at + 1).is_some_and(is_test_attribute) {
            // Attributes before this one belong to what is removed.
            while let [.., hash, TokenTree::Group(group)] = kept.as_slice() {
                if !is_hash(hash) || group.delimiter() != Delimiter::Bracket {
                    break;
                }
                kept.truncate(kept.len() - 2);
            }
            at += 2 + length(&trees[at + 2..]);
            continue;
        }
        kept.push(map_group(tree.clone(), without_tests));
        at += 1;
    }
    kept.into_iter().collect()
}

fn is_test_attribute(tree: &TokenTree) -> bool {
    let TokenTree::Group(group) = tree else {
        return false;
    };
    let text: String = group.stream().to_string();
    let text: String = text.split_whitespace().collect();
    group.delimiter() == Delimiter::Bracket
        && (text == "cfg(test)" || text.starts_with("cfg(all(test,"))
}

/// Number of token trees of the item, field or arm that `trees` begin with.
fn length(trees: &[TokenTree]) -> usize {
    let mut at = 0;
    // More attributes, and the visibility.
    while let Some(tree) = trees.get(at) {
        let next = trees.get(at + 1);
        let group = matches!(next, Some(TokenTree::Group(_)));
        let paren = matches!(next, Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis);
        at += match word(tree).as_str() {
            "#" if group => 2,
            "pub" if paren => 2,
            "pub" => 1,
            _ => break,
        };
    }
    let first = trees.get(at).map(word).unwrap_or_default();
    let second = trees.get(at + 1).map(word).unwrap_or_default();
    let ends: fn(&TokenTree) -> bool = match first.as_str() {
        "use" | "let" | "static" | "type" => is_semicolon,
        "const" if !matches!(second.as_str(), "fn" | "unsafe" | "async" | "extern") => is_semicolon,
        "const" | "fn" | "mod" | "struct" | "enum" | "union" | "trait" | "impl" | "unsafe"
        | "async" | "extern" | "macro_rules" => |tree| is_semicolon(tree) || is_brace(tree),
        _ => |tree| is_brace(tree) || matches!(word(tree).as_str(), "," | ";"),
    };
    let rest = &trees[at..];
    let body = rest.iter().position(ends);
    at + body.map_or(rest.len(), |end| end + 1)
}

fn is_semicolon(tree: &TokenTree) -> bool {
    word(tree) == ";"
}

fn is_brace(tree: &TokenTree) -> bool {
    matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

fn word(tree: &TokenTree) -> String {
    match tree {
        TokenTree::Group(_) => String::new(),
        other => other.to_string(),
    }
}

fn map_group(tree: TokenTree, map: impl Fn(TokenStream) -> TokenStream) -> TokenTree {
    let TokenTree::Group(group) = tree else {
        return tree;
    };
    let mut mapped = Group::new(group.delimiter(), map(group.stream()));
    mapped.set_span(group.span());
    TokenTree::Group(mapped)
}
