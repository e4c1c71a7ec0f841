//! From what a client says of itself to what it is registered with. Whatever it says, the policy bounds it; what it does not say, the policy says.
//!
//! Spec: RFC 7591 §2, §2.1, §5 · OpenID Connect Dynamic Client Registration §2 · RFC 9700 §4.11.2, §4.15

use carnet_jose::Algorithm;
use carnet_oauth::client_auth::AuthMethod;
use carnet_oauth::client_metadata::{ApplicationType, ClientMetadata};
use carnet_oauth::grant_type::GrantType;
use carnet_oauth::plain_uri;
use carnet_oauth::scope::ScopeSet;
use serde_json::Value;

use super::flaw::Flaw;
use crate::app::App;
use crate::config::{self, Client, Consent, DpopPolicy, Ttl};

/// The settings, if they can be.
pub(super) fn of(
    app: &App,
    id: &str,
    (metadata, kind): (ClientMetadata, ApplicationType),
) -> Result<Client, Flaw> {
    let policy = &app.config.client_registration;
    let mut client = Client::named(id);
    // Nobody has checked who it is: people are asked, always, and a code is worth nothing to others.
    client.consent = Consent::Explicit;
    client.require_pkce = true;
    client.audiences = policy.audiences.clone();
    client.auth_method = auth_method(metadata.token_endpoint_auth_method.as_deref())?;
    client.grant_types = grant_types(&policy.grant_types, metadata.grant_types.as_deref())?;
    check_response_types(&client, metadata.response_types.as_deref())?;
    client.scope = scope(&policy.scope, metadata.scope.as_deref())?;
    if !matches!(metadata.subject_type.as_deref(), None | Some("public")) {
        return Err(Flaw::of(
            "subject_type",
            "is public; pairwise is not offered here",
        ));
    }
    put_redirects(&mut client, kind, &metadata)?;
    put_keys(&mut client, &metadata)?;
    client.id_token_signing = id_token_signing(app, metadata.id_token_signed_response_alg.as_deref())?;
    client.default_max_age = max_age(metadata.default_max_age)?;
    if metadata.client_names.len() > MAX_ENTRIES {
        return Err(Flaw::of("client_name", "stands in 20 languages at most"));
    }
    let required = |flag: Option<bool>| flag.unwrap_or_default();
    client.require_pushed_authorization_requests = required(metadata.require_pushed_authorization_requests);
    client.backchannel_logout_session_required = required(metadata.backchannel_logout_session_required);
    client.frontchannel_logout_session_required = required(metadata.frontchannel_logout_session_required);
    if required(metadata.dpop_bound_access_tokens) {
        client.dpop = DpopPolicy::Required;
    }
    let client = Client {
        name: metadata.client_name,
        names: metadata.client_names,
        uri: metadata.client_uri,
        logo_uri: metadata.logo_uri,
        policy_uri: metadata.policy_uri,
        tos_uri: metadata.tos_uri,
        backchannel_logout_uri: metadata.backchannel_logout_uri,
        frontchannel_logout_uri: metadata.frontchannel_logout_uri,
        ..client
    };
    check(app, &client)?;
    Ok(client)
}

/// RFC 7591 §2: `client_secret_basic` when nothing is said.
fn auth_method(named: Option<&str>) -> Result<AuthMethod, Flaw> {
    const KNOWN: &str = "is none of client_secret_basic, client_secret_post, private_key_jwt and none";
    match named {
        None => Ok(AuthMethod::ClientSecretBasic),
        Some(name) => AuthMethod::named(name).ok_or(Flaw::of("token_endpoint_auth_method", KNOWN)),
    }
}

fn grant_types(allowed: &[GrantType], named: Option<&[String]>) -> Result<Vec<GrantType>, Flaw> {
    const BEYOND: &str = "names one that clients cannot register for here";
    let default = [GrantType::AuthorizationCode.name().to_owned()];
    let mut known = Vec::new();
    for name in named.unwrap_or(&default) {
        let grant_type = GrantType::named(name).filter(|one| allowed.contains(one));
        let grant_type = grant_type.ok_or(Flaw::of("grant_types", BEYOND))?;
        if !known.contains(&grant_type) {
            known.push(grant_type);
        }
    }
    match known.is_empty() {
        true => Err(Flaw::of(
            "grant_types",
            "is empty: such a client could get no token",
        )),
        false => Ok(known),
    }
}

