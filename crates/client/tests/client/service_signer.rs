//! A service's own tokens: what they say, how long they are used, and where its key may lie.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use carnet_client::clock::Clock;
use carnet_client::service_signer::ServiceSigner;
use carnet_jose::{Algorithm, AnySigningKey, dangerous};
use http::{HeaderValue, Method, Request};
use serde_json::json;

#[derive(Clone, Default)]
struct Hands(Arc<AtomicU64>);

impl Clock for Hands {
    fn since_epoch(&self) -> Duration {
        Duration::from_secs(1_800_000_000 + self.0.load(Ordering::SeqCst))
    }
}

const ISSUER: &str = "https://auth.example.com";

fn signer(clock: &Hands) -> ServiceSigner {
    let key = AnySigningKey::generate(Algorithm::Ed25519).unwrap();
    ServiceSigner::with_clock(ISSUER, "orders", (key, "k1".to_owned()), clock.clone()).unwrap()
}

fn decoded(value: &HeaderValue) -> dangerous::Decoded {
    let token = value.to_str().unwrap().strip_prefix("Bearer ").unwrap();
    dangerous::decode(token).unwrap()
}

#[test]
fn a_token_is_from_one_service_for_one_other_and_short() {
    let token = decoded(&signer(&Hands::default()).authorization("billing").unwrap());
    assert_eq!(
        token.header,
        json!({ "alg": "Ed25519", "typ": "svc+jwt", "kid": "k1" })
    );
    let mut said = token.payload;
    let jti = said.as_object_mut().unwrap().remove("jti").unwrap();
    assert_eq!(jti.as_str().unwrap().len(), 22);
    let id = "https://auth.example.com/services/orders";
    let billing = "https://auth.example.com/services/billing";
    assert_eq!(
        said,
        json!({ "iss": id, "sub": id, "aud": billing, "iat": 1_800_000_000_u64, "exp": 1_800_000_060_u64 })
    );
    let long = signer(&Hands::default()).life(Duration::from_secs(9_999));
    let long = decoded(&long.authorization("billing").unwrap()).payload;
    assert_eq!(long["exp"], 1_800_000_300_u64);
}

#[test]
fn a_token_is_used_until_a_fifth_of_its_life_is_left() {
    let clock = Hands::default();
    let signer = signer(&clock);
    let first = signer.authorization("billing").unwrap();
    clock.0.store(47, Ordering::SeqCst);
    assert_eq!(signer.clone().authorization("billing").unwrap(), first);
    assert_ne!(signer.authorization("shipping").unwrap(), first);
    clock.0.store(48, Ordering::SeqCst);
    let next = signer.authorization("billing").unwrap();
    assert_ne!(next, first);
    // The clock was set back: nobody uses a token from the future.
    clock.0.store(10, Ordering::SeqCst);
    assert_ne!(signer.authorization("billing").unwrap(), next);
}

#[test]
fn requests_that_may_change_something_have_a_token_each() {
    let signer = signer(&Hands::default());
    let attached = |method: &str| {
        let mut request = Request::builder()
            .method(method)
            .header("authorization", "Bearer of-before");
        let mut request = std::mem::take(&mut request).body(()).unwrap();
        signer.attach(&mut request, "billing").unwrap();
        assert_eq!(request.headers().get_all("authorization").iter().count(), 1);
        request.headers()["authorization"].clone()
    };
    assert_eq!(attached("GET"), attached("GET"));
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        assert_ne!(attached(method), attached(method), "{method}");
    }
}

#[test]
fn a_token_for_one_request_names_it_and_is_used_for_no_other() {
    let signer = signer(&Hands::default());
    let attached = || {
        let mut request = Request::get("https://Billing.example.com:443/invoices?page=2")
            .body(())
            .unwrap();
        signer.attach_bound(&mut request, "billing").unwrap();
        request.headers()["authorization"].clone()
    };
    let (first, second) = (attached(), attached());
    assert_ne!(first, second, "not even for the same again");
    let said = decoded(&first).payload;
    let named = (&said["htm"], &said["htu"]);
    assert_eq!(
        named,
        (&json!("GET"), &json!("https://billing.example.com/invoices"))
    );
    // Those for any request are others, and name none.
    let any = signer.authorization("billing").unwrap();
    assert_ne!(any, second);
    assert_eq!(decoded(&any).payload.get("htu"), None);
}

