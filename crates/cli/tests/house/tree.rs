//! The tree itself, read from the disk.

#![expect(clippy::unwrap_used, reason = "a tree that cannot be read must fail the test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::source::Source;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every Rust file of the house, in the order of their paths.
pub(crate) fn sources() -> Vec<Source> {
    let root = root();
    let mut paths = Vec::new();
    for folder in ["bench", "crates", "examples", "fuzz", "interop"] {
        collect(&root.join(folder), &mut paths);
    }
    paths.sort();
    let read = |path: &PathBuf| {
        let name = path
            .strip_prefix(&root)
            .unwrap()
            .to_string_lossy()
            .replace('\\', "/");
        Source::new(&name, &std::fs::read_to_string(path).unwrap())
    };
    paths.iter().map(read).collect()
}

/// The manifest of each crate, by folder.
pub(crate) fn manifests() -> BTreeMap<String, String> {
    let crates = root().join("crates");
    let manifest = |folder: String| {
        let text = std::fs::read_to_string(crates.join(&folder).join("Cargo.toml")).ok()?;
        Some((folder, text))
    };
    names_in(&crates).into_iter().filter_map(manifest).collect()
}

/// The names in a folder; none when there is no such folder.
pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// Asserts that a generated page is current. With `variable=1` in the environment, writes it first.
pub(crate) fn generated(path: &str, page: &str, variable: &str) {
    let file = root().join(path);
    if std::env::var_os(variable).is_some_and(|value| value == "1") {
        std::fs::write(&file, page).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == page,
        "{path} is out of date. Run: {variable}=1 cargo test -p carnet --test house"
    );
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for name in names_in(folder) {
        let path = folder.join(&name);
        if path.is_dir() && !matches!(name.as_str(), "target" | "node_modules") && !name.starts_with('.') {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}