/// RFC 7591 §2.1: what belongs together.
fn check_response_types(client: &Client, named: Option<&[String]>) -> Result<(), Flaw> {
    let Some(named) = named else {
        return Ok(());
    };
    let asks_for_codes = client.grant_types.contains(&GrantType::AuthorizationCode);
    if named.iter().any(|name| name != "code") {
        return Err(Flaw::of("response_types", "has code and no other"));
    }
    match asks_for_codes == named.is_empty() {
        true => Err(Flaw::of(
            "response_types",
            "code and the grant type authorization_code go together (RFC 7591 §2.1)",
        )),
        false => Ok(()),
    }
}

fn scope(allowed: &ScopeSet, named: Option<&str>) -> Result<ScopeSet, Flaw> {
    let Some(named) = named else {
        return Ok(allowed.clone());
    };
    let asked = named.parse::<ScopeSet>().ok();
    asked.filter(|asked| asked.is_subset(allowed)).ok_or(Flaw::of(
        "scope",
        "is malformed, or more than clients can register for here",
    ))
}

fn put_redirects(client: &mut Client, kind: ApplicationType, metadata: &ClientMetadata) -> Result<(), Flaw> {
    let lists = [
        ("redirect_uris", &metadata.redirect_uris),
        ("post_logout_redirect_uris", &metadata.post_logout_redirect_uris),
    ];
    for (member, uris) in lists {
        let uris = uris.as_deref().unwrap_or_default();
        if uris.len() > MAX_ENTRIES || uris.iter().any(|uri| uri.len() > MAX_URI_BYTES) {
            return Err(Flaw::of_redirect(
                member,
                "has 20 URIs at most, of 2048 bytes each",
            ));
        }
        for uri in uris {
            kind.check(uri).map_err(|todo| Flaw::of_redirect(member, todo))?;
        }
    }
    client.redirect_uris = metadata.redirect_uris.clone().unwrap_or_default();
    client.post_logout_redirect_uris = metadata.post_logout_redirect_uris.clone().unwrap_or_default();
    if client.redirect_uris.is_empty() && client.grant_types.contains(&GrantType::AuthorizationCode) {
        return Err(Flaw::of_redirect(
            "redirect_uris",
            "is empty: a code would have nowhere to go",
        ));
    }
    Ok(())
}

/// Keys are for who proves itself by them; of others they are not kept.
fn put_keys(client: &mut Client, metadata: &ClientMetadata) -> Result<(), Flaw> {
    if metadata.jwks.is_some() && metadata.jwks_uri.is_some() {
        return Err(Flaw::of(
            "jwks",
            "stands beside jwks_uri; one of them is enough (RFC 7591 §2)",
        ));
    }
    if metadata.jwks.as_ref().is_some_and(has_private_key) {
        return Err(Flaw::of(
            "jwks",
            "holds a private key, or PEM: keep private keys to yourself, and send public ones as JWKs",
        ));
    }
    if client.auth_method != AuthMethod::PrivateKeyJwt {
        return Ok(());
    }
    let keys = metadata.jwks.as_ref().and_then(|jwks| jwks.get("keys"));
    if keys
        .and_then(Value::as_array)
        .is_some_and(|keys| keys.len() > MAX_ENTRIES)
    {
        return Err(Flaw::of("jwks", "has 20 keys at most"));
    }
    client.jwks = metadata.jwks.clone();
    client.jwks_uri = metadata.jwks_uri.clone();
    if let Some(name) = &metadata.token_endpoint_auth_signing_alg {
        let known = Algorithm::from_name(name).filter(|one| config::ASSERTION_ALGORITHMS.contains(one));
        let known = known.ok_or(Flaw::of(
            "token_endpoint_auth_signing_alg",
            "is none of token_endpoint_auth_signing_alg_values_supported",
        ))?;
        client.assertion_signing = Some(known);
    }
    Ok(())
}