#[test]
fn a_token_names_no_half_url_and_no_password() {
    let signer = signer(&Hands::default());
    for url in [
        "/invoices",
        "billing.example.com/invoices",
        "ftp://billing.example.com/",
        "https://billing.example.com/a b",
        "https://orders:s3cret@billing.example.com/",
        "",
    ] {
        let error = signer
            .bound_authorization("billing", &Method::POST, url)
            .unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    let at = signer.bound_authorization("billing", &Method::POST, "https://billing.example.com/@me?x={}");
    assert_eq!(
        decoded(&at.unwrap()).payload["htu"],
        "https://billing.example.com/@me"
    );
    let mut half = Request::post("/invoices").body(()).unwrap();
    assert!(signer.attach_bound(&mut half, "billing").is_err());
    assert!(half.headers().is_empty());
}

#[test]
fn lk_02_what_is_printed_shows_no_token_and_no_key() {
    let signer = signer(&Hands::default());
    let mut request = Request::get("/").body(()).unwrap();
    signer.attach(&mut request, "billing").unwrap();
    let text = format!("{request:?} {signer:?}");
    assert!(!text.contains("eyJ"), "{text}");
    assert!(text.contains("Sensitive"), "{text}");
}

#[test]
fn an_assertion_is_for_the_server_alone_and_never_the_same_twice() {
    let signer = signer(&Hands::default());
    for (one, other, typ) in [
        (
            signer.client_assertion(),
            signer.client_assertion(),
            "client-authentication+jwt",
        ),
        (
            signer.grant_assertion(),
            signer.grant_assertion(),
            "authorization-grant+jwt",
        ),
    ] {
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_ne!(one, other);
        let one = dangerous::decode(&one).unwrap();
        assert_eq!(
            (&one.header["typ"], &one.header["kid"]),
            (&json!(typ), &json!("k1"))
        );
        let said = (&one.payload["iss"], &one.payload["sub"], &one.payload["aud"]);
        assert_eq!(said, (&json!("orders"), &json!("orders"), &json!(ISSUER)));
    }
}

#[test]
fn a_key_file_is_its_owners_alone_and_holds_a_key_that_services_sign_with() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let put = |text: &str, mode: u32| {
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        ServiceSigner::from_file(ISSUER, "orders", &file)
    };
    let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
    let jwk = key.to_jwk_private().unwrap();
    let named = jwk.replacen('{', r#"{"kid":"of-the-file","#, 1);
    let kid =
        |signer: ServiceSigner| decoded(&signer.authorization("billing").unwrap()).header["kid"].clone();
    assert_eq!(kid(put(&named, 0o600).unwrap()), "of-the-file");
    assert_eq!(kid(put(&jwk, 0o600).unwrap()), key.thumbprint().unwrap());
    let pem = key.to_pkcs8_pem().unwrap();
    assert_eq!(kid(put(&pem, 0o640).unwrap()), key.thumbprint().unwrap());
    let open = put(&jwk, 0o644).unwrap_err().to_string();
    assert!(open.contains("chmod 600"), "{open}");
    let rsa = AnySigningKey::generate(Algorithm::Es384).unwrap();
    let other = put(&rsa.to_jwk_private().unwrap(), 0o600)
        .unwrap_err()
        .to_string();
    assert!(other.contains("ES256 or Ed25519"), "{other}");
    let public = serde_json::to_string(&key.verifying_key().to_jwk().unwrap()).unwrap();
    for text in ["", "{", "no key", &public] {
        assert!(put(text, 0o600).is_err(), "{text}");
    }
    for name in ["", "a/b", ".."] {
        let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
        assert!(
            ServiceSigner::new(ISSUER, name, (key, "k".to_owned())).is_err(),
            "{name}"
        );
    }
    assert!(signer(&Hands::default()).authorization("bil ling").is_err());
}
