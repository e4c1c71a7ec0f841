//! What the pages are made of fits together, also with a theme.

use super::*;

#[test]
fn the_first_language_that_we_speak_is_taken() {
    assert_eq!(language_of(["fr", "de-AT", "en"]).map(|l| l.tag), Some("de"));
    assert_eq!(language_of(["fr"]), None);
}

#[test]
fn every_language_says_everything() {
    let keys = |text: &str| {
        fn walk(prefix: &str, table: &toml::Table, into: &mut Vec<String>) {
            for (key, value) in table {
                let path = format!("{prefix}.{key}");
                match value.as_table() {
                    Some(table) => walk(&path, table, into),
                    None => into.push(path),
                }
            }
        }
        let mut found = Vec::new();
        walk("", &toml::from_str(text).unwrap(), &mut found);
        found.sort();
        found
    };
    let texts: Vec<_> = FILES
        .iter()
        .filter(|(name, _)| name.starts_with("texts/"))
        .collect();
    assert_eq!(texts.len(), LANGUAGES.len());
    for (name, text) in &texts {
        assert_eq!(keys(text), keys(texts[0].1), "{name}");
    }
}

#[test]
fn every_page_has_an_example_and_can_be_rendered_with_it() {
    let pages = Pages::new(&config::Pages::default()).unwrap();
    assert_eq!(pages.rehearse(Path::new("")), Ok(()));
    // Parts of others.
    let parts = [
        "base.html",
        "account_device.html",
        "account_facts.html",
        "duration.html",
    ];
    let templates = FILES
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| name.ends_with(".html"));
    for name in templates.filter(|name| !parts.contains(name)) {
        assert!(samples::samples().iter().any(|(of, _)| *of == name), "{name}");
    }
}

#[test]
fn a_theme_that_asks_for_what_no_page_has_is_refused_with_its_line() {
    for (name, text, place) in [
        ("login.html", "<p>\n{{ nope.x }}\n</p>", "login.html:2: "),
        (
            "error.html",
            "{% if not reason %}{{ nope }}{% endif %}",
            "error.html:1: ",
        ),
        (
            "base.html",
            "{{ lang }}\n\n{{ t.nope.x }}{% block body %}{% endblock %}",
            "base.html:3: ",
        ),
        ("texts/de.toml", "[consent]\ntitle = \"{clint}?\"", "consent.html"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("texts")).unwrap();
        std::fs::write(folder.path().join(name), text).unwrap();
        let config = config::Pages {
            theme_folder: Some(folder.path().to_path_buf()),
            ..Default::default()
        };
        let error = Pages::new(&config).err().unwrap();
        assert!(error.contains(place), "{error}");
        assert!(error.starts_with(&folder.path().display().to_string()), "{error}");
    }
}

#[test]
fn a_theme_replaces_a_page_and_a_misspelled_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("style.css"), "body{}").unwrap();
    let config = config::Pages {
        theme_folder: Some(folder.path().to_path_buf()),
        ..Default::default()
    };
    assert_eq!(Pages::new(&config).unwrap().style, "body{}");
    std::fs::write(folder.path().join("logn.html"), "").unwrap();
    assert!(Pages::new(&config).err().unwrap().contains("logn.html"));
}
