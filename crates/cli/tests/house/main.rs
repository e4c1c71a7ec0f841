//! The house rules: what no compiler checks, checked. `docs/architecture.md` says why each of them is there.

mod codes;
mod decisions;
mod floors;
mod imports;
mod rules;
mod source;
mod specs;
mod tree;

use crate::floors::{CLI, GATEWAY, SERVER, crate_breaks, module_breaks};
use crate::imports::{circles, imports_of};
use crate::rules::{EXCUSED, RULES, findings};
use crate::source::Source;
use crate::tree::{generated, manifests, root, sources};

fn assert_none(broken: &[String]) {
    assert!(
        broken.is_empty(),
        "{} times:\n{}\n",
        broken.len(),
        broken.join("\n")
    );
}

fn of_crate<'a>(sources: &'a [Source], folder: &str) -> Vec<&'a Source> {
    sources
        .iter()
        .filter(|source| source.place().is_some_and(|(place, _)| place == folder))
        .collect()
}

#[test]
fn crates_stand_on_lower_crates_only() {
    assert_none(&crate_breaks(&manifests()));
}

#[test]
fn modules_stand_on_lower_modules_only() {
    let sources = sources();
    let server = module_breaks("server", SERVER, &imports_of(&of_crate(&sources, "server")));
    let cli = module_breaks("cli", CLI, &imports_of(&of_crate(&sources, "cli")));
    let gateway = module_breaks("gateway", GATEWAY, &imports_of(&of_crate(&sources, "gateway")));
    assert_none(&[server, gateway, cli].concat());
}

#[test]
fn no_crate_has_a_circle_of_imports() {
    let sources = sources();
    let mut broken = Vec::new();
    for folder in manifests().keys() {
        let found = circles(&imports_of(&of_crate(&sources, folder)));
        broken.extend(
            found
                .into_iter()
                .map(|circle| format!("crates/{folder}: {circle}")),
        );
    }
    assert_none(&broken);
}

#[test]
fn every_file_keeps_the_rules() {
    let sources = sources();
    assert!(
        sources.len() > 50,
        "the tree was not found: {} files",
        sources.len()
    );
    let broken: Vec<String> = sources
        .iter()
        .flat_map(|source| RULES.iter().flat_map(|rule| findings(rule, source)))
        .collect();
    assert_none(&broken);
}

#[test]
fn every_excuse_is_needed() {
    let sources = sources();
    let mut idle = Vec::new();
    for (rule, path, _) in EXCUSED {
        let check = RULES.iter().find(|(name, _)| name == rule);
        let source = sources.iter().find(|source| source.path == *path);
        if !matches!((check, source), (Some(check), Some(source)) if !check.1(source).is_empty()) {
            idle.push(format!(
                "{path} keeps the rule `{rule}` by now: take its excuse away"
            ));
        }
    }
    assert_none(&idle);
}

#[test]
fn decisions_are_numbered_without_gaps() {
    assert_none(&decisions::breaks(&tree::names_in(
        &root().join("docs/decisions"),
    )));
}

#[test]
fn docs_specs_is_what_the_spec_lines_say() {
    generated("docs/specs.md", &specs::page(&sources()), "UPDATE_SPECS");
}

#[test]
fn docs_config_is_the_annotated_default() {
    let default = std::fs::read_to_string(root().join("crates/server/src/config/default.toml")).unwrap();
    let page = format!(
        "# Configuration\n\nEvery key with its default, in the order an operator meets it. `carnet config print` shows the same, \
         `carnet config check --config FILE` reads a file without starting.\nAny key can be set as `CARNET__SECTION__KEY` in the environment. \
         Made by `just config-docs` from `crates/server/src/config/default.toml`.\n\n```toml\n{}\n```\n",
        default.trim_end()
    );
    generated("docs/config.md", &page, "UPDATE_CONFIG");
}

#[test]
fn every_code_is_explained() {
    let page = std::fs::read_to_string(root().join("docs/codes.md")).unwrap();
    assert_none(&codes::unexplained(&sources(), &page));
}
