//! What the file says of clients.

use super::*;

#[test]
fn a_clients_settings_of_its_tokens_must_fit() {
    let service = "[[clients]]\nid = \"svc\"\ngrant_types = [\"authorization_code\"]\nredirect_uris = [\"https://a.example/cb\"]";
    for (line, key) in [
        ("refresh_idle = \"0s\"", "refresh_idle"),
        ("refresh_idle = \"31d\"", "refresh_idle"),
        ("refresh_absolute = \"0s\"", "refresh_absolute"),
        ("refresh_grace = \"61s\"", "refresh_grace"),
        // A public client has nothing but rotation.
        ("refresh_rotation = \"off\"", "refresh_rotation"),
        (
            "dpop = \"required\"\nrefresh_rotation = \"off\"",
            "refresh_rotation",
        ),
        ("dpop = \"required\"\nrefresh_grace = \"1d\"", "refresh_grace"),
        ("assertion_audience = \"token_endpoint\"", "assertion_audience"),
        ("access_token_signing = \"RS256\"", "access_token_signing"),
        ("access_token_signing = \"HS256\"", "access_token_signing"),
    ] {
        assert_eq!(
            wrong_key(&format!("{service}\n{line}")),
            format!("clients.0.{key}"),
            "{line}"
        );
    }
    let shorter = format!("{service}\nrefresh_absolute = \"1d\"");
    assert!(parse(&with(&shorter), Path::new("c"), &[]).is_ok());
}

#[test]
fn a_trusted_issuer_has_one_name_its_clients_and_its_keys_from_one_place() {
    let issuer = "[[trusted_issuers]]\nissuer = \"https://idp.example.com\"";
    let keys = "jwks_uri = \"https://idp.example.com/jwks\"";
    let right = format!("{issuer}\nclients = [\"a\"]\n{keys}");
    assert!(parse(&with(&right), Path::new("c"), &[]).is_ok());
    // One key, as `carnet jwk generate --public-out` writes it.
    let one =
        "jwks = { kty = \"OKP\", crv = \"Ed25519\", x = \"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\" }";
    assert!(parse(&with(&right.replace(keys, one)), Path::new("c"), &[]).is_ok());
    let private = one.replace(" }", ", d = \"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\" }");
    assert_eq!(
        wrong_key(&right.replace(keys, &private)),
        "trusted_issuers.0.jwks"
    );
    let own = right.replace(
        "https://idp.example.com\"\nclients",
        "http://127.0.0.1:8080\"\nclients",
    );
    for (lines, key) in [
        (own, "issuer"),
        (format!("{right}\n{right}"), "issuer"),
        (format!("{issuer}\nclients = [\"a\"]"), "issuer"),
        (format!("{right}\njwks_file = \"x\""), "issuer"),
        (right.replace("[\"a\"]", "[]"), "clients"),
        (
            right.replace("https://idp.example.com/jwks", "http://idp.example.com/jwks"),
            "jwks_uri",
        ),
        (format!("{right}\nalgorithms = [\"HS256\"]"), "algorithms"),
        (format!("{right}\nlongest_life = \"2h\""), "longest_life"),
        (right.replace(keys, "jwks = { keys = [] }"), "jwks"),
        (right.replace(keys, "jwks_file = \"/nonexistent\""), "jwks_file"),
    ] {
        assert_eq!(wrong_key(&lines), format!("trusted_issuers.0.{key}"), "{lines}");
    }
    let client = format!("{right}\n[[clients]]\nid = \"https://idp.example.com\"");
    assert_eq!(wrong_key(&client), "trusted_issuers.0.issuer");
}

#[test]
fn clients_register_themselves_within_bounds_that_make_sense() {
    let section = |lines: &str| with(&format!("[client_registration]\npolicy = \"open\"\n{lines}"));
    let api = "audiences = [\"https://api.example.com\"]\n";
    assert!(parse(&section(api), Path::new("carnet.toml"), &[]).is_ok());
    for (lines, key) in [
        ("", "audiences"),
        ("audiences = [\"https://other.example.com\"]", "audiences"),
        (&format!("{api}scope = \"openid admin\""), "scope"),
        (&format!("{api}scope = \"admin:users\""), "scope"),
        (&format!("{api}grant_types = [\"token_exchange\"]"), "grant_types"),
        (&format!("{api}max_clients = 0"), "max_clients"),
        (&format!("{api}requests_per_address = 0"), "requests_per_address"),
        (
            &format!("{api}forget_unused_after = \"1h\""),
            "forget_unused_after",
        ),
    ] {
        let error = refused(&section(lines));
        assert!(
            error.what.contains(&format!("client_registration.{key}")) || error.place.contains(key),
            "{error}"
        );
    }
}

#[test]
fn the_keys_of_a_client_have_one_place() {
    let client = |lines: &str| {
        with(&format!(
            "[[clients]]\nid = \"c\"\ngrant_types = [\"client_credentials\"]\nauth_method = \"private_key_jwt\"\n{lines}"
        ))
    };
    let good = client("jwks_uri = \"https://c.example.com/jwks\"");
    assert!(parse(&good, Path::new("carnet.toml"), &[]).is_ok());
    for lines in [
        "jwks_uri = \"http://c.example.com/jwks\"",
        "jwks_uri = \"https://c.example.com/jwks\"\njwks = { keys = [] }",
        "jwks_uri = \"https://c.example.com/jwks\"\nassertion_signing = \"HS256\"",
        "assertion_signing = \"ES256\"",
    ] {
        refused(&client(lines));
    }
}

#[test]
fn no_client_is_given_a_name_that_bends_a_path() {
    let read = |id: &str| {
        let text = format!("{}\n[[clients]]\nid = '{id}'\n", with(""));
        parse(&text, Path::new("carnet.toml"), &[])
    };
    for id in ["..", ".", "a/b", "a\\b", "a?b", "a#b", "a%2fb"] {
        let error = read(id).unwrap_err();
        assert!(error.what.starts_with("clients.0.id: "), "{id}: {error}");
    }
    for id in ["orders", "a.b", "...", "urn:example:app", "a@b"] {
        assert!(read(id).is_ok(), "{id}: {:?}", read(id).err());
    }
}
