//! Forged and mangled tokens at an API: the rows of the catalogue that a resource server meets.

use axum::Router;
use axum::response::IntoResponse as _;
use carnet_guard::{Guard, Issuer, ResourceServer};
use carnet_jose::{Algorithm, AnySigningKey, KeySet, base64url};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;

use crate::api::{API, with_token};
use crate::issuers::Frozen;

const NOW: u64 = 1_800_000_000;
const NAME: &str = "https://issuer.test";

/// An issuer whose key signs whatever bytes it is given.
struct Forger {
    key: AnySigningKey,
    guard: Guard,
    _folder: tempfile::TempDir,
}

impl Forger {
    async fn start() -> Self {
        let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
        let set = KeySet::new(vec![(Some("k".to_owned()), key.verifying_key())]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("jwks.json");
        std::fs::write(&file, set.to_jwks_json().unwrap()).unwrap();
        let server = ResourceServer::new(API).issuer(Issuer::jwks_file(NAME, &file));
        let guard = server.clock(Frozen::new()).build().await.unwrap();
        Self {
            key,
            guard,
            _folder: folder,
        }
    }

    fn sign(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        let signed = format!(
            "{}.{}",
            base64url::encode(header.as_ref()),
            base64url::encode(payload.as_ref())
        );
        let signature = self.key.sign(signed.as_bytes()).unwrap();
        format!("{signed}.{}", base64url::encode(&signature))
    }

    async fn code(&self, token: &str) -> String {
        let answer = with_token(&self.guard, "/me", token).await;
        match answer.status.as_u16() {
            200 => "in".to_owned(),
            401 => answer.code().to_owned(),
            other => format!("{other}"),
        }
    }

    async fn refuses(&self, header: &str, payload: &str) {
        let token = self.sign(header, payload);
        assert_eq!(self.code(&token).await, "token_invalid", "{header} {payload}");
    }
}

fn claims() -> Value {
    json!({ "iss": NAME, "aud": API, "sub": "alice", "client_id": "web", "jti": "x", "iat": NOW, "exp": NOW + 600 })
}

const HEADER: &str = r#"{"alg":"ES256","typ":"at+jwt","kid":"k"}"#;

fn with(name: &str, value: Value) -> String {
    let mut claims = claims();
    claims[name] = value;
    claims.to_string()
}

#[tokio::test]
async fn jwt_01_jwt_04_the_header_does_not_choose_the_algorithm() {
    let forger = Forger::start().await;
    let good = claims().to_string();
    assert_eq!(forger.code(&forger.sign(HEADER, &good)).await, "in");
    for header in [
        r#"{"alg":"none","typ":"at+jwt","kid":"k"}"#,
        r#"{"alg":"nOnE","typ":"at+jwt","kid":"k"}"#,
        r#"{"alg":"","typ":"at+jwt","kid":"k"}"#,
        r#"{"alg":null,"typ":"at+jwt","kid":"k"}"#,
        r#"{"typ":"at+jwt","kid":"k"}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"k"}"#,
        r#"{"alg":"ES384","typ":"at+jwt","kid":"k"}"#,
        r#"{"alg":"RS256","typ":"at+jwt","kid":"k"}"#,
        r#"{"alg":"es256","typ":"at+jwt","kid":"k"}"#,
    ] {
        forger.refuses(header, &good).await;
    }
    let token = forger.sign(HEADER, &good);
    let (signed, _) = token.rsplit_once('.').unwrap();
    for token in [format!("{signed}."), signed.to_owned(), format!("{signed}.AA")] {
        assert_eq!(forger.code(&token).await, "token_invalid");
    }
}

#[tokio::test]
async fn jwt_05_a_key_in_the_header_is_not_looked_at_and_nothing_is_fetched() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let canary = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new().fallback(async move || {
        counted.fetch_add(1, Ordering::SeqCst);
        "{}".into_response()
    });
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let forger = Forger::start().await;
    let own = AnySigningKey::generate(Algorithm::Es256).unwrap();
    let jwk = KeySet::new(vec![(Some("k".to_owned()), own.verifying_key())])
        .unwrap()
        .to_jwks_json()
        .unwrap();
    let jwk = serde_json::from_str::<Value>(&jwk).unwrap()["keys"][0].clone();
    for kid in ["k", "other"] {
        for (name, value) in [
            ("jwk", jwk.clone()),
            ("jku", json!(format!("{canary}/k"))),
            ("x5u", json!(format!("{canary}/k"))),
            ("x5c", json!(["MIIB"])),
        ] {
            let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": kid, name: value }).to_string();
            let signed = format!(
                "{}.{}",
                base64url::encode(header.as_bytes()),
                base64url::encode(claims().to_string().as_bytes())
            );
            let signature = base64url::encode(&own.sign(signed.as_bytes()).unwrap());
            assert_eq!(
                forger.code(&format!("{signed}.{signature}")).await,
                "token_invalid",
                "{name}"
            );
        }
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn jwt_06_a_kid_is_a_name_and_nothing_else() {
    let forger = Forger::start().await;
    for kid in [
        json!("../../../../dev/null"),
        json!("' OR 1=1--"),
        json!("k\u{0}"),
        json!("A".repeat(8_000)),
        json!(7),
        json!(["k"]),
        json!(""),
        json!("K"),
        json!(null),
    ] {
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": kid }).to_string();
        forger.refuses(&header, &claims().to_string()).await;
    }
}

#[tokio::test]
async fn jwt_08_a_critical_extension_that_is_not_understood_refuses() {
    let forger = Forger::start().await;
    for extra in [
        r#""crit":["bork"],"bork":1"#,
        r#""crit":[]"#,
        r#""crit":"exp""#,
        r#""crit":["alg"]"#,
        r#""crit":["x"]"#,
        r#""b64":false,"crit":["b64"]"#,
    ] {
        let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"k",{extra}}}"#);
        forger.refuses(&header, &claims().to_string()).await;
    }
}

