//! From a file and the environment to a [`Config`], or to an error that says which line and what to write instead.

use std::fmt;
use std::path::{Path, PathBuf};

use carnet_listen::config_line;

use super::check::{self, Warning};
use super::settings::Config;

/// The annotated default, as `carnet config print` shows it.
pub const DEFAULT: &str = include_str!("default.toml");

const ENVIRONMENT_PREFIX: &str = "CARNET__";

/// Reads the file, lays the environment over it and checks the whole; relative paths are taken from the file's folder.
///
/// `environment` is the process environment as pairs; `CARNET__SECTION__KEY` sets `key` of `[section]`.
pub fn load(
    file: &Path,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<(Config, Vec<Warning>), ConfigError> {
    let text = std::fs::read_to_string(file).map_err(|error| ConfigError {
        place: file.display().to_string(),
        what: format!("the configuration cannot be read: {error}"),
        todo: "name a readable file with --config, or write one: carnet config print > carnet.toml"
            .to_owned(),
    })?;
    let overlay: Vec<_> = environment
        .filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX))
        .collect();
    parse(&text, file, &overlay)
}

/// As [`load`], from a text; `file` names it in errors and says where relative paths start.
pub fn parse(
    text: &str,
    file: &Path,
    overlay: &[(String, String)],
) -> Result<(Config, Vec<Warning>), ConfigError> {
    let place = |line| config_line::place(file, line);
    let mut table: toml::Table = toml::from_str(text).map_err(|error| syntax_error(&error, text, &place))?;
    let of_file = mistake(&table);
    for (name, value) in overlay {
        lay_over(&mut table, name, value)?;
        // Each by itself first, so that an error knows its variable. What the file says is not its fault, and what is missing may come with
        // the next.
        let excused = |mistake: &Mistake| of_file.as_ref() == Some(mistake) || mistake.is_a_lack();
        if let Some(mistake) = mistake(&table).filter(|mistake| !excused(mistake)) {
            return Err(ConfigError {
                place: format!("environment variable {name}"),
                what: mistake.to_string(),
                todo: "correct it, or take it out; `carnet config print` shows every key with its meaning"
                    .to_owned(),
            });
        }
    }
    if let Some(mistake) = mistake(&table) {
        let in_text = toml::from_str::<Config>(text).err();
        return Err(match in_text.filter(|_| of_file.as_ref() == Some(&mistake)) {
            // Straight from the text, so that an error knows its line.
            Some(error) => mistake.named(syntax_error(&error, text, &place)),
            None => ConfigError {
                place: format!("{} with the environment laid over it", file.display()),
                what: mistake.to_string(),
                todo: "correct the CARNET__ variable, or the file; `carnet config print` shows every key"
                    .to_owned(),
            },
        });
    }
    let broken = |error: toml::de::Error| syntax_error(&error, text, &place);
    let mut config: Config = toml::Value::Table(table).try_into().map_err(broken)?;
    resolve_paths(&mut config, file.parent().unwrap_or_else(|| Path::new("")));
    let warnings = check::check(&config).map_err(|fault| ConfigError {
        place: match overlay
            .iter()
            .find(|(name, _)| path_of(name).join(".") == fault.key)
        {
            Some((name, _)) => format!("environment variable {name}"),
            None => place(config_line::of_key(text, &fault.key)),
        },
        what: format!("{}: {}", fault.key, fault.what),
        todo: fault.todo,
    })?;
    Ok((config, warnings))
}

/// What no [`Config`] can be made of, and the key that it stands at.
#[derive(PartialEq)]
struct Mistake {
    what: String,
    key: Option<String>,
}

/// The first that is found.
fn mistake(table: &toml::Table) -> Option<Mistake> {
    let error = toml::Value::Table(table.clone()).try_into::<Config>().err()?;
    let text = error.to_string();
    let key = text
        .lines()
        .find_map(|line| line.strip_prefix("in `")?.strip_suffix('`'));
    Some(Mistake {
        what: error.message().to_owned(),
        key: key.map(str::to_owned),
    })
}

