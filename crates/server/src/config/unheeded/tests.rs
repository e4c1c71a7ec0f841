//! What is warned of, what is refused, and what is neither.

use std::path::Path;

use crate::config::parse;

const PUBLIC: &str = "[[clients]]\nid = \"a\"\ngrant_types = [\"authorization_code\", \"refresh_token\"]\nredirect_uris = [\"https://a.example/cb\"]";
const CODE_ALONE: &str = "[[clients]]\nid = \"a\"\ngrant_types = [\"authorization_code\"]\nredirect_uris = [\"https://a.example/cb\"]";
const TRUSTED: &str = "[[trusted_issuers]]\nissuer = \"https://idp.example.com\"\njwks_uri = \"https://idp.example.com/jwks\"\nclients = [\"svc\"]";

/// A configuration with these lines, in a folder with the secret of a client.
fn read(lines: &str) -> Result<Vec<String>, String> {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("svc.secret");
    carnet_listen::secret_file::create(&secret, b"0123456789abcdef0123456789abcdef0123456789abcdef").unwrap();
    let text = format!(
        "issuer = \"https://auth.example.com\"\n[listen]\ntrusted_proxies = [\"127.0.0.1\"]\n{lines}\n[[resources]]\naudience = \"https://api.example.com\"\n"
    );
    let read = parse(&text, &folder.path().join("carnet.toml"), &[]);
    read.map(|(_, warnings)| warnings).map_err(|error| error.what)
}

/// The keys that are warned of.
fn warned(lines: &str) -> Vec<String> {
    let warnings = read(lines).unwrap();
    let keys = warnings.iter().map(|warning| warning.split(':').next().unwrap());
    keys.map(str::to_owned).collect()
}

fn refused(lines: &str) -> String {
    let what = read(lines).unwrap_err();
    what.split(':').next().unwrap().to_owned()
}

/// A client with a secret and the grant types, and what else is said of it.
fn svc(grant_types: &str, more: &str) -> String {
    format!(
        "[[clients]]\nid = \"svc\"\ngrant_types = [{grant_types}]\nauth_method = \"client_secret_basic\"\nsecret_file = \"svc.secret\"\n{more}"
    )
}

#[test]
fn a_trusted_issuer_names_clients_that_can_bring_its_assertions() {
    let right = svc("\"jwt_bearer\"", "");
    assert!(warned(&format!("{TRUSTED}\n{right}")).is_empty());
    // One that is registered later, perhaps.
    assert_eq!(warned(TRUSTED), ["trusted_issuers.0.clients"]);
    let asked_each_time = svc("\"jwt_bearer\"", "consent = \"explicit\"");
    assert_eq!(
        warned(&format!("{TRUSTED}\n{asked_each_time}")),
        ["trusted_issuers.0.clients"]
    );
    let another = svc("\"client_credentials\"", "");
    let of_the_login_api = "[[clients]]\nid = \"svc\"";
    for client in [another.as_str(), of_the_login_api] {
        assert_eq!(
            refused(&format!("{TRUSTED}\n{client}")),
            "trusted_issuers.0.clients",
            "{client}"
        );
    }
    let built_in = TRUSTED.replace("svc", "first-party");
    assert_eq!(refused(&built_in), "trusted_issuers.0.clients");
    let public = "[[clients]]\nid = \"svc\"\ngrant_types = [\"jwt_bearer\"]";
    assert_eq!(refused(&format!("{TRUSTED}\n{public}")), "clients.0.grant_types");
}

#[test]
fn a_client_whose_assertions_nobody_makes_is_warned_of() {
    assert_eq!(warned(&svc("\"jwt_bearer\"", "")), ["clients.0.grant_types"]);
}

