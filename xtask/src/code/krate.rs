//! Module tree of a crate without its tests, and resolution of paths to files.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use anyhow::Context;
use syn::visit::Visit;

use super::Source;
use super::module::{Declared, Module, Reader};

/// A crate, read from its root file.
#[derive(Debug, Default)]
pub(crate) struct Krate {
    pub(crate) files: Vec<Source>,
    /// The first is the root.
    pub(crate) modules: Vec<Module>,
    macros: BTreeMap<String, usize>,
}

/// Target of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Module(usize),
    /// An item of the file with this index.
    Item(usize),
}

impl Krate {
    /// Reads the modules that `root_file` (`x/src/lib.rs`) declares.
    pub(crate) fn read(root: &Path, root_file: &str) -> anyhow::Result<Self> {
        let exists = |name: &str| root.join(name).is_file();
        Self::walk(root_file, &exists, &|name| Source::read(root, name))
    }

    /// A crate of texts, for tests; the first one is the root.
    #[cfg(test)]
    pub(crate) fn of(texts: &[(&str, &str)]) -> anyhow::Result<Self> {
        let find = |name: &str| texts.iter().find(|(own, _)| *own == name);
        let read = |name: &str| {
            let (_, text) = find(name).context("no such file")?;
            Source::parse(name, (*text).to_owned())
        };
        Self::walk(texts[0].0, &|name| find(name).is_some(), &read)
    }

    fn walk(
        root_file: &str,
        exists: &dyn Fn(&str) -> bool,
        read: &dyn Fn(&str) -> anyhow::Result<Source>,
    ) -> anyhow::Result<Self> {
        let mut krate = Self::default();
        krate.modules.push(Module::default());
        let mut open = VecDeque::from(krate.add(read(root_file)?, 0)?);
        while let Some((folder, declared)) = open.pop_front() {
            let place = format!("{folder}/{}", declared.names.join("/"));
            let choices = [format!("{place}.rs"), format!("{place}/mod.rs")];
            let name = choices.iter().find(|name| exists(name));
            let name = name.with_context(|| format!("no file for module {place}"))?;
            open.extend(krate.add(read(name)?, declared.module)?);
        }
        Ok(krate)
    }

    /// Reads a file into a module. Returns the modules it declares, each with the folder of its file.
    fn add(&mut self, source: Source, module: usize) -> anyhow::Result<Vec<(String, Declared)>> {
        let syntax: syn::File = syn::parse2(source.code())
            .with_context(|| format!("{} is not valid Rust", source.name))?;
        let (folder, name) = source.name.rsplit_once('/').unwrap_or((".", &source.name));
        let is_root = matches!(name, "mod.rs" | "lib.rs" | "main.rs") || self.files.is_empty();
        let folder = match name.strip_suffix(".rs") {
            Some(stem) if !is_root => format!("{folder}/{stem}"),
            _ => folder.to_owned(),
        };
        self.modules[module].file = self.files.len();
        self.files.push(source);
        let mut reader = Reader {
            modules: &mut self.modules,
            macros: &mut self.macros,
            declared: Vec::new(),
            current: module,
            inline: Vec::new(),
        };
        reader.visit_file(&syntax);
        let declared = reader.declared.into_iter();
        Ok(declared.map(|found| (folder.clone(), found)).collect())
    }

    /// Resolves a path in module `from`; `None` for paths into other crates.
    pub(crate) fn resolve(&self, from: usize, path: &[String], is_macro: bool) -> Option<Target> {
        self.follow(from, path, &mut BTreeSet::new()).or_else(|| {
            let name = path.first().filter(|_| path.len() == 1 && is_macro)?;
            self.macros.get(name).copied().map(Target::Item)
        })
    }

    fn follow(&self, from: usize, path: &[String], seen: &mut Seen) -> Option<Target> {
        let mut target = None;
        for (index, name) in path.iter().enumerate() {
            let is_last = index + 1 == path.len();
            target = match (target, name.as_str()) {
                (None, "crate") => Some(Target::Module(0)),
                (None, "self") => Some(Target::Module(from)),
                (None, "super") => self.modules[from].parent.map(Target::Module),
                (Some(Target::Module(module)), "super") => {
                    self.modules[module].parent.map(Target::Module)
                }
                (None, _) => self.look_up(from, name, is_last, seen),
                (Some(Target::Module(module)), _) => self.look_up(module, name, is_last, seen),
                (Some(Target::Item(file)), _) => return Some(Target::Item(file)),
            };
            target?;
        }
        target
    }

    /// Resolves a name in a module: items, child modules, imports, glob imports.
    fn look_up(&self, module: usize, name: &str, is_last: bool, seen: &mut Seen) -> Option<Target> {
        let here = &self.modules[module];
        let child = here.children.get(name).copied().map(Target::Module);
        if !is_last && child.is_some() {
            return child;
        }
        if here.items.contains(name) {
            return Some(Target::Item(here.file));
        }
        if !seen.insert((module, name.to_owned())) {
            return child;
        }
        let imports = here.imports.iter().filter(|import| import.name == name);
        let imported = imports.map(|import| {
            let found = self.follow(module, &import.path, seen);
            let of_macro = || self.resolve_macro(&import.path);
            found.or_else(of_macro)
        });
        let imported = imported.flatten().next();
        let through_globs = |seen: &mut Seen| {
            here.globs.iter().find_map(|glob| {
                let Some(Target::Module(other)) = self.follow(module, glob, seen) else {
                    return None;
                };
                self.look_up(other, name, is_last, seen)
            })
        };
        imported.or(child).or_else(|| through_globs(seen))
    }

    fn resolve_macro(&self, path: &[String]) -> Option<Target> {
        let name = path.first().filter(|_| path.len() == 1)?;
        self.macros.get(name).copied().map(Target::Item)
    }
}

type Seen = BTreeSet<(usize, String)>;

impl Module {
    /// Whether the code of this module begins a path with this name.
    pub(crate) fn uses(&self, name: &str) -> bool {
        self.mentions
            .iter()
            .any(|mention| mention.path.first().is_some_and(|first| first == name))
    }
}
