//! Modules: definitions, imports and mentioned paths.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

/// A module of a crate, in a file of its own or inline.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// Index of its file in the crate.
    pub(crate) file: usize,
    pub(super) parent: Option<usize>,
    pub(super) children: BTreeMap<String, usize>,
    /// Names of items defined here, modules and macros aside.
    pub(super) items: BTreeSet<String>,
    pub(crate) imports: Vec<Import>,
    /// Paths before `::*`.
    pub(super) globs: Vec<Vec<String>>,
    /// Paths in code, attributes and macro calls.
    pub(crate) mentions: Vec<Mention>,
}

/// A name that a `use` brings into scope.
#[derive(Debug, Clone)]
pub(crate) struct Import {
    pub(crate) name: String,
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
    /// Whether the import is visible outside of its module: a re-export.
    pub(crate) passes_on: bool,
}

/// A path in code.
#[derive(Debug, Clone)]
pub(crate) struct Mention {
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
    pub(crate) is_macro: bool,
}

/// A `mod name;` whose file has not been read yet.
#[derive(Debug)]
pub(super) struct Declared {
    pub(super) module: usize,
    /// Names of the inline modules around it, and its own.
    pub(super) names: Vec<String>,
}

/// Reads the items of a file into modules.
pub(super) struct Reader<'a> {
    pub(super) modules: &'a mut Vec<Module>,
    /// Macros by name: they are visible in the whole crate.
    pub(super) macros: &'a mut BTreeMap<String, usize>,
    pub(super) declared: Vec<Declared>,
    pub(super) current: usize,
    pub(super) inline: Vec<String>,
}

impl Reader<'_> {
    fn here(&mut self) -> &mut Module {
        &mut self.modules[self.current]
    }

    fn mention(&mut self, path: Vec<String>, line: usize, is_macro: bool) {
        self.here().mentions.push(Mention {
            path,
            line,
            is_macro,
        });
    }

    fn import(&mut self, tree: &syn::UseTree, prefix: &[String], passes_on: bool) {
        let add = |reader: &mut Self, ident: &syn::Ident, name: &syn::Ident| {
            let mut path = prefix.to_vec();
            if ident != "self" || path.is_empty() {
                path.push(ident.to_string());
            }
            let name = match name.to_string() {
                own if own == "self" => path.last().cloned().unwrap_or_default(),
                name => name,
            };
            let line = ident.span().start().line;
            reader.here().imports.push(Import {
                name,
                path,
                line,
                passes_on,
            });
        };
        match tree {
            syn::UseTree::Path(part) => {
                let mut prefix = prefix.to_vec();
                prefix.push(part.ident.to_string());
                self.import(&part.tree, &prefix, passes_on);
            }
            syn::UseTree::Name(name) => add(self, &name.ident, &name.ident),
            syn::UseTree::Rename(rename) => add(self, &rename.ident, &rename.rename),
            syn::UseTree::Glob(_) => self.here().globs.push(prefix.to_vec()),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, prefix, passes_on);
                }
            }
        }
    }

    /// Collects the paths in tokens that are not parsed: arguments of macros and attributes.
    fn scan(&mut self, stream: TokenStream, in_attribute: bool) {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        let punct = |at: usize, letter: char| matches!(trees.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == letter);
        let joined = |at: usize| punct(at, ':') && punct(at + 1, ':');
        let mut at = 0;
        while let Some(tree) = trees.get(at) {
            at += 1;
            match tree {
                TokenTree::Group(group) => self.scan(group.stream(), in_attribute),
                TokenTree::Literal(literal) if in_attribute => {
                    let path = syn::parse_str::<syn::LitStr>(&literal.to_string());
                    let path = path.and_then(|text| text.parse::<syn::Path>());
                    if let Ok(path) = path {
                        let line = literal.span().start().line;
                        self.mention(names(&path), line, false);
                    }
                }
                TokenTree::Ident(ident) => {
                    let before = at.checked_sub(2);
                    // `.field`, `'lifetime`, `::outside`
                    let is_path = before.is_none_or(|before| {
                        !(punct(before, '.')
                            || punct(before, '\'')
                            || punct(before, ':')
                                && before.checked_sub(1).is_some_and(|first| punct(first, ':')))
                    });
                    let mut path = vec![ident.to_string()];
                    while joined(at) {
                        let Some(TokenTree::Ident(next)) = trees.get(at + 2) else {
                            break;
                        };
                        path.push(next.to_string());
                        at += 3;
                    }
                    if is_path {
                        let is_macro = punct(at, '!');
                        self.mention(path, ident.span().start().line, is_macro);
                    }
                }
                _ => {}
            }
        }
    }
}

fn names(path: &syn::Path) -> Vec<String> {
    let segments = path.segments.iter();
    segments.map(|part| part.ident.to_string()).collect()
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let name = match item {
            syn::Item::Const(item) => Some(&item.ident),
            syn::Item::Enum(item) => Some(&item.ident),
            syn::Item::Fn(item) => Some(&item.sig.ident),
            syn::Item::Static(item) => Some(&item.ident),
            syn::Item::Struct(item) => Some(&item.ident),
            syn::Item::Trait(item) => Some(&item.ident),
            syn::Item::TraitAlias(item) => Some(&item.ident),
            syn::Item::Type(item) => Some(&item.ident),
            syn::Item::Union(item) => Some(&item.ident),
            _ => None,
        };
        if let Some(name) = name {
            self.here().items.insert(name.to_string());
        }
        visit::visit_item(self, item);
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        if let Some(name) = &item.ident {
            let file = self.here().file;
            self.macros.insert(name.to_string(), file);
        }
        visit::visit_item_macro(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let name = item.ident.to_string();
        let child = self.modules.len();
        self.modules.push(Module {
            file: self.modules[self.current].file,
            parent: Some(self.current),
            ..Module::default()
        });
        self.here().children.insert(name.clone(), child);
        self.inline.push(name);
        if let Some((_, items)) = &item.content {
            let outer = std::mem::replace(&mut self.current, child);
            for item in items {
                self.visit_item(item);
            }
            self.current = outer;
        } else {
            self.declared.push(Declared {
                module: child,
                names: self.inline.clone(),
            });
        }
        self.inline.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if item.leading_colon.is_none() {
            let passes_on = !matches!(item.vis, syn::Visibility::Inherited);
            self.import(&item.tree, &[], passes_on);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if let Some(first) = path.segments.first()
            && path.leading_colon.is_none()
        {
            self.mention(names(path), first.ident.span().start().line, false);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if let Some(first) = call.path.segments.first()
            && call.path.leading_colon.is_none()
        {
            let line = first.ident.span().start().line;
            self.mention(names(&call.path), line, true);
        }
        self.scan(call.tokens.clone(), false);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta
            && !list.path.is_ident("cfg")
        {
            self.scan(list.tokens.clone(), true);
        }
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}
