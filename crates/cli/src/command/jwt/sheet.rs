//! Header and claims as a person reads them, and their times as a program does.
//!
//! Spec: RFC 7519 §2 (NumericDate)

use serde_json::{Map, Value, json};

use super::claim_suspicion::seconds;
use super::meaning;
use crate::moment;

/// The rows of a header.
pub(crate) fn header(members: &Map<String, Value>) -> Vec<[String; 3]> {
    let explain = |name: &String, value: &Value| {
        let text = value.as_str().unwrap_or_default();
        let detail = match name.as_str() {
            "alg" if members.contains_key("enc") => meaning::of_key_wrapping(text),
            "alg" => meaning::of_algorithm(text).unwrap_or("how it is signed"),
            "typ" => meaning::of_type(text),
            _ => meaning::of_header(name),
        };
        [name.clone(), shown(value), detail.to_owned()]
    };
    ordered(members, &["alg", "typ", "kid"])
        .into_iter()
        .map(|(name, value)| explain(name, value))
        .collect()
}

/// The rows of claims; moments in words.
pub(crate) fn claims(members: &Map<String, Value>, now: i64) -> Vec<[String; 3]> {
    let explain = |name: &String, value: &Value| {
        let moment = meaning::TIMES
            .contains(&name.as_str())
            .then(|| seconds(members, name))
            .flatten();
        let detail = match moment {
            Some(seconds) => format!("{}: {}", meaning::of_claim(name), moment::said(seconds, now)),
            None => meaning::of_claim(name).to_owned(),
        };
        [name.clone(), shown(value), detail]
    };
    ordered(members, &meaning::ORDER)
        .into_iter()
        .map(|(name, value)| explain(name, value))
        .collect()
}

/// The moments among the claims: seconds, exact, and in words.
pub(crate) fn times(members: &Map<String, Value>, now: i64) -> Value {
    let moments = meaning::TIMES.iter().filter_map(|name| {
        let seconds = seconds(members, name)?;
        let said =
            json!({ "seconds": seconds, "at": moment::exact(seconds), "words": moment::words(seconds, now) });
        Some(((*name).to_owned(), said))
    });
    Value::Object(moments.collect())
}

/// How long the token lives from its making to its end.
pub(crate) fn life(members: &Map<String, Value>) -> Option<String> {
    let life = seconds(members, "exp")?.checked_sub(seconds(members, "iat")?)?;
    u64::try_from(life)
        .ok()
        .filter(|life| *life > 0)
        .map(moment::span)
}

fn ordered<'a>(members: &'a Map<String, Value>, order: &[&str]) -> Vec<(&'a String, &'a Value)> {
    let mut rows: Vec<_> = members.iter().collect();
    rows.sort_by_key(|(name, _)| {
        order
            .iter()
            .position(|known| known == name)
            .unwrap_or(order.len())
    });
    rows
}

/// Text without quotes, short lists with commas, the rest as JSON.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_string) => items
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_claims_come_first_and_times_are_said() {
        let members =
            json!({"zoo": {"a": 1}, "exp": 1_795_256_040, "aud": ["a", "b"], "iss": "i", "acr": "1"});
        let rows = claims(members.as_object().unwrap(), 1_795_255_200);
        let names: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
        assert_eq!(names, ["iss", "aud", "exp", "acr", "zoo"]);
        assert_eq!(rows[1][1], "a, b");
        assert_eq!(
            rows[2][2],
            "refused from then on: in 14 min, 2026-11-21T10:14:00Z"
        );
        assert_eq!(rows[4][1], "{\"a\":1}");
    }
}