impl Mistake {
    fn is_a_lack(&self) -> bool {
        self.what.starts_with("missing field")
    }

    /// The same error with its key, if it is this one.
    fn named(&self, error: ConfigError) -> ConfigError {
        match error.what == self.what {
            true => ConfigError {
                what: self.to_string(),
                ..error
            },
            false => error,
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{key}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// Why the server does not start: where, what, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// File and line.
    pub place: String,
    /// What is wrong there.
    pub what: String,
    /// What to write instead.
    pub todo: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n{}", self.place, self.what, self.todo)
    }
}

impl std::error::Error for ConfigError {}

fn syntax_error(error: &toml::de::Error, text: &str, place: &dyn Fn(Option<usize>) -> String) -> ConfigError {
    let line = error.span().map(|span| config_line::of_byte(text, span.start));
    let todo = match error.message() {
        message if message.starts_with("unknown field") => {
            "take the key out, or write one of the expected ones"
        }
        message if message.starts_with("missing field") => {
            "add the key; `carnet config print` shows every key with its meaning"
        }
        _ => "correct the value; `carnet config print` shows every key with its meaning",
    };
    ConfigError {
        place: place(line),
        what: error.message().to_owned(),
        todo: todo.to_owned(),
    }
}

/// `CARNET__KEYS__ROTATE_EVERY=30d` becomes `rotate_every` of `[keys]`; a value that reads as TOML is taken as such, any other as a string.
fn lay_over(table: &mut toml::Table, name: &str, value: &str) -> Result<(), ConfigError> {
    let refuse = |what: &str| ConfigError {
        place: format!("environment variable {name}"),
        what: what.to_owned(),
        todo: "write CARNET__SECTION__KEY, such as CARNET__LISTEN__ADDRESS".to_owned(),
    };
    let path = path_of(name);
    let (last, sections) = path.split_last().ok_or_else(|| refuse("names no key"))?;
    let mut here = table;
    for section in sections {
        let entry = here
            .entry(section.clone())
            .or_insert_with(|| toml::Value::Table(toml::Table::new()));
        here = entry
            .as_table_mut()
            .ok_or_else(|| refuse("goes below a key that is no section"))?;
    }
    let parsed = format!("v = {value}")
        .parse::<toml::Table>()
        .ok()
        .and_then(|mut parsed| parsed.remove("v"));
    here.insert(
        last.clone(),
        parsed.unwrap_or_else(|| toml::Value::String(value.to_owned())),
    );
    Ok(())
}

/// `CARNET__KEYS__ROTATE_EVERY` names `keys.rotate_every`.
fn path_of(name: &str) -> Vec<String> {
    name.trim_start_matches(ENVIRONMENT_PREFIX)
        .split("__")
        .map(str::to_ascii_lowercase)
        .collect()
}

fn resolve_paths(config: &mut Config, folder: &Path) {
    let mut paths: Vec<&mut PathBuf> =
        vec![&mut config.storage.sqlite_file, &mut config.keys.master_key_file];
    paths.extend(config.listen.tls_certificate_file.as_mut());
    paths.extend(config.listen.tls_key_file.as_mut());
    paths.extend(config.storage.postgres_url_file.as_mut());
    paths.extend(config.storage.postgres_root_certificates_file.as_mut());
    paths.extend(config.redis.url_file.as_mut());
    paths.extend(config.redis.root_certificates_file.as_mut());
    paths.extend(config.passwords.breached_list_file.as_mut());
    paths.extend(config.pages.theme_folder.as_mut());
    paths.extend(config.outbound.root_certificates_file.as_mut());
    for resource in &mut config.resources {
        paths.extend(resource.secret_file.as_mut());
        paths.extend(resource.introspection_secret_file.as_mut());
    }
    for trusted in &mut config.trusted_issuers {
        paths.extend(trusted.jwks_file.as_mut());
    }
    for client in &mut config.clients {
        paths.extend(client.secret_file.as_mut());
        paths.extend(client.jwks_file.as_mut());
    }
    for path in paths {
        if path.is_relative() {
            *path = folder.join(&*path);
        }
    }
}

#[cfg(test)]
mod tests;
