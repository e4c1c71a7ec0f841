//! The pages for people: templates, texts and the style sheet, built in, each replaceable by a file of the same name.
//!
//! Spec: RFC 4647 §3.4 (which language)

mod paint;
mod samples;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use carnet_jose::{base64url, primitive};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};
use serde::Serialize;

use crate::config;

/// Templates, texts, style.
pub struct Pages {
    environment: Environment<'static>,
    /// The texts of each language.
    texts: BTreeMap<&'static str, Value>,
    /// The style sheet.
    pub style: String,
    /// Where the style sheet is: another one, another address, so that it may be cached for ever.
    pub style_path: String,
    brand: Brand,
}

/// Whose server this is.
#[derive(Clone, Debug, Serialize)]
struct Brand {
    name: String,
    logo: Option<String>,
}

/// A language of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Language {
    /// As BCP 47 writes it.
    #[serde(rename = "lang")]
    pub tag: &'static str,
    /// In its own words.
    pub label: &'static str,
}

/// The languages, the one for everybody else first.
pub const LANGUAGES: [Language; 2] = [
    Language {
        tag: "en",
        label: "English",
    },
    Language {
        tag: "de",
        label: "Deutsch",
    },
];

impl Default for Language {
    fn default() -> Self {
        let [first, ..] = LANGUAGES;
        first
    }
}

const FILES: &[(&str, &str)] = &[
    (
        "account_apps.html",
        include_str!("../templates/account_apps.html"),
    ),
    (
        "account_confirm.html",
        include_str!("../templates/account_confirm.html"),
    ),
    (
        "account_device.html",
        include_str!("../templates/account_device.html"),
    ),
    (
        "account_facts.html",
        include_str!("../templates/account_facts.html"),
    ),
    (
        "account_sessions.html",
        include_str!("../templates/account_sessions.html"),
    ),
    ("base.html", include_str!("../templates/base.html")),
    (
        "choose_account.html",
        include_str!("../templates/choose_account.html"),
    ),
    ("consent.html", include_str!("../templates/consent.html")),
    ("device.html", include_str!("../templates/device.html")),
    (
        "device_confirm.html",
        include_str!("../templates/device_confirm.html"),
    ),
    ("device_done.html", include_str!("../templates/device_done.html")),
    ("duration.html", include_str!("../templates/duration.html")),
    ("error.html", include_str!("../templates/error.html")),
    ("front.html", include_str!("../templates/front.html")),
    ("form_post.html", include_str!("../templates/form_post.html")),
    ("implicit.html", include_str!("../templates/implicit.html")),
    ("logged_out.html", include_str!("../templates/logged_out.html")),
    ("login.html", include_str!("../templates/login.html")),
    ("logout.html", include_str!("../templates/logout.html")),
    ("style.css", include_str!("../templates/style.css")),
    ("texts/de.toml", include_str!("../templates/texts/de.toml")),
    ("texts/en.toml", include_str!("../templates/texts/en.toml")),
];

impl Pages {
    /// Reads what the theme folder replaces; whatever does not fit stops the start, not a login.
    pub fn new(config: &config::Pages) -> Result<Self, String> {
        let folder = config.theme_folder.as_deref();
        if let Some(folder) = folder {
            check_names(folder)?;
        }
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.add_filter("fill", fill);
        environment.add_filter("fill_isolated", fill_isolated);
        for (name, _) in FILES.iter().filter(|(name, _)| name.ends_with(".html")) {
            environment
                .add_template_owned(*name, file(folder, name)?)
                .map_err(|error| format!("{}: {error}", place(folder, name)))?;
        }
        let mut texts = BTreeMap::new();
        for language in LANGUAGES {
            let name = format!("texts/{}.toml", language.tag);
            let read = |folder| -> Result<toml::Table, String> {
                toml::from_str(&file(folder, &name)?)
                    .map_err(|error| format!("{}: {error}", place(folder, &name)))
            };
            // A theme says what it says otherwise; the rest stays.
            let mut all = read(None)?;
            lay_over(&mut all, read(folder)?);
            texts.insert(language.tag, Value::from_serialize(all));
        }
        let style = file(folder, "style.css")? + &paint::css(config);
        let digest = base64url::encode(&primitive::sha256(style.as_bytes()));
        let pages = Self {
            environment,
            texts,
            style_path: format!("/pages/{}.css", digest.get(..16).unwrap_or_default()),
            style,
            brand: Brand {
                name: config.name.clone(),
                logo: config.logo_url.clone(),
            },
        };
        match folder {
            Some(folder) => pages.rehearse(folder).map(|()| pages),
            None => Ok(pages),
        }
    }

    /// Every page once in every language: what a theme asks for and a page has not would be found by whoever wants to log in.
    fn rehearse(&self, folder: &Path) -> Result<(), String> {
        for (template, sample) in samples::samples() {
            for language in LANGUAGES {
                self.render_unchecked(template, language, &sample)
                    .map_err(|error| told(folder, template, &error))?;
            }
        }
        Ok(())
    }

