//! `carnet client add`.

use std::path::PathBuf;

use carnet_oauth::client_auth::AuthMethod;
use carnet_oauth::grant_type::GrantType;
use carnet_oauth::scope::ScopeSet;
use carnet_server::config::{self, Consent, DpopPolicy, IdTokenClaims};
use carnet_store::{AuditAction, StoreError};
use clap::builder::PossibleValuesParser;
use serde_json::json;

use crate::command::operator::{Operator, broken, made_password, show as tell};
use crate::command::registry::rules;
use crate::failure::Failure;
use crate::output::Output;

#[derive(clap::Args, Debug)]
pub(super) struct Add {
    /// The client's name in requests and tokens
    id: String,
    /// The name that people are shown
    #[arg(long)]
    name: Option<String>,
    /// How it may ask for tokens; with a redirect URI authorization_code and refresh_token, else client_credentials
    #[arg(long = "grant-type", value_name = "TYPE", value_parser = PossibleValuesParser::new(GrantType::ALL.map(GrantType::short_name)))]
    grant_types: Vec<String>,
    /// How it proves who it is
    #[arg(long, value_name = "METHOD", default_value = "client_secret_basic", value_parser = PossibleValuesParser::new(AuthMethod::ALL.map(AuthMethod::name)))]
    auth_method: String,
    /// A client that cannot keep a secret, such as a browser or native app: the same as --auth-method none
    #[arg(long, conflicts_with = "auth_method")]
    public: bool,
    /// Its public keys, a JWKS or one JWK, for private_key_jwt
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// Where they are: fetched when they are needed
    #[arg(long, value_name = "URL", conflicts_with = "jwks")]
    jwks_uri: Option<String>,
    /// Where codes may be sent; may be given several times
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// Where a browser may be sent after a logout
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    post_logout_redirect_uris: Vec<String>,
    /// Where it is told, server to server, that a session has ended
    #[arg(long, value_name = "URI")]
    backchannel_logout_uri: Option<String>,
    /// It must be told which session; it always is
    #[arg(long)]
    backchannel_logout_session_required: bool,
    /// What browsers load when a session has ended
    #[arg(long, value_name = "URI")]
    frontchannel_logout_uri: Option<String>,
    /// It must be told which session; it always is
    #[arg(long)]
    frontchannel_logout_session_required: bool,
    /// The scopes that it may ask for, between spaces
    #[arg(long, default_value = "")]
    scope: String,
    /// The audiences that it may ask for, its default first; all when left out
    #[arg(long = "audience", value_name = "URL")]
    audiences: Vec<String>,
    /// The APIs that it is, whose tokens it may exchange (RFC 8693); may be given several times
    #[arg(long = "exchange-audience", value_name = "URL")]
    exchange_audiences: Vec<String>,
    /// It is a service: it proves itself by its keys, and other services take tokens that it signs with them
    #[arg(long, requires = "jwks", conflicts_with_all = ["public", "auth_method"])]
    service: bool,
    /// The services that it may call, by their ids; each service decides by itself when left out
    #[arg(long = "calls", value_name = "ID", requires = "service")]
    calls: Vec<String>,
    /// When users are asked whether it may
    #[arg(long, value_name = "WHEN", default_value = "remembered", value_parser = PossibleValuesParser::new(["remembered", "explicit", "none"]))]
    consent: String,
    /// Whether its tokens are always bound to a key of its own (DPoP)
    #[arg(long, value_name = "WHEN", default_value = "optional", value_parser = PossibleValuesParser::new(["optional", "required"]))]
    dpop: String,
    /// It may do without PKCE, if it uses nonce
    #[arg(long)]
    without_pkce: bool,
    /// It has to push its requests (RFC 9126)
    #[arg(long)]
    require_pushed_authorization_requests: bool,
    /// How old a login may be when its request does not say
    #[arg(long, value_name = "TIME")]
    default_max_age: Option<config::Ttl>,
    /// What its ID tokens tell about the user: what the parameter claims asks for, or all that the scopes open as well
    #[arg(long, value_name = "WHAT", default_value = "asked", value_parser = PossibleValuesParser::new(["asked", "full"]))]
    id_token_claims: String,
    #[command(flatten)]
    tokens: super::tokens::Tokens,
    /// Its home page
    #[arg(long, value_name = "URL")]
    uri: Option<String>,
    /// Its logo
    #[arg(long, value_name = "URL")]
    logo_uri: Option<String>,
    /// Its privacy policy
    #[arg(long, value_name = "URL")]
    policy_uri: Option<String>,
    /// Its terms of service
    #[arg(long, value_name = "URL")]
    tos_uri: Option<String>,
}

