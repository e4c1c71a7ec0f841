//! The request parameter `claims`: single claims that a client asks for, and where it wants to read them.
//!
//! Spec: OpenID Connect Core §5.5

use std::collections::BTreeMap;

use carnet_jose::json::check_object;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest value of the parameter that is read, in bytes.
pub const MAX_CLAIMS_BYTES: usize = 4096;
const MAX_DEPTH: usize = 32;

/// What is asked for, by the place where it is to be told.
///
/// ```
/// use carnet_oauth::claims_request::ClaimsRequest;
///
/// let asked = ClaimsRequest::parse(r#"{"userinfo": {"email": {"essential": true}}, "id_token": {"acr": null}}"#)?;
/// assert!(asked.userinfo["email"].essential);
/// assert!(asked.id_token.contains_key("acr"));
/// assert!(ClaimsRequest::parse("email").is_err());
/// # Ok::<(), carnet_oauth::claims_request::InvalidClaims>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClaimsRequest {
    /// At the userinfo endpoint.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub userinfo: BTreeMap<String, ClaimRequest>,
    /// In the ID token.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub id_token: BTreeMap<String, ClaimRequest>,
}

/// How one claim is asked for (§5.5.1). By default: if it can be had, whatever it says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClaimRequest {
    /// The client cannot do well without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub essential: bool,
    /// The values that it may have; any, when none are named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<Value>>,
}

/// The value is no JSON object as §5.5 has it, or is longer than [`MAX_CLAIMS_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidClaims;

impl ClaimsRequest {
    /// Reads the parameter. Members that nobody knows are left alone, as §5.5 demands; a member that stands twice is refused.
    pub fn parse(text: &str) -> Result<Self, InvalidClaims> {
        if text.len() > MAX_CLAIMS_BYTES {
            return Err(InvalidClaims);
        }
        check_object(text.as_bytes(), MAX_DEPTH).map_err(|_| InvalidClaims)?;
        let asked: Value = serde_json::from_str(text).map_err(|_| InvalidClaims)?;
        Ok(Self {
            userinfo: place(asked.get("userinfo"))?,
            id_token: place(asked.get("id_token"))?,
        })
    }

    /// The names of all claims that are asked for.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.userinfo
            .keys()
            .chain(self.id_token.keys())
            .map(String::as_str)
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.userinfo.is_empty() && self.id_token.is_empty()
    }
}

impl ClaimRequest {
    /// Whether the claim may have this value.
    pub fn accepts(&self, value: &Value) -> bool {
        self.values.as_ref().is_none_or(|values| values.contains(value))
    }
}

fn place(asked: Option<&Value>) -> Result<BTreeMap<String, ClaimRequest>, InvalidClaims> {
    match asked {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(claims)) => {
            let one = |(name, how): (&String, &Value)| Ok((name.clone(), claim(how)?));
            claims.iter().map(one).collect()
        }
        Some(_) => Err(InvalidClaims),
    }
}

fn claim(how: &Value) -> Result<ClaimRequest, InvalidClaims> {
    let how = match how {
        Value::Null => return Ok(ClaimRequest::default()),
        Value::Object(how) => how,
        _ => return Err(InvalidClaims),
    };
    let essential = match how.get("essential") {
        None => false,
        Some(essential) => essential.as_bool().ok_or(InvalidClaims)?,
    };
    let values = match (how.get("value"), how.get("values")) {
        (None, None) => None,
        (Some(value), None) => Some(vec![value.clone()]),
        (None, Some(Value::Array(values))) => Some(values.clone()),
        // Two lists of what is right, or one that is none.
        (Some(_), Some(_)) | (None, Some(_)) => return Err(InvalidClaims),
    };
    Ok(ClaimRequest { essential, values })
}

impl std::fmt::Display for InvalidClaims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "claims is a JSON object of userinfo and id_token (OpenID Connect Core §5.5), 4096 bytes at most",
        )
    }
}

impl std::error::Error for InvalidClaims {}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of §5.5.
    const EXAMPLE: &str = r#"{
        "userinfo": {
            "given_name": {"essential": true},
            "nickname": null,
            "email": {"essential": true},
            "email_verified": {"essential": true},
            "picture": null,
            "http://example.info/claims/groups": null
        },
        "id_token": {
            "auth_time": {"essential": true},
            "acr": {"values": ["urn:mace:incommon:iap:silver"]}
        }
    }"#;

    #[test]
    fn the_example_of_the_spec_is_understood_and_survives_being_kept() {
        let asked = ClaimsRequest::parse(EXAMPLE).unwrap();
        assert_eq!(asked.userinfo.len(), 6);
        assert!(asked.userinfo["email"].essential && !asked.userinfo["nickname"].essential);
        let acr = &asked.id_token["acr"];
        assert!(acr.accepts(&"urn:mace:incommon:iap:silver".into()));
        assert!(!acr.accepts(&"urn:mace:incommon:iap:bronze".into()));
        assert!(asked.userinfo["email"].accepts(&"anything".into()));
        let kept = serde_json::to_string(&asked).unwrap();
        assert_eq!(serde_json::from_str::<ClaimsRequest>(&kept).unwrap(), asked);
    }

    #[test]
    fn what_nobody_knows_is_left_alone() {
        let text = r#"{"id_token": {"sub": {"value": "a", "purpose": "x"}}, "other": 1, "userinfo": null}"#;
        let asked = ClaimsRequest::parse(text).unwrap();
        assert_eq!(asked.names().collect::<Vec<_>>(), ["sub"]);
        assert!(ClaimsRequest::parse("{}").unwrap().is_empty());
    }

    #[test]
    fn ds_04_what_is_no_such_object_is_refused_whatever_its_size() {
        let deep = format!("{{\"id_token\":{}", "[".repeat(2_000));
        let long = format!("{{\"x\":\"{}\"}}", "a".repeat(MAX_CLAIMS_BYTES));
        for text in [
            "",
            "null",
            "[]",
            "\"email\"",
            "{",
            "{}{}",
            r#"{"userinfo": []}"#,
            r#"{"userinfo": {"email": true}}"#,
            r#"{"userinfo": {"email": {"essential": "yes"}}}"#,
            r#"{"id_token": {"acr": {"values": "x"}}}"#,
            r#"{"id_token": {"acr": {"value": "x", "values": ["y"]}}}"#,
            r#"{"id_token": {"sub": null, "sub": {"value": "x"}}}"#,
            &deep,
            &long,
        ] {
            let start: String = text.chars().take(60).collect();
            assert_eq!(ClaimsRequest::parse(text), Err(InvalidClaims), "{start}");
        }
    }
}