    /// A page in this language.
    pub fn render(&self, template: &str, language: Language, page: &impl Serialize) -> Result<String, Error> {
        #[cfg(debug_assertions)]
        assert!(
            serde_json::to_value(page).is_ok_and(|page| samples::has(template, &page)),
            "pages/samples.rs has no example like this {template}"
        );
        self.render_unchecked(template, language, page)
    }

    fn render_unchecked(
        &self,
        template: &str,
        language: Language,
        page: &impl Serialize,
    ) -> Result<String, Error> {
        let common = minijinja::context! {
            lang => language.tag,
            t => self.texts.get(language.tag),
            style_url => self.style_path,
            brand => self.brand,
        };
        let page = Value::from_serialize(page);
        let template = self.environment.get_template(template)?;
        template.render(minijinja::context! { ..page, ..common })
    }
}

/// The language of a list such as `Accept-Language` or `ui_locales`, the dearest first; `None` when it names none of ours.
pub fn language_of<'a>(wanted: impl IntoIterator<Item = &'a str>) -> Option<Language> {
    wanted.into_iter().find_map(|tag| {
        let primary = tag.split('-').next().unwrap_or_default();
        LANGUAGES
            .into_iter()
            .find(|language| language.tag.eq_ignore_ascii_case(primary))
    })
}

/// `{name}` in a text for the value of that name.
fn fill(text: &str, values: minijinja::value::Kwargs) -> Result<String, Error> {
    filled(text, values, |text| text.to_owned(), |value| value)
}

/// The same as HTML, in which the direction of a value's writing does not reach the text around it (UAX #9, HTML `bdi`).
fn fill_isolated(text: &str, values: minijinja::value::Kwargs) -> Result<Value, Error> {
    let escaped = |text: &str| minijinja::HtmlEscape(text).to_string();
    let isolated = |value: String| format!("<bdi>{}</bdi>", escaped(&value));
    filled(text, values, escaped, isolated).map(Value::from_safe_string)
}

fn filled(
    text: &str,
    values: minijinja::value::Kwargs,
    around: impl Fn(&str) -> String,
    inside: impl Fn(String) -> String,
) -> Result<String, Error> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, end) = after
            .split_once('}')
            .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "a text has a { without its }"))?;
        filled.push_str(&around(before));
        filled.push_str(&inside(values.get::<Value>(name)?.to_string()));
        rest = end;
    }
    values.assert_all_used().or(Ok::<(), Error>(()))?;
    filled.push_str(&around(rest));
    Ok(filled)
}

fn lay_over(texts: &mut toml::Table, theme: toml::Table) {
    for (key, value) in theme {
        match (texts.get_mut(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) => lay_over(below, above),
            (_, value) => {
                texts.insert(key, value);
            }
        }
    }
}

fn file(folder: Option<&Path>, name: &str) -> Result<String, String> {
    if let Some(file) = folder
        .map(|folder| folder.join(name))
        .filter(|file| file.exists())
    {
        return std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()));
    }
    let built_in = FILES.iter().find(|(known, _)| *known == name);
    built_in
        .map(|(_, text)| (*text).to_owned())
        .ok_or_else(|| format!("there is no page {name}"))
}

fn place(folder: Option<&Path>, name: &str) -> String {
    folder
        .map_or_else(|| PathBuf::from(name), |folder| folder.join(name))
        .display()
        .to_string()
}

/// Where a page cannot be rendered, and why.
fn told(folder: &Path, template: &str, error: &Error) -> String {
    // What is wrong in a page that includes or extends another is wrong where it stands.
    let mut innermost = error;
    while let Some(cause) = std::error::Error::source(innermost).and_then(|cause| cause.downcast_ref()) {
        innermost = cause;
    }
    let name = innermost.name().unwrap_or(template);
    let place = match folder.join(name) {
        themed if themed.exists() => themed.display().to_string(),
        // The page is ours: it is a text of the theme that does not fit.
        _ => format!("{} (texts): {name}", folder.display()),
    };
    let line = innermost
        .line()
        .map_or_else(String::new, |line| format!(":{line}"));
    let what = innermost
        .detail()
        .map_or_else(|| innermost.kind().to_string(), str::to_owned);
    format!("{place}{line}: {what}")
}

/// A name that replaces nothing is a typing error.
fn check_names(folder: &Path) -> Result<(), String> {
    for inside in [folder.to_path_buf(), folder.join("texts")] {
        let Ok(entries) = std::fs::read_dir(&inside) else {
            if inside == folder {
                return Err(format!("{}: is no folder that can be read", folder.display()));
            }
            continue;
        };
        for entry in entries.flatten().filter(|entry| entry.path().is_file()) {
            let path = entry.path();
            let name = path.strip_prefix(folder).unwrap_or(&path);
            if !FILES.iter().any(|(known, _)| Path::new(known) == name) {
                let names: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
                return Err(format!(
                    "{}: replaces nothing; there are {}",
                    path.display(),
                    names.join(", ")
                ));
            }
        }
    }
    Ok(())
}
