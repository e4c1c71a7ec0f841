//! What a client says of itself, read: what is known here, what would be a promise that is not kept, and what is not looked at.
//!
//! Spec: RFC 7591 §2, §2.3, §3.1 · OpenID Connect Dynamic Client Registration §2

use carnet_jose::dangerous;
use carnet_oauth::client_metadata::{ApplicationType, ClientMetadata, REFUSED_MEMBERS};
use carnet_oauth::error_code::ErrorCode;
use carnet_oauth::unseen::is_unseen;
use serde_json::{Map, Value};

use super::flaw::Flaw;
use super::settings::{self, MAX_ENTRIES};
use crate::app::App;
use crate::config;
use crate::http::failure::Failure;
use crate::http::json::Json;

/// The body of a request, or why there is none.
pub(super) type Body = Result<Json<Map<String, Value>>, Failure>;

/// What a client is to be registered with.
pub(super) struct Wanted {
    /// What decides.
    pub(super) client: config::Client,
    /// What is kept, and told, beside that.
    pub(super) said: ClientMetadata,
}

/// What the object asks for, if the policy lets a client of this name have it.
pub(super) fn read(app: &App, id: &str, object: Map<String, Value>) -> Result<Wanted, Flaw> {
    check_statement(object.get("software_statement"))?;
    let bytes: usize = object
        .iter()
        .map(|(name, value)| name.len() + value.to_string().len())
        .sum();
    if bytes > MAX_BYTES {
        return Err(Flaw::of("metadata", "are 16 KiB at most"));
    }
    for member in REFUSED_MEMBERS {
        let asked = |value: &Value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::Array(values) => !values.is_empty(),
            _ => true,
        };
        if object.get(member).is_some_and(asked) {
            return Err(Flaw::of(member, "is not offered here; take it out"));
        }
    }
    let mut metadata = ClientMetadata::read(object)
        .map_err(|member| Flaw::of(member, "is not of the type that RFC 7591 §2 gives it"))?;
    let said = said(&mut metadata)?;
    let kind = ApplicationType::of(
        metadata.application_type.as_deref(),
        metadata.redirect_uris.as_deref().unwrap_or_default(),
    );
    let kind = kind.ok_or(Flaw::of("application_type", "is web or native"))?;
    let client = settings::of(app, id, (metadata, kind))?;
    let said = ClientMetadata {
        application_type: Some(kind.name().to_owned()),
        ..said
    };
    Ok(Wanted { client, said })
}

/// §2.3: nobody's statements are believed here, and none is passed over as if it had not been made.
fn check_statement(statement: Option<&Value>) -> Result<(), Flaw> {
    match statement {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(text)) if dangerous::decode(text).is_ok() => Err(Flaw::of_statement(
            ErrorCode::UnapprovedSoftwareStatement,
            "no issuer of software statements is trusted here; send the metadata themselves",
        )),
        Some(_) => Err(Flaw::of_statement(
            ErrorCode::InvalidSoftwareStatement,
            "is no signed JWT",
        )),
    }
}

/// What is only told again.
fn said(metadata: &mut ClientMetadata) -> Result<ClientMetadata, Flaw> {
    let said = ClientMetadata {
        contacts: metadata.contacts.take(),
        software_id: metadata.software_id.take(),
        software_version: metadata.software_version.take(),
        initiate_login_uri: metadata.initiate_login_uri.take(),
        require_auth_time: metadata.require_auth_time.take(),
        ..ClientMetadata::default()
    };
    let plain = |text: &String| text.len() <= MAX_TEXT_BYTES && !text.chars().any(is_unseen);
    let contacts = said.contacts.as_deref().unwrap_or_default();
    if contacts.len() > MAX_ENTRIES || !contacts.iter().all(plain) {
        return Err(Flaw::of(
            "contacts",
            "has 20 addresses at most, of 200 bytes each, and none with characters that cannot be seen",
        ));
    }
    for (member, text) in [
        ("software_id", &said.software_id),
        ("software_version", &said.software_version),
    ] {
        if !text.as_ref().is_none_or(plain) {
            return Err(Flaw::of(
                member,
                "has 200 bytes at most, and no characters that cannot be seen",
            ));
        }
    }
    // OpenID Connect Core §4.
    if !said.initiate_login_uri.as_deref().is_none_or(settings::is_https) {
        return Err(Flaw::of("initiate_login_uri", "is no https URL"));
    }
    Ok(said)
}

/// All clients are read together, and strangers may be many of them.
const MAX_BYTES: usize = 16 * 1024;
const MAX_TEXT_BYTES: usize = 200;
