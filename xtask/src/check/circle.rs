//! No import circles between the files of a crate.
//!
//! A file depends on a file when its code names one of its items, whatever re-exports the path walks through.
//! Declaring a module, and re-exporting an item that the code beside it does not use, is no dependency.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use crate::code::{COMMAND, Krate, LIBRARIES, Target};

/// Root files of the other crates that are checked.
const PROGRAMS: [&str; 3] = ["xtask/src/main.rs", "tests/src/lib.rs", "tests/it/main.rs"];

/// For each pair of files, the line of one and the path that leads to the other.
type Edges = BTreeMap<usize, BTreeMap<usize, (usize, String)>>;

pub(super) fn check(root: &Path, faults: &mut Vec<String>) -> anyhow::Result<()> {
    let libraries = LIBRARIES.iter().map(|name| format!("{name}/src/lib.rs"));
    let programs = PROGRAMS.iter().map(|name| (*name).to_owned());
    let roots = libraries.chain(programs);
    for file in roots.chain([format!("{COMMAND}/src/main.rs")]) {
        if root.join(&file).exists() {
            faults.extend(circles(&Krate::read(root, &file)?));
        }
    }
    Ok(())
}

/// A message for each group of files that depend on each other.
fn circles(krate: &Krate) -> Vec<String> {
    let edges = edges(krate);
    let reach: BTreeMap<usize, BTreeMap<usize, usize>> = edges
        .keys()
        .map(|from| (*from, reached(&edges, *from)))
        .collect();
    let back = |from: usize, to: usize| {
        let found = reach.get(&from).and_then(|all| all.get(&to));
        found.is_some()
    };
    let mut seen = Vec::new();
    let mut messages = Vec::new();
    for start in 0..krate.files.len() {
        if seen.contains(&start) || !back(start, start) {
            continue;
        }
        let group: Vec<usize> = (start..krate.files.len())
            .filter(|other| back(start, *other) && back(*other, start))
            .collect();
        seen.extend(&group);
        messages.push(message(krate, &edges, &group));
    }
    messages
}

fn message(krate: &Krate, edges: &Edges, group: &[usize]) -> String {
    let mut lines = vec![format!(
        "import circle of {} files; move what both sides need into a file of its own:",
        group.len()
    )];
    for from in group {
        for (to, (line, path)) in edges.get(from).into_iter().flatten() {
            if group.contains(to) {
                let (from, to) = (&krate.files[*from].name, &krate.files[*to].name);
                lines.push(format!("    {from}:{line} uses {to} (`{path}`)"));
            }
        }
    }
    lines.join("\n")
}

fn edges(krate: &Krate) -> Edges {
    let mut edges = Edges::new();
    for (index, module) in krate.modules.iter().enumerate() {
        let mut add = |path: &[String], line: usize, is_macro: bool| {
            if let Some(Target::Item(file)) = krate.resolve(index, path, is_macro)
                && file != module.file
            {
                let from = edges.entry(module.file).or_default();
                from.entry(file).or_insert_with(|| (line, path.join("::")));
            }
        };
        for import in &module.imports {
            if !import.passes_on || module.uses(&import.name) {
                add(&import.path, import.line, true);
            }
        }
        for mention in &module.mentions {
            // A name alone is a local one, or has an import, or comes from a glob.
            let own = |name: &String| module.imports.iter().any(|import| import.name == *name);
            if mention.path.len() > 1 || !mention.path.first().is_some_and(own) {
                add(&mention.path, mention.line, mention.is_macro);
            }
        }
    }
    edges
}

/// The files that a file depends on, directly or not, with the number of steps to each.
fn reached(edges: &Edges, from: usize) -> BTreeMap<usize, usize> {
    let mut found = BTreeMap::new();
    let mut open = VecDeque::from([(from, 0)]);
    while let Some((file, steps)) = open.pop_front() {
        for next in edges.get(&file).into_iter().flat_map(BTreeMap::keys) {
            if !found.contains_key(next) {
                found.insert(*next, steps + 1);
                open.push_back((*next, steps + 1));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(texts: &[(&str, &str)]) -> anyhow::Result<Vec<String>> {
        Ok(circles(&Krate::of(texts)?))
    }

    #[test]
    fn two_files_that_import_each_other() -> anyhow::Result<()> {
        let found = found(&[
            ("x/src/lib.rs", "mod a; mod b;"),
            ("x/src/a.rs", "use crate::b::B;\npub struct A(B);"),
            ("x/src/b.rs", "pub struct B;\nfn f(_: &super::a::A) {}"),
        ])?;
        assert_eq!(
            found,
            [
                "import circle of 2 files; move what both sides need into a file of its own:\n    \
                 x/src/a.rs:1 uses x/src/b.rs (`crate::b::B`)\n    \
                 x/src/b.rs:2 uses x/src/a.rs (`super::a::A`)"
            ]
        );
        Ok(())
    }

    #[test]
    fn re_exports_globs_groups_and_macros_are_resolved() -> anyhow::Result<()> {
        // a -> b through a re-export of the parent, b -> c through a glob, c -> a within a macro call.
        let found = found(&[
            ("x/src/lib.rs", "mod room;"),
            (
                "x/src/room/mod.rs",
                "mod a; mod b; mod c; pub(crate) use a::A; pub(crate) use b::*; pub use c::C;",
            ),
            (
                "x/src/room/a.rs",
                "use super::{self as room, B as Other};\npub struct A;",
            ),
            ("x/src/room/b.rs", "use super::*;\npub struct B(C);"),
            (
                "x/src/room/c.rs",
                "pub struct C;\nfn f() { assert!(matches!(1, super::A)); }",
            ),
        ])?;
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("import circle of 3 files"),
            "{found:?}"
        );
        Ok(())
    }

    #[test]
    fn declarations_re_exports_and_tests_are_no_imports() -> anyhow::Result<()> {
        let found = found(&[
            (
                "x/src/lib.rs",
                "mod a; pub use a::A; pub struct Root; pub use b as c; mod b;",
            ),
            (
                "x/src/a.rs",
                "use crate::Root;\npub struct A(Root);\n#[cfg(test)] mod tests { use super::*; use crate::b::B; }",
            ),
            ("x/src/b.rs", "use crate::A;\npub struct B(A);"),
        ])?;
        assert_eq!(found, [""; 0]);
        Ok(())
    }

    #[test]
    fn a_parent_that_uses_what_it_re_exports_depends_on_it() -> anyhow::Result<()> {
        let found = found(&[
            ("x/src/lib.rs", "mod a; pub use a::A; pub struct Root(A);"),
            (
                "x/src/a.rs",
                "pub struct A; impl A { fn f(_: Option<&crate::Root>) {} }",
            ),
        ])?;
        assert_eq!(found.len(), 1);
        Ok(())
    }
}