pub(super) async fn run(operator: &Operator, add: Add, out: &Output) -> Result<(), Failure> {
    let client = registration(add)?;
    let key = |name: &str| name.replace('_', "-");
    let named = rules::new_client_id(&client.id, &key);
    let flaws = rules::client(&operator.config, &client, &key);
    if let Some((_, failure)) = named.into_iter().chain(flaws).next() {
        return Err(failure);
    }
    let warnings = config::client_warnings(&operator.config, &client, &key);
    warnings.iter().for_each(|warning| out.warn(warning));
    let secret = match client.auth_method.has_secret() {
        true => Some(made_password()?),
        false => None,
    };
    let digest = secret
        .as_ref()
        .map(|secret| carnet_jose::primitive::sha256(secret.as_bytes()));
    let text = serde_json::to_string(&client).map_err(|error| Failure::broken(error.to_string()))?;
    if client.service {
        let rows = operator.store.clients().await.map_err(broken)?;
        let settings = rows.iter().map(|row| row.settings.as_str());
        rules::room(&operator.config, settings.chain([text.as_str()]))?;
    }
    let audit = operator.did(AuditAction::ClientCreate, &client.id);
    let added = operator
        .store
        .add_client((&client.id, &text), digest, (operator.now, &audit))
        .await;
    added.map_err(|error| match error {
        StoreError::Conflict("client_taken") => rules::client_taken(&client.id),
        other => broken(other),
    })?;
    let json = json!({ "id": client.id, "client_secret": secret.as_deref(), "settings": client });
    tell(out, &json, || {
        let mut words = format!("Registered the client {}.", client.id);
        if let Some(secret) = &secret {
            words.push_str(&format!("\nIts secret, shown this once:\n{}", secret.as_str()));
        }
        words
    });
    out.next(&format!("carnet client show {}", client.id));
    Ok(())
}

fn registration(add: Add) -> Result<config::Client, Failure> {
    must_lead_somewhere(&add)?;
    let mut client = config::Client::named(&add.id);
    client.grant_types = match (add.grant_types.as_slice(), add.redirect_uris.is_empty()) {
        ([], true) => vec![GrantType::ClientCredentials],
        ([], false) => vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        (some, _) => {
            let named = |one: &GrantType| some.iter().any(|name| name == one.short_name());
            GrantType::ALL.into_iter().filter(named).collect()
        }
    };
    client.auth_method = match (add.public, add.service) {
        (true, _) => AuthMethod::None,
        (_, true) => AuthMethod::PrivateKeyJwt,
        _ => AuthMethod::named(&add.auth_method).unwrap_or_default(),
    };
    client.jwks = add.jwks.map(read_jwks).transpose()?;
    client.scope = add.scope.parse::<ScopeSet>().map_err(|_| {
        Failure::usage("invalid_scope", format!("{:?} is no scope", add.scope))
            .because("scopes are visible ASCII without quote and backslash, between spaces (RFC 6749 §3.3)")
            .todo("write it as --scope 'openid email'")
    })?;
    client.consent = match add.consent.as_str() {
        "explicit" => Consent::Explicit,
        "none" => Consent::None,
        _ => Consent::Remembered,
    };
    client.id_token_claims = match add.id_token_claims.as_str() {
        "full" => IdTokenClaims::Full,
        _ => IdTokenClaims::Asked,
    };
    client.dpop = match add.dpop.as_str() {
        "required" => DpopPolicy::Required,
        _ => DpopPolicy::Optional,
    };
    let client = add.tokens.given(client);
    Ok(config::Client {
        name: add.name,
        jwks_uri: add.jwks_uri,
        redirect_uris: add.redirect_uris,
        post_logout_redirect_uris: add.post_logout_redirect_uris,
        backchannel_logout_uri: add.backchannel_logout_uri,
        backchannel_logout_session_required: add.backchannel_logout_session_required,
        frontchannel_logout_uri: add.frontchannel_logout_uri,
        frontchannel_logout_session_required: add.frontchannel_logout_session_required,
        audiences: add.audiences,
        exchange_audiences: add.exchange_audiences,
        service: add.service,
        calls: add.calls,
        require_pkce: !add.without_pkce,
        require_pushed_authorization_requests: add.require_pushed_authorization_requests,
        default_max_age: add.default_max_age,
        uri: add.uri,
        logo_uri: add.logo_uri,
        policy_uri: add.policy_uri,
        tos_uri: add.tos_uri,
        ..client
    })
}

/// Who is public logs people in, and says where to.
fn must_lead_somewhere(add: &Add) -> Result<(), Failure> {
    let public = add.public || add.auth_method == AuthMethod::None.name();
    if !public || !add.grant_types.is_empty() || !add.redirect_uris.is_empty() {
        return Ok(());
    }
    Err(Failure::usage("client_invalid", "--redirect-uri is missing")
        .because("a public client logs people in, and the code would have nowhere to go")
        .todo("add --redirect-uri URI; for a device: --grant-type device_code --grant-type refresh_token"))
}