#[tokio::test]
async fn jwt_09_jwt_10_two_members_of_one_name_refuse() {
    let forger = Forger::start().await;
    let rest = format!(
        r#""iss":"{NAME}","aud":"{API}","client_id":"web","jti":"x","iat":{NOW},"exp":{}"#,
        NOW + 600
    );
    for payload in [
        format!(r#"{{"sub":"alice","sub":"bob",{rest}}}"#),
        format!(r#"{{"sub":"alice","\u0073ub":"bob",{rest}}}"#),
        format!(r#"{{"sub":"alice",{rest},"cnf":{{"jkt":"A","jkt":"B"}}}}"#),
        format!(r#"{{"sub":"alice",{rest},"scope":"a","scope":"b"}}"#),
    ] {
        forger.refuses(HEADER, &payload).await;
    }
    forger
        .refuses(
            r#"{"alg":"ES256","alg":"none","typ":"at+jwt","kid":"k"}"#,
            &claims().to_string(),
        )
        .await;
}

#[tokio::test]
async fn jwt_12_a_token_has_three_parts_and_no_json() {
    let forger = Forger::start().await;
    let token = forger.sign(HEADER, claims().to_string());
    for other in [
        token.replace('.', ""),
        format!("{token}.x"),
        format!("{token}.x.y"),
        format!("{token}="),
        token.replacen('.', "..", 1),
    ] {
        assert_eq!(forger.code(&other).await, "token_invalid", "{other}");
    }
    // No b64token at all.
    let json = r#"{"payload":"e30","signatures":[]}"#;
    assert_eq!(forger.code(json).await, "400");
}

#[tokio::test]
async fn jwt_13_a_time_of_the_wrong_type_is_wrong_not_missing() {
    let forger = Forger::start().await;
    for (name, value) in [
        ("exp", json!("9999999999")),
        ("exp", json!(-1)),
        ("exp", json!(null)),
        ("exp", json!([])),
        ("exp", json!(true)),
        ("nbf", json!("0")),
        ("iat", json!("0")),
        ("sub", json!(7)),
        ("sub", json!("")),
        ("client_id", json!(7)),
        ("jti", json!(7)),
        ("sid", json!(7)),
    ] {
        forger.refuses(HEADER, &with(name, value)).await;
    }
    forger
        .refuses(
            HEADER,
            &claims().to_string().replace(&(NOW + 600).to_string(), "1e400"),
        )
        .await;
    for name in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        forger.refuses(HEADER, &claims.to_string()).await;
    }
}

#[tokio::test]
async fn jwt_15_jwt_16_issuer_and_audience_are_compared_byte_for_byte() {
    let forger = Forger::start().await;
    for (name, value) in [
        ("iss", json!("https://issuer.test/")),
        ("iss", json!("https://ISSUER.test")),
        ("iss", json!("https://issuer.test:443")),
        ("iss", json!("https://issuer.test@evil.test")),
        ("iss", json!("https://issuer.test.evil.test")),
        ("iss", json!("http://issuer.test")),
        ("iss", json!([NAME])),
        ("aud", json!("https://other.test")),
        ("aud", json!([])),
        ("aud", json!([1, API])),
        ("aud", json!("https://API.test")),
        ("aud", json!("https://api.test/")),
        ("aud", json!("https://api.test.evil")),
        ("aud", json!(null)),
    ] {
        forger.refuses(HEADER, &with(name, value)).await;
    }
    let several = forger.sign(HEADER, with("aud", json!(["https://other.test", API])));
    assert_eq!(forger.code(&several).await, "in");
}

#[tokio::test]
async fn jwt_17_only_an_access_token_is_one() {
    let forger = Forger::start().await;
    let good = claims().to_string();
    for typ in [
        "JWT",
        "logout+jwt",
        "dpop+jwt",
        "oauth-authz-req+jwt",
        "client-authentication+jwt",
        "",
    ] {
        let header = json!({ "alg": "ES256", "typ": typ, "kid": "k" }).to_string();
        forger.refuses(&header, &good).await;
    }
    forger.refuses(r#"{"alg":"ES256","kid":"k"}"#, &good).await;
    for typ in ["application/at+jwt", "AT+JWT"] {
        let header = json!({ "alg": "ES256", "typ": typ, "kid": "k" }).to_string();
        assert_eq!(forger.code(&forger.sign(header, &good)).await, "in", "{typ}");
    }
}

#[tokio::test]
async fn jwt_23_a_payload_is_one_json_object() {
    let forger = Forger::start().await;
    let deep = format!(
        "{}{}",
        "{\"a\":".repeat(1_000),
        "1".to_owned() + &"}".repeat(1_000)
    );
    for payload in ["[]", "\"x\"", "null", "", r#"{"sub":"\uD800"}"#, &deep] {
        forger.refuses(HEADER, payload).await;
    }
    let utf16: Vec<u8> = claims()
        .to_string()
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let bom = [b"\xEF\xBB\xBF".to_vec(), claims().to_string().into_bytes()].concat();
    for payload in [utf16, bom, b"{\"sub\":\"\xC0\xAE\"}".to_vec()] {
        assert_eq!(forger.code(&forger.sign(HEADER, payload)).await, "token_invalid");
    }
}