/// Wherever it lies: beside the keys, in members that nobody knows, or as PEM.
fn has_private_key(jwks: &Value) -> bool {
    const PRIVATE: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];
    match jwks {
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| PRIVATE.contains(&name.as_str()) || has_private_key(value)),
        Value::Array(values) => values.iter().any(has_private_key),
        Value::String(text) => text.contains("-----BEGIN"),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn id_token_signing(app: &App, named: Option<&str>) -> Result<Option<Algorithm>, Flaw> {
    let kept = &app.config.keys.algorithms;
    let known = |name: &str| Algorithm::from_name(name).filter(|one| kept.contains(one));
    match named {
        None => Ok(None),
        Some(name) => known(name).map(Some).ok_or(Flaw::of(
            "id_token_signed_response_alg",
            "is none of id_token_signing_alg_values_supported",
        )),
    }
}

fn max_age(seconds: Option<u64>) -> Result<Option<Ttl>, Flaw> {
    match seconds {
        Some(seconds) if seconds > Ttl::days(365).as_seconds() => {
            Err(Flaw::of("default_max_age", "is more than a year"))
        }
        other => Ok(other.map(Ttl::seconds)),
    }
}

/// Whether this is an https URL without a user name.
pub(super) fn is_https(uri: &str) -> bool {
    uri.len() <= MAX_URI_BYTES && plain_uri::read_link(uri).is_some()
}

/// What is asked of every client, whoever registers it.
fn check(app: &App, client: &Client) -> Result<(), Flaw> {
    let links = [
        &client.uri,
        &client.logo_uri,
        &client.policy_uri,
        &client.tos_uri,
        &client.jwks_uri,
        &client.backchannel_logout_uri,
        &client.frontchannel_logout_uri,
    ];
    if links.into_iter().flatten().any(|uri| uri.len() > MAX_URI_BYTES) {
        return Err(Flaw::of(
            "client_uri",
            "is longer than 2048 bytes, or another URI is",
        ));
    }
    let key = |name: &str| name.to_owned();
    let faults = config::client_faults(&app.config, client, &key);
    let fault = faults
        .into_iter()
        .chain(config::registration_faults(&app.config, client, &key))
        .next();
    let Some(fault) = fault else {
        return Ok(());
    };
    let known = FAULTS.iter().find(|(setting, ..)| *setting == fault.key);
    let (member, what) = known.map_or(("metadata", "do not fit together"), |(_, member, what)| {
        (*member, *what)
    });
    tracing::info!(setting = %fault.key, what = %fault.what, "a client could not be registered");
    Err(match member {
        "redirect_uris" => Flaw::of_redirect(member, what),
        _ => Flaw::of(member, what),
    })
}

/// How our settings are called by clients, and what is asked of each.
const FAULTS: [(&str, &str, &str); 14] = [
    (
        "name",
        "client_name",
        "has no letter, is longer than 100 characters, or has characters that cannot be seen",
    ),
    ("uri", "client_uri", "is no https URL"),
    ("logo_uri", "logo_uri", "is no https URL"),
    ("policy_uri", "policy_uri", "is no https URL"),
    ("tos_uri", "tos_uri", "is no https URL"),
    (
        "redirect_uris",
        "redirect_uris",
        "holds one that cannot be registered",
    ),
    (
        "grant_types",
        "grant_types",
        "do not fit together, or to the token_endpoint_auth_method: refresh_token goes with authorization_code or \
         device_code, client_credentials with a client that proves who it is",
    ),
    (
        "jwks",
        "jwks",
        "private_key_jwt needs a JWKS with a public key that can be used, or a jwks_uri",
    ),
    (
        "jwks_uri",
        "jwks_uri",
        "is no https URL without fragment and user name",
    ),
    (
        "backchannel_logout_uri",
        "backchannel_logout_uri",
        "is no https URL without fragment and user name",
    ),
    (
        "backchannel_logout_session_required",
        "backchannel_logout_session_required",
        "is about a backchannel_logout_uri that is not there",
    ),
    (
        "frontchannel_logout_uri",
        "frontchannel_logout_uri",
        "is no https URL with scheme, host and port of a redirect URI",
    ),
    (
        "frontchannel_logout_session_required",
        "frontchannel_logout_session_required",
        "is about a frontchannel_logout_uri that is not there",
    ),
    (
        "assertion_signing",
        "token_endpoint_auth_signing_alg",
        "does not fit to the method",
    ),
];

/// Entries of a list.
pub(super) const MAX_ENTRIES: usize = 20;
const MAX_URI_BYTES: usize = 2_048;