fn read_jwks(file: PathBuf) -> Result<serde_json::Value, Failure> {
    let unusable = |what: String| {
        Failure::usage("key_invalid", format!("{}: {what}", file.display()))
            .because("the client's public keys are read from there")
            .todo("make one: carnet jwk generate --algorithm ES256 --out key.jwk --public-out public.jwk")
    };
    let text = std::fs::read(&file).map_err(|error| unusable(error.to_string()))?;
    let keys: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| unusable(error.to_string()))?;
    // One key, as `carnet jwk generate --public-out` writes it, is a set of one.
    match keys.get("kty") {
        Some(_) => Ok(json!({ "keys": [keys] })),
        None => Ok(keys),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::output::{Colour, Output};

    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        add: Add,
    }

    #[tokio::test]
    async fn a_service_for_which_the_bundle_has_no_room_is_not_added() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("public.jwk");
        let key = r#"{"kty":"EC","crv":"P-256","kid":"k","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#;
        std::fs::write(&file, key).unwrap();
        let text = "issuer = \"https://auth.example.com\"\n[listen]\ntrusted_proxies = [\"192.0.2.1\"]\n[[resources]]\naudience = \"a\"\n";
        let (config, _) = config::parse(text, &folder.path().join("carnet.toml"), &[]).unwrap();
        let store = carnet_store::Store::open(&carnet_store::StoreConfig::memory())
            .await
            .unwrap();
        let operator = Operator {
            config,
            store,
            now: 1_800_000_000_000,
        };
        let mut words: Vec<String> = [
            "add",
            "another",
            "--service",
            "--jwks",
            &file.display().to_string(),
        ]
        .map(str::to_owned)
        .to_vec();
        let calls = std::iter::repeat_n(["--calls".to_owned(), "x".repeat(64)], 100);
        words.extend(calls.flatten());
        let add = |id: &str| {
            let mut words = words.clone();
            words[1] = id.to_owned();
            Command::parse_from(words).add
        };
        let out = Output::new(true, Colour::Never);
        let text = serde_json::to_string(&registration(add("x")).unwrap()).unwrap();
        for number in 0..1_250 {
            let (id, audit) = (
                format!("service-{number}"),
                operator.did(AuditAction::ClientCreate, "x"),
            );
            let settings = text.replacen("\"x\"", &format!("{id:?}"), 1);
            let told = (operator.now, &audit);
            operator
                .store
                .add_client((&id, &settings), None, told)
                .await
                .unwrap();
        }
        let refused = run(&operator, add("another"), &out).await;
        assert_eq!(
            refused.err().map(|failure| failure.code),
            Some("too_many_services")
        );
        let rest = ["add", "plain", "--scope", "a"].map(str::to_owned);
        assert!(run(&operator, Command::parse_from(rest).add, &out).await.is_ok());
    }

    #[tokio::test]
    async fn no_client_is_added_under_a_name_that_bends_a_path() {
        let text = "issuer = \"http://127.0.0.1:8080\"\n[[resources]]\naudience = \"a\"\n";
        let (config, _) = config::parse(text, std::path::Path::new("carnet.toml"), &[]).unwrap();
        let store = carnet_store::Store::open(&carnet_store::StoreConfig::memory())
            .await
            .unwrap();
        let operator = Operator {
            config,
            store,
            now: 1_800_000_000_000,
        };
        let out = Output::new(true, Colour::Never);
        let add = |id: &str| Command::parse_from(["add", id, "--scope", "a"]).add;
        for id in ["..", "a/b"] {
            let refused = run(&operator, add(id), &out).await.unwrap_err();
            assert_eq!(refused.code, "client_invalid", "{id}");
            assert!(refused.what.starts_with("id: "), "{refused:?}");
        }
        assert_eq!(operator.store.clients().await.unwrap(), []);
        assert!(run(&operator, add("orders"), &out).await.is_ok());
    }

    #[test]
    fn a_public_client_without_anywhere_to_go_is_told_the_flag_that_is_missing() {
        let add = |words: &[&str]| registration(Command::parse_from([&["add", "q"], words].concat()).add);
        for words in [&["--public"][..], &["--auth-method", "none"]] {
            let failure = add(words).err().unwrap();
            assert!(failure.what.contains("--redirect-uri"), "{failure:?}");
        }
        let device = add(&["--public", "--grant-type", "device_code"]).unwrap();
        assert_eq!(device.grant_types, [GrantType::DeviceCode]);
    }

    #[test]
    fn one_key_is_a_set_of_one() {
        let folder = tempfile::tempdir().unwrap();
        let read = |text: &str| {
            let file = folder.path().join("keys");
            std::fs::write(&file, text).unwrap();
            read_jwks(file).unwrap()
        };
        let set = json!({ "keys": [{ "kty": "EC" }] });
        assert_eq!(read(r#"{"kty":"EC"}"#), set);
        assert_eq!(read(r#"{"keys":[{"kty":"EC"}]}"#), set);
    }
}
