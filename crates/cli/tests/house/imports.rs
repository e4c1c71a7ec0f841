//! Which module of a crate looks at which: read from `crate::`, `super::`, `self::` and the names of children.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::Source;

/// A module, as its path from the root of its crate; the root itself is empty.
pub(crate) type Module = Vec<String>;

/// Who imports whom inside one crate.
pub(crate) type Imports = BTreeMap<Module, BTreeSet<Module>>;

/// The imports of one crate's shipped files. Every module is a key, also one that imports nothing.
pub(crate) fn imports_of(sources: &[&Source]) -> Imports {
    let modules: BTreeSet<Module> = sources.iter().filter_map(|source| module_of(source)).collect();
    let mut imports = Imports::new();
    for source in sources {
        let Some(module) = module_of(source) else { continue };
        let found = paths(&source.shipped_code(), &module, &modules);
        let targets = found
            .iter()
            .map(|path| nearest(path, &modules))
            .filter(|target| *target != module);
        imports.entry(module.clone()).or_default().extend(targets);
    }
    imports
}

/// Import circles, each written `a -> b -> a`, each once.
pub(crate) fn circles(imports: &Imports) -> Vec<String> {
    let mut found = BTreeSet::new();
    for start in imports.keys() {
        if let Some(way) = way_back(imports, start) {
            let least = way
                .iter()
                .enumerate()
                .min_by_key(|(_, module)| (*module).clone())
                .map_or(0, |(at, _)| at);
            let turned = way[least..].iter().chain(&way[..=least]);
            found.insert(turned.map(name).collect::<Vec<_>>().join(" -> "));
        }
    }
    found.into_iter().collect()
}

/// How a module is written in a message.
pub(crate) fn name(module: &Module) -> String {
    if module.is_empty() {
        "lib".to_owned()
    } else {
        module.join("::")
    }
}

/// The module that a file is.
fn module_of(source: &Source) -> Option<Module> {
    let (_, rest) = source.place()?;
    let inside = rest.strip_prefix("src/")?.strip_suffix(".rs")?;
    let mut module: Module = inside.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod") || inside == "lib" || inside == "main" {
        module.pop();
    }
    source.is_shipped().then_some(module)
}

/// The shortest way from a module back to itself, without the second mention of it.
fn way_back(imports: &Imports, start: &Module) -> Option<Vec<Module>> {
    let mut ways = vec![vec![start.clone()]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in imports.get(way.last()?).into_iter().flatten() {
                if next == start {
                    return Some(way);
                }
                if seen.insert(next.clone()) {
                    longer.push(way.iter().cloned().chain([next.clone()]).collect());
                }
            }
        }
        ways = longer;
    }
    None
}

/// The longest beginning of a path that is a module.
fn nearest(path: &[String], modules: &BTreeSet<Module>) -> Module {
    (0..=path.len())
        .rev()
        .map(|end| path[..end].to_vec())
        .find(|beginning| modules.contains(beginning))
        .unwrap_or_default()
}

