//! Reading a registry file: every fault of it at once, each with line and column.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::entry::{ClientEntry, Entry, RegistryFile, RoleEntry, UserEntry};
use super::nearest::nearest;
use super::place::{Lines, Place, Placed};
use crate::failure::Failure;

/// A fault, and where it is.
pub(crate) type Fault = (Place, Failure);

/// Reads the text of the file that is called `name` in errors: what could be read, and everything that could not.
pub(crate) fn read(text: &str, name: &str) -> (RegistryFile, Vec<Fault>) {
    let mut reader = Reader {
        lines: Lines::of(text),
        name,
        faults: Vec::new(),
    };
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let at = error.span().map_or(0, |span| span.start);
        reader.fault(at, error.message(), "this is no TOML", "correct the line");
    }
    let table = match toml::from_str::<toml::Table>(text) {
        Ok(table) if errors.is_empty() => table,
        // What follows a break would be guesses.
        _ => return (RegistryFile::default(), reader.faults),
    };
    reader.refuse_nul(document.get_ref());
    let file = reader.document(document.get_ref(), table);
    (file, reader.faults)
}

/// A fault of a file, as every command says it.
pub(crate) fn fault(file: &str, at: Place, failure: Failure) -> Failure {
    let what = format!("{file}:{}:{}: {}", at.line, at.column, failure.what);
    Failure {
        what,
        exit: crate::failure::Exit::Refused,
        ..failure
    }
}

