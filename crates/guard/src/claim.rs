//! Tests of any claim: where it stands, and what it must be.

use serde_json::Value;

use crate::token::Token;

/// Where a claim stands: one name, or the names that lead into an object. Names are taken as they are: a dot or a slash belongs to the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(Vec<String>);

/// What a claim must be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimTest {
    /// This, of the same JSON type.
    Is(Value),
    /// One of these.
    OneOf(Vec<Value>),
    /// An array with this, or a text of words between spaces with this word.
    Contains(Value),
}

impl ClaimPath {
    pub(crate) fn find(&self, token: &Token) -> Option<Value> {
        let (first, deeper) = self.0.split_first()?;
        let first = token.claim(first)?;
        deeper.iter().try_fold(first, |value, name| match value {
            Value::Object(mut inside) => inside.remove(name),
            _ => None,
        })
    }
}

impl ClaimTest {
    pub(crate) fn passes(&self, found: &Value) -> bool {
        match self {
            Self::Is(value) => found == value,
            Self::OneOf(values) => values.contains(found),
            Self::Contains(value) => match (found, value) {
                (Value::Array(list), value) => list.contains(value),
                (Value::String(text), Value::String(word)) => text.split(' ').any(|one| one == word),
                _ => false,
            },
        }
    }
}

impl From<&str> for ClaimPath {
    fn from(name: &str) -> Self {
        Self(vec![name.to_owned()])
    }
}

impl From<String> for ClaimPath {
    fn from(name: String) -> Self {
        Self(vec![name])
    }
}

impl From<Vec<String>> for ClaimPath {
    fn from(names: Vec<String>) -> Self {
        Self(names)
    }
}

impl<const N: usize> From<[&str; N]> for ClaimPath {
    fn from(names: [&str; N]) -> Self {
        Self(names.map(str::to_owned).to_vec())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_leads_into_objects_and_a_dot_is_no_path() {
        let claims = json!({ "a": { "b": { "c": 1 } }, "https://x.test/a.b": 2, "list": [{ "b": 3 }] });
        let token = Token::from(claims.as_object().unwrap());
        let found = |path: ClaimPath| path.find(&token);
        assert_eq!(found(["a", "b", "c"].into()), Some(json!(1)));
        assert_eq!(found("https://x.test/a.b".into()), Some(json!(2)));
        for nothing in [
            ClaimPath::from("a.b"),
            ["a", "b", "c", "d"].into(),
            ["list", "0"].into(),
            Vec::new().into(),
        ] {
            assert_eq!(found(nothing.clone()), None, "{nothing:?}");
        }
    }

    #[test]
    fn a_test_asks_for_the_value_and_its_type() {
        let is = |value: Value, found: Value| ClaimTest::Is(value).passes(&found);
        assert!(is(json!("1"), json!("1")) && !is(json!("1"), json!(1)) && !is(json!(true), json!("true")));
        let one_of = ClaimTest::OneOf(vec![json!("a"), json!(2)]);
        assert!(one_of.passes(&json!("a")) && one_of.passes(&json!(2)));
        assert!(!one_of.passes(&json!("2")) && !one_of.passes(&json!(["a"])));
        let contains = ClaimTest::Contains(json!("read"));
        assert!(contains.passes(&json!(["x", "read"])) && contains.passes(&json!("x read")));
        for other in [
            json!("reader"),
            json!(["reader"]),
            json!("READ"),
            json!({ "read": 1 }),
            json!(null),
        ] {
            assert!(!contains.passes(&other), "{other}");
        }
    }
}