/// Every path in the code that points into the crate, from the crate's root.
fn paths(code: &str, module: &Module, modules: &BTreeSet<Module>) -> Vec<Module> {
    let tokens = tokens(code);
    let (mut found, mut depth, mut inline) = (Vec::new(), 0_usize, Vec::new());
    for at in 0..tokens.len() {
        let before = at.checked_sub(1).map_or("", |before| tokens[before]);
        match tokens[at] {
            "{" => {
                depth += 1;
                // `mod name {`: inside it, `super` is one step nearer than it looks.
                if at >= 2 && tokens[at - 2] == "mod" {
                    inline.push(depth);
                }
            }
            "}" => {
                inline.retain(|begun| *begun < depth);
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
        if tokens.get(at + 1) != Some(&"::") || matches!(before, "::" | "." | "$" | "in") {
            continue;
        }
        let (start, next) = match tokens[at] {
            "crate" => (Vec::new(), at + 2),
            "self" if inline.is_empty() => (module.clone(), at + 2),
            "super" => {
                let steps = tokens[at..]
                    .chunks(2)
                    .take_while(|pair| pair.first() == Some(&"super"))
                    .count();
                let up = steps.saturating_sub(inline.len());
                if up == 0 {
                    continue;
                }
                (module[..module.len().saturating_sub(up)].to_vec(), at + 2 * steps)
            }
            child => {
                let path: Module = module.iter().cloned().chain([child.to_owned()]).collect();
                if !modules.contains(&path) {
                    continue;
                }
                (path, at + 2)
            }
        };
        follow(&tokens, next, &start, &mut found);
    }
    found
}

/// Reads the tree of a path from the token after a `::`; returns the token after the tree.
fn follow(tokens: &[&str], at: usize, so_far: &[String], found: &mut Vec<Module>) -> usize {
    match tokens.get(at).copied() {
        Some("{") => {
            let mut at = at + 1;
            while at < tokens.len() && tokens[at] != "}" {
                at = if tokens[at] == "," {
                    at + 1
                } else {
                    follow(tokens, at, so_far, found)
                };
            }
            at + 1
        }
        Some(word)
            if word.starts_with(|first: char| first.is_alphabetic() || first == '_') && word != "self" =>
        {
            let path: Module = so_far.iter().cloned().chain([word.to_owned()]).collect();
            if tokens.get(at + 1) == Some(&"::") {
                return follow(tokens, at + 2, &path, found);
            }
            found.push(path);
            // `name as other`
            if tokens.get(at + 1) == Some(&"as") {
                at + 3
            } else {
                at + 1
            }
        }
        _ => {
            found.push(so_far.to_vec());
            at + 1
        }
    }
}

/// Words, `::`, and single signs.
fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = rest
            .find(|char: char| !char.is_alphanumeric() && char != '_')
            .unwrap_or(rest.len());
        let length = if rest.starts_with("::") {
            2
        } else {
            word.max(first.len_utf8())
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> Imports {
        let sources: Vec<Source> = files
            .iter()
            .map(|(path, text)| Source::new(&format!("crates/made_up/src/{path}"), text))
            .collect();
        imports_of(&sources.iter().collect::<Vec<_>>())
    }

    fn arrows(files: &[(&str, &str)]) -> Vec<String> {
        let imports = read(files);
        let arrows = imports
            .iter()
            .flat_map(|(from, to)| to.iter().map(move |to| format!("{}>{}", name(from), name(to))));
        arrows.collect()
    }

    #[test]
    fn every_way_to_write_an_import_is_seen() {
        let files = [
            ("lib.rs", "mod a; mod b; pub use b::Thing; mod e;"),
            (
                "a.rs",
                "use crate::{b::{self, c::{Deep, Other}}, e as f}; // crate::d",
            ),
            ("b/mod.rs", "mod c; mod d;"),
            ("b/c.rs", "use super::d::X; fn f() { crate::e::g(\"crate::a\") }"),
            ("b/d.rs", "mod inner { use super::Y; use super::super::c::Z; }"),
            ("e.rs", "#[cfg(test)] mod tests { use crate::a::Q; }"),
        ];
        let expected = [
            "lib>b",
            "a>b",
            "a>b::c",
            "a>e",
            "b::c>b::d",
            "b::c>e",
            "b::d>b::c",
        ];
        assert_eq!(arrows(&files), expected);
    }

    #[test]
    fn a_circle_is_found_and_named_once() {
        let files = [
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::b::B;"),
            ("b.rs", "use crate::c::C;"),
            ("c.rs", "use crate::a::A;"),
        ];
        assert_eq!(circles(&read(&files)), ["a -> b -> c -> a"]);
        assert!(circles(&read(&files[..3])).is_empty());
    }

    #[test]
    fn a_mod_rs_that_leads_and_serves_is_a_circle() {
        let files = [
            ("a/mod.rs", "mod b; fn f() { b::g() }"),
            ("a/b.rs", "use super::Shared;"),
        ];
        assert_eq!(circles(&read(&files)), ["a -> a::b -> a"]);
    }
}