struct Reader<'t> {
    lines: Lines<'t>,
    name: &'t str,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn fault(&mut self, offset: usize, what: &str, why: &str, todo: &str) {
        let at = self.lines.place(offset);
        let failure = Failure::refused("registry_invalid", what).because(why).todo(todo);
        self.faults.push((at, fault(self.name, at, failure)));
    }

    /// A character that no database agrees with another about, and nobody means.
    fn refuse_nul(&mut self, table: &DeTable<'_>) {
        for (_, value) in table.iter() {
            self.refuse_nul_in(value.span().start, value.get_ref());
        }
    }

    fn refuse_nul_in(&mut self, at: usize, value: &DeValue<'_>) {
        match value {
            DeValue::String(text) if text.contains('\0') => {
                let why = "PostgreSQL keeps no such text";
                self.fault(at, "a text holds the character NUL", why, "take \\u0000 out");
            }
            DeValue::Array(items) => {
                for item in items.iter() {
                    self.refuse_nul_in(item.span().start, item.get_ref());
                }
            }
            DeValue::Table(table) => self.refuse_nul(table),
            _ => {}
        }
    }

    fn document(&mut self, document: &DeTable<'_>, mut table: toml::Table) -> RegistryFile {
        let mut file = RegistryFile::default();
        for (key, value) in document.iter() {
            let name: &str = key.get_ref();
            let Some(plain) = table.remove(name) else {
                continue;
            };
            let (at, spans) = (key.span().start, value.get_ref());
            match name {
                RoleEntry::KIND => file.roles = Some(self.list(at, spans, plain)),
                ClientEntry::KIND => file.clients = Some(self.list(at, spans, plain)),
                UserEntry::KIND => file.users = Some(self.list(at, spans, plain)),
                "resources" => {
                    let why = "the APIs that tokens are for stand in the server's configuration, with their secret files";
                    let todo = "write [[resources]] there, and restart the server";
                    self.fault(at, "resources cannot be applied", why, todo);
                }
                other => {
                    let kinds = [RoleEntry::KIND, ClientEntry::KIND, UserEntry::KIND];
                    let todo = meant(other, kinds.into_iter());
                    let why = "a registry file has [[roles]], [[clients]] and [[users]]";
                    self.fault(at, &format!("unknown member {other:?}"), why, &todo);
                }
            }
        }
        file
    }

    fn list<T: Entry>(&mut self, at: usize, spans: &DeValue<'_>, plain: toml::Value) -> Vec<Placed<T>> {
        let (Some(spans), toml::Value::Array(items)) = (spans.as_array(), plain) else {
            let what = format!("{} is no list of tables", T::KIND);
            let todo = format!("write [[{}]] above each one", T::KIND);
            self.fault(at, &what, "each has a table of its own", &todo);
            return Vec::new();
        };
        let (mut list, mut seen): (Vec<Placed<T>>, BTreeMap<String, Place>) = Default::default();
        for (span, item) in spans.iter().zip(items) {
            let (at, toml::Value::Table(table)) = (span.span().start, item) else {
                let what = format!("this one of {} is no table", T::KIND);
                self.fault(
                    span.span().start,
                    &what,
                    "each has a table of its own",
                    "write { … }",
                );
                continue;
            };
            let named = table.get(T::NAME).and_then(toml::Value::as_str);
            if let Some(name) = named
                && let Some(before) = seen.insert(name.to_owned(), self.lines.place(at))
            {
                let what = format!("{}: {name:?} is named twice", T::NAME);
                let why = format!("it stands on line {} as well", before.line);
                self.fault(at, &what, &why, "write everything about it in one table");
            }
            let members = span.get_ref().as_table();
            list.extend(members.and_then(|members| self.entry::<T>(at, members, table)));
        }
        list
    }

    /// Each member by itself, so that one that is wrong does not hide the next; the others are an entry still, which is held against the
    /// rules with all others.
    fn entry<T: Entry>(
        &mut self,
        at: usize,
        members: &DeTable<'_>,
        mut table: toml::Table,
    ) -> Option<Placed<T>> {
        let (mut places, mut unread) = (BTreeMap::new(), Vec::new());
        for (key, _) in members.iter() {
            let (name, at): (&str, usize) = (key.get_ref(), key.span().start);
            places.insert(name.to_owned(), self.lines.place(at));
            let Some(value) = table.get(name) else {
                continue;
            };
            if let Some(odd) = not_json(value) {
                let what = format!("{name}: {odd} is nothing that can be kept");
                self.fault(
                    at,
                    &what,
                    "it has no place in JSON",
                    "write it as text, in quotes",
                );
                unread.push(name.to_owned());
                continue;
            }
            let stub = (T::NAME.to_owned(), toml::Value::String("name".to_owned()));
            let mut alone = toml::Table::from_iter([stub]);
            alone.insert(name.to_owned(), value.clone());
            if let Err(error) = T::from_table(alone) {
                self.member(at, name, (T::KIND, error.message()));
                unread.push(name.to_owned());
            }
        }
        if !table.contains_key(T::NAME) {
            let what = format!("{} is missing", T::NAME);
            let why = format!("nothing else says which one of {} is meant", T::KIND);
            self.fault(at, &what, &why, &format!("write {} = \"…\"", T::NAME));
        }
        unread.iter().for_each(|name| drop(table.remove(name)));
        if !table.contains_key(T::NAME) {
            return None;
        }
        match T::from_table(table) {
            Ok(entry) => Some(Placed {
                entry,
                at: self.lines.place(at),
                members: places,
                unread,
            }),
            Err(error) => {
                self.fault(
                    at,
                    error.message(),
                    "its members do not fit together",
                    "correct it",
                );
                None
            }
        }
    }

    fn member(&mut self, at: usize, name: &str, (kind, message): (&str, &str)) {
        // serde quotes the names that it would have known.
        let Some(rest) = message.strip_prefix("unknown field") else {
            // serde quotes the value as well.
            let first = match NEVER_QUOTED.contains(&name) {
                true => "the value is of another kind",
                false => message.lines().next().unwrap_or_default(),
            };
            let todo = "write a value of the right kind; docs/apply.md shows one of each";
            self.fault(at, &format!("{name}: {first}"), "the value cannot be read", todo);
            return;
        };
        let expected = rest.split('`').skip(3).step_by(2);
        let todo = meant(
            name,
            expected.chain(
                ["state", "secret", "secret_sha256"]
                    .into_iter()
                    .filter(|_| kind == ClientEntry::KIND),
            ),
        );
        let why = format!("no member of {kind} is called so");
        self.fault(at, &format!("unknown member {name:?}"), &why, &todo);
    }
}

/// Members whose value stays out of every text.
const NEVER_QUOTED: [&str; 3] = ["secret", "secret_sha256", "password_hash"];

fn meant<'a>(typed: &str, words: impl Iterator<Item = &'a str>) -> String {
    match nearest(typed, words) {
        Some(word) => format!("perhaps {word} is meant"),
        None => "take it out; docs/apply.md lists the members".to_owned(),
    }
}

/// A value that TOML has and JSON has not.
fn not_json(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::Datetime(time) => Some(time.to_string()),
        toml::Value::Float(number) if !number.is_finite() => Some(number.to_string()),
        toml::Value::Array(items) => items.iter().find_map(not_json),
        toml::Value::Table(table) => table.values().find_map(not_json),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_nul_is_refused_where_it_stands() {
        let text = "[[users]]\nemail = \"a@x.example\"\nname = \"a\\u0000b\"\n";
        let (_, faults) = read(text, "f.toml");
        assert_eq!(faults.len(), 1);
        let what = &faults[0].1.what;
        assert!(what.starts_with("f.toml:3:8: "), "{what}");
    }
}
