//! What differs, member by member, for people and for programs.

use serde_json::{Map, Value, json};

use crate::output::{Ink, Output};
use crate::plain::plain;

/// What happens to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Create,
    Change,
    Delete,
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Delete => "delete",
        }
    }
}

/// One change of the plan.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) action: Action,
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) differences: Vec<Difference>,
}

/// A member that differs. Never holds a secret.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Difference {
    pub(super) member: String,
    pub(super) old: Option<Value>,
    pub(super) new: Option<Value>,
}

impl Change {
    /// A change without members that differ.
    pub(super) fn of(action: Action, kind: &'static str, name: &str) -> Self {
        Self {
            action,
            kind,
            name: name.to_owned(),
            differences: Vec::new(),
        }
    }

    /// As programs read it.
    pub(super) fn json(&self) -> Value {
        let differences: Vec<Value> = self
            .differences
            .iter()
            .map(|one| json!({ "member": one.member, "old": one.old, "new": one.new }))
            .collect();
        json!({ "action": self.action.name(), "kind": self.kind, "name": self.name, "differences": differences })
    }

    /// As people read it.
    pub(super) fn show(&self, out: &Output) {
        let (sign, ink) = match self.action {
            Action::Create => ("+", Ink::Good),
            Action::Change => ("~", Ink::Careful),
            Action::Delete => ("-", Ink::Bad),
        };
        let line = format!(
            "{sign} {} {} {}",
            self.action.name(),
            self.kind,
            plain(&self.name)
        );
        out.line(&out.ink(ink, &line));
        let widest = self
            .differences
            .iter()
            .map(|one| one.member.chars().count())
            .max();
        for one in &self.differences {
            let old = one.old.as_ref().map_or_else(|| "nothing".to_owned(), spoken);
            let new = one.new.as_ref().map_or_else(|| "nothing".to_owned(), spoken);
            let values = match self.action {
                Action::Create => new,
                _ => format!("{old} → {new}"),
            };
            let member = format!(
                "{:<width$}",
                plain(&one.member),
                width = widest.unwrap_or_default()
            );
            out.line(&format!("    {member}  {}", plain(&values)));
        }
    }
}

/// The members of a JSON object that say something.
pub(super) fn written(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else {
        return Map::new();
    };
    let says = |value: &Value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    };
    members.into_iter().filter(|(_, value)| says(value)).collect()
}

/// What differs but for the member that names it; against nothing, every member.
pub(super) fn differences(
    old: Option<&Map<String, Value>>,
    new: &Map<String, Value>,
    name: &str,
) -> Vec<Difference> {
    let nothing = Map::new();
    let old = old.unwrap_or(&nothing);
    let mut members: Vec<&String> = old.keys().chain(new.keys()).collect();
    members.sort();
    members.dedup();
    let differ = members
        .into_iter()
        .filter(|member| *member != name && old.get(*member) != new.get(*member));
    differ
        .map(|member| Difference {
            member: member.clone(),
            old: old.get(member).cloned(),
            new: new.get(member).cloned(),
        })
        .collect()
}

fn spoken(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(spoken).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

#[test]
fn what_is_left_out_and_what_is_empty_are_the_same() {
    let old =
        written(json!({ "id": "a", "scope": "", "audiences": [], "name": null, "require_pkce": false }));
    let new = written(json!({ "id": "a", "name": "A", "require_pkce": false }));
    let found = differences(Some(&old), &new, "id");
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].member, &found[0].old), (&"name".to_owned(), &None));
}