#[test]
fn an_address_of_keys_that_is_never_asked_is_warned_of_and_one_with_a_name_or_fragment_is_refused() {
    let at = |uri: &str| {
        let trusted = TRUSTED.replace("https://idp.example.com/jwks", uri);
        let keys = format!("auth_method = \"private_key_jwt\"\njwks_uri = \"{uri}\"");
        let client = format!("[[clients]]\nid = \"k\"\ngrant_types = [\"client_credentials\"]\n{keys}");
        (format!("{trusted}\n{}", svc("\"jwt_bearer\"", "")), client)
    };
    for host in [
        "127.0.0.1",
        "localhost",
        "keys.localhost",
        "[::1]",
        "10.0.0.1",
        "169.254.169.254",
        "[fd00::1]",
    ] {
        let (trusted, client) = at(&format!("https://{host}/jwks"));
        assert_eq!(warned(&trusted), ["trusted_issuers.0.jwks_uri"], "{host}");
        assert_eq!(warned(&client), ["clients.0.jwks_uri"], "{host}");
    }
    let (trusted, client) = at("https://10.0.0.1/jwks");
    for lines in [trusted, client] {
        let allowed = format!("[outbound]\nallowed_networks = [\"10.0.0.0/8\"]\n{lines}");
        assert!(warned(&allowed).is_empty(), "{lines}");
    }
    for uri in [
        "https://u@idp.example.com/jwks",
        "https://u:p@idp.example.com/jwks",
        "https://idp.example.com/jwks#k",
    ] {
        let (trusted, client) = at(uri);
        assert_eq!(refused(&trusted), "trusted_issuers.0.jwks_uri", "{uri}");
        assert_eq!(refused(&client), "clients.0.jwks_uri", "{uri}");
    }
}

#[test]
fn what_is_said_of_refresh_tokens_and_changes_nothing_is_warned_of() {
    for line in [
        "refresh_idle = \"1d\"",
        "refresh_absolute = \"10d\"",
        "refresh_grace = \"5s\"",
    ] {
        let name = line.split(' ').next().unwrap();
        assert_eq!(
            warned(&format!("{CODE_ALONE}\n{line}")),
            [format!("clients.0.{name}")]
        );
        assert!(warned(&format!("{PUBLIC}\n{line}")).is_empty(), "{line}");
        // The login API has refresh tokens of its own.
        assert!(
            warned(&format!("[[clients]]\nid = \"app\"\n{line}")).is_empty(),
            "{line}"
        );
    }
    let stays = "redirect_uris = [\"https://a.example/cb\"]\ndpop = \"required\"\nrefresh_rotation = \"off\"";
    let both = "\"authorization_code\", \"refresh_token\"";
    assert!(warned(&svc(both, stays)).is_empty());
    assert_eq!(
        warned(&svc("\"authorization_code\"", stays)),
        ["clients.0.refresh_rotation"]
    );
    assert_eq!(
        warned(&svc(both, &format!("{stays}\nrefresh_grace = \"1h\""))),
        ["clients.0.refresh_grace"]
    );
    let longer =
        format!("{PUBLIC}\nrefresh_idle = \"10s\"\nrefresh_absolute = \"10s\"\nrefresh_grace = \"11s\"");
    assert_eq!(refused(&longer), "clients.0.refresh_grace");
}

#[test]
fn an_algorithm_that_no_resource_leaves_to_the_client_is_warned_of() {
    let wish = format!("{PUBLIC}\naccess_token_signing = \"ES256\"");
    assert!(warned(&wish).is_empty());
    let says = "[[resources]]\naudience = \"https://says.example.com\"\nsigning = \"ES256\"";
    assert!(warned(&format!("{wish}\n{says}")).is_empty());
    let there = format!("{wish}\naudiences = [\"https://says.example.com\"]\n{says}");
    assert_eq!(warned(&there), ["clients.0.access_token_signing"]);
}

#[test]
fn a_registered_client_that_the_configuration_has_no_place_for_says_why() {
    let text =
        "issuer = \"https://auth.example.com\"\n[[resources]]\naudience = \"https://api.example.com\"\n";
    let trusting = format!("{text}{TRUSTED}");
    let read = |text: &str| parse(text, Path::new("carnet.toml"), &[]).unwrap().0;
    let why = |settings: &str| crate::config::registered(&read(&trusting), settings).unwrap_err();
    let gone = r#"{"id":"a","grant_types":["client_credentials"],"auth_method":"client_secret_basic","audiences":["https://gone.example.com"]}"#;
    assert!(why(gone).starts_with("audiences: "), "{}", why(gone));
    let issuer = r#"{"id":"https://idp.example.com","grant_types":["client_credentials"],"auth_method":"client_secret_basic"}"#;
    assert!(why(issuer).starts_with("id: "), "{}", why(issuer));
    assert!(crate::config::registered(&read(text), issuer).is_ok());
    let keyless = r#"{"id":"a","grant_types":["client_credentials"],"auth_method":"private_key_jwt","jwks":{"keys":[]}}"#;
    assert!(why(keyless).starts_with("jwks: "), "{}", why(keyless));
    assert!(why("{").contains("EOF"));
}
