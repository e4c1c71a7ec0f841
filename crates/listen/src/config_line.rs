//! Where something stands in a configuration file, for errors.

use std::path::Path;

use toml::de::{DeArray, DeTable, DeValue};

/// The line on which a key such as `resources.1.secret_file` or `resources[1].secret_file` stands; of its section when the key itself is not
/// written, and `None` when that is not there either.
///
/// ```
/// let text = "[tokens]\naudience = \"a\"\n[[upstreams]]\nname = \"s\"\nurls = []\n";
/// assert_eq!(carnet_listen::config_line::of_key(text, "upstreams[0].urls"), Some(5));
/// ```
pub fn of_key(text: &str, key: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut span = None;
    let mut table = Some(document.get_ref());
    let mut array: Option<&DeArray<'_>> = None;
    for part in key.split(['.', '[', ']']).filter(|part| !part.is_empty()) {
        let value = match (table, array) {
            (Some(table), _) => {
                let Some((name, value)) = table.iter().find(|(name, _)| name.get_ref().as_ref() == part)
                else {
                    break;
                };
                span = Some(name.span());
                value
            }
            (None, Some(array)) => {
                let Some(value) = part.parse::<usize>().ok().and_then(|index| array.get(index)) else {
                    break;
                };
                span = Some(value.span());
                value
            }
            (None, None) => break,
        };
        (table, array) = match value.get_ref() {
            DeValue::Table(table) => (Some(table), None),
            DeValue::Array(array) => (None, Some(array)),
            _ => (None, None),
        };
    }
    span.map(|span| of_byte(text, span.start))
}

/// The line of a byte.
pub fn of_byte(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// As errors name it; the file alone without a line.
pub fn place(file: &Path, line: Option<usize>) -> String {
    match line {
        Some(line) => format!("{}:{line}", file.display()),
        None => file.display().to_string(),
    }
}
