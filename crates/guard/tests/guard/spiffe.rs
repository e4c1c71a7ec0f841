//! Workloads of SPIFFE trust domains: whose JWT-SVIDs count, where, and how their keys are kept.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::Ordering;

use carnet_guard::{Clock as _, Issuer, ResourceServer, Spiffe};
use carnet_jose::{Algorithm, KeySet};
use http::StatusCode;
use serde_json::{Value, json};

use crate::opaque::Teller;
use crate::spire::{Authority, HINT, ORDERS, OURS, Spire, asked, status};

#[tokio::test]
async fn a_workload_that_a_route_names_gets_in_with_a_jwt_svid() {
    let spire = Spire::start().await;
    let guard = spire.guard().await;
    assert!(guard.ready());
    assert_eq!(
        asked(&guard, "/close", &spire.svid()).await,
        (StatusCode::OK, ORDERS.to_owned())
    );
    let any = format!("service {ORDERS}");
    assert_eq!(asked(&guard, "/any", &spire.svid()).await, (StatusCode::OK, any));
    // Another one of the same domain is known, and not named.
    let other = spire.claims(|claims| claims["sub"] = json!("spiffe://example.org/ns/prod/sa/mail"));
    let other = spire.authority.sign(&spire.authority.header(), &other);
    assert_eq!(status(&guard, &other).await, StatusCode::FORBIDDEN);
    // §2.3, §3: what need not be there, and what may be.
    let claims = spire.claims(|claims| claims["iss"] = json!("https://oidc.example.org"));
    for typ in [json!("JOSE"), Value::Null] {
        let mut header = spire.authority.header();
        match typ {
            Value::Null => drop(header.as_object_mut().unwrap().remove("typ")),
            typ => header["typ"] = typ,
        }
        assert_eq!(
            status(&guard, &spire.authority.sign(&header, &claims)).await,
            StatusCode::OK,
            "{header}"
        );
    }
    let mut nameless = spire.authority.header();
    nameless.as_object_mut().unwrap().remove("kid");
    assert_eq!(
        status(&guard, &spire.authority.sign(&nameless, &claims)).await,
        StatusCode::OK
    );
}

#[tokio::test]
async fn every_algorithm_of_the_specification_counts_and_no_other() {
    let spire = Spire::start().await;
    for (algorithm, expected) in [
        (Algorithm::Rs256, StatusCode::OK),
        (Algorithm::Ps384, StatusCode::OK),
        (Algorithm::Es384, StatusCode::OK),
        (Algorithm::Es512, StatusCode::OK),
        (Algorithm::Ed25519, StatusCode::UNAUTHORIZED),
    ] {
        let authority = Authority::signing("other", algorithm);
        spire.publish(&[&spire.authority, &authority]);
        let guard = spire.guard().await;
        let token = authority.sign(&authority.header(), &spire.claims(|_| ()));
        assert_eq!(status(&guard, &token).await, expected, "{}", algorithm.name());
    }
}

#[tokio::test]
async fn a_jwt_svid_is_for_us_alone_fresh_and_of_a_workload() {
    let spire = Spire::start().await;
    let guard = spire.guard().await;
    let now = spire.clock.since_epoch().as_secs();
    let wrong: [(&str, Value); 13] = [
        ("aud", json!([OURS, "spiffe://example.org/mail"])),
        ("aud", json!(["spiffe://example.org/mail"])),
        ("aud", json!([])),
        ("aud", Value::Null),
        ("exp", json!(now - 60)),
        ("exp", Value::Null),
        ("nbf", json!(now + 3_600)),
        ("sub", json!("spiffe://example.org")),
        ("sub", json!("spiffe://example.org/ns/../orders")),
        ("sub", json!("orders")),
        ("sub", json!("spiffe://other.test/ns/prod/sa/orders")),
        ("sub", Value::Null),
        ("cnf", json!({ "jkt": "x" })),
    ];
    for (name, value) in wrong {
        let claims = spire.claims(|claims| claims[name] = value.clone());
        let token = spire.authority.sign(&spire.authority.header(), &claims);
        assert_eq!(
            status(&guard, &token).await,
            StatusCode::UNAUTHORIZED,
            "{name} {value}"
        );
    }
    for name in ["aud", "exp", "sub"] {
        let claims = spire.claims(|claims| drop(claims.as_object_mut().unwrap().remove(name)));
        let token = spire.authority.sign(&spire.authority.header(), &claims);
        assert_eq!(status(&guard, &token).await, StatusCode::UNAUTHORIZED, "{name}");
    }
    let typed = json!({ "alg": "ES256", "kid": "jwt-1", "typ": "at+jwt" });
    let token = spire.authority.sign(&typed, &spire.claims(|_| ()));
    assert_eq!(status(&guard, &token).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&guard, &spire.svid()).await, StatusCode::OK);
}

#[tokio::test]
async fn gw_12_a_workload_is_no_user_and_a_user_is_no_workload() {
    let spire = Spire::start().await;
    // The same keys as an issuer of plain JWTs, with the same audience: as much alike as it gets.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    let key = (Some("jwt-1".to_owned()), spire.authority.key.verifying_key());
    std::fs::write(&file, KeySet::new(vec![key]).unwrap().to_jwks_json().unwrap()).unwrap();
    let issuer = Issuer::jwks_file("https://oidc.example.org", &file).plain_jwt();
    let server = ResourceServer::new(OURS).issuer(issuer).spiffe(spire.spiffe());
    let guard = server.clock(spire.clock.clone()).build().await.unwrap();
    let sign = |sub: &str| {
        let claims = spire.claims(|claims| {
            (claims["iss"], claims["sub"]) = (json!("https://oidc.example.org"), json!(sub));
        });
        spire.authority.sign(&spire.authority.header(), &claims)
    };
    let (user, workload) = (sign("alice"), sign(ORDERS));
    for (path, token, expected) in [
        ("/mine", &user, StatusCode::OK),
        ("/mine", &workload, StatusCode::UNAUTHORIZED),
        ("/close", &workload, StatusCode::OK),
        ("/close", &user, StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(asked(&guard, path, token).await.0, expected, "{path}");
    }
    assert_eq!(asked(&guard, "/any", &user).await.1, "user alice");
    assert_eq!(
        asked(&guard, "/any", &workload).await.1,
        format!("service {ORDERS}")
    );
    // Nor is one of a domain that nobody has named.
    assert_eq!(
        asked(&guard, "/any", &sign("spiffe://other.test/x")).await.0,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        asked(&guard, "/mine", &sign("spiffe://other.test/x")).await.0,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn gw_12_no_issuer_of_users_is_asked_about_the_token_of_a_workload() {
    let (spire, teller) = (Spire::start().await, Teller::start().await);
    let issuer = "https://opaque.test";
    let server = ResourceServer::new(OURS)
        .issuer(teller.issuer(issuer))
        .spiffe(spire.spiffe());
    let guard = server.clock(spire.clock.clone()).build().await.unwrap();
    let sign = |sub: &str| {
        let claims = spire.claims(|claims| claims["sub"] = json!(sub));
        spire.authority.sign(&spire.authority.header(), &claims)
    };
    for (path, token) in [
        ("/mine", spire.svid()),
        ("/mine", sign("spiffe://other.test/x")),
        ("/mine", sign("spiffe://no path")),
        ("/any", sign("spiffe://other.test/x")),
    ] {
        assert_eq!(
            asked(&guard, path, &token).await.0,
            StatusCode::UNAUTHORIZED,
            "{path} {token}"
        );
    }
    assert!(teller.asked().is_empty(), "{:?}", teller.asked());
    assert_eq!(status(&guard, &spire.svid()).await, StatusCode::OK);
    // About what may be a user's it is.
    let (user, now) = (sign("alice"), spire.clock.since_epoch().as_secs());
    let told = json!({ "active": true, "iss": issuer, "aud": OURS, "sub": "alice", "client_id": "web", "exp": now + 60 });
    teller.says(&user, told);
    assert_eq!(asked(&guard, "/mine", &user).await.0, StatusCode::OK);
}

#[tokio::test]
async fn only_keys_of_jwt_svids_of_the_domain_itself_count() {
    let (spire, other) = (Spire::start().await, Spire::start().await);
    // Of X509-SVIDs, and of another domain that is believed as well.
    let x509 = Authority::new("x509-1");
    let document = json!({ "keys": [x509.jwk("x509-svid"), spire.authority.jwk("jwt-svid")] });
    *spire.switches.bundle.lock().unwrap() = document.to_string();
    let guard = spire
        .guard_with(spire.spiffe().bundle("other.test", &other.url))
        .await;
    for authority in [&x509, &other.authority] {
        let token = authority.sign(&authority.header(), &spire.claims(|_| ()));
        assert_eq!(status(&guard, &token).await, StatusCode::UNAUTHORIZED);
    }
    let theirs = other.claims(|claims| claims["sub"] = json!("spiffe://other.test/x"));
    let theirs = other.authority.sign(&other.authority.header(), &theirs);
    assert_eq!(
        status(&guard, &theirs).await,
        StatusCode::FORBIDDEN,
        "known, and not named"
    );
    assert_eq!(status(&guard, &spire.svid()).await, StatusCode::OK);
}

#[tokio::test]
async fn jwt_15_a_domain_that_is_not_named_makes_nobody_ask() {
    let spire = Spire::start().await;
    let guard = spire.guard().await;
    let before = spire.asked();
    for sub in ["spiffe://other.test/x", "spiffe://127.0.0.1/x"] {
        let claims = spire.claims(|claims| claims["sub"] = json!(sub));
        let token = spire.authority.sign(&spire.authority.header(), &claims);
        assert_eq!(status(&guard, &token).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(spire.asked(), before);
}

#[tokio::test]
async fn a_bundle_is_looked_at_as_often_as_it_says_and_used_while_it_cannot_be_had() {
    let spire = Spire::start().await;
    let guard = spire.guard().await;
    assert_eq!(spire.asked(), 1);
    spire.clock.wait(HINT / 2);
    status(&guard, &spire.svid()).await;
    assert_eq!(spire.asked(), 1, "whatever a cache says");
    spire.clock.wait(HINT);
    spire.switches.down.store(true, Ordering::SeqCst);
    assert_eq!(status(&guard, &spire.svid()).await, StatusCode::OK);
    assert_eq!(spire.asked(), 2);
    spire.clock.wait(23 * 3_600);
    assert_eq!(status(&guard, &spire.svid()).await, StatusCode::OK);
    spire.clock.wait(2 * 3_600);
    assert_eq!(
        status(&guard, &spire.svid()).await,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert!(!guard.ready());
}

#[tokio::test]
async fn keys_that_come_and_go_do_so_with_the_bundle() {
    let spire = Spire::start().await;
    let guard = spire.guard().await;
    let next = Authority::new("jwt-2");
    let token = next.sign(&next.header(), &spire.claims(|_| ()));
    spire.publish(&[&spire.authority, &next]);
    spire.clock.wait(31);
    // Not due yet, but a token names it.
    assert_eq!(status(&guard, &token).await, StatusCode::OK);
    spire.publish(&[&next]);
    spire.clock.wait(HINT);
    assert_eq!(status(&guard, &spire.svid()).await, StatusCode::UNAUTHORIZED);
    // No key at all: the domain has no JWT-SVIDs any more.
    spire.publish(&[]);
    spire.clock.wait(HINT);
    let token = next.sign(&next.header(), &spire.claims(|_| ()));
    assert_eq!(status(&guard, &token).await, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_bundle_in_a_file_is_read_again_and_must_be_its_owners_alone_to_write() {
    let spire = Spire::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("example.org.json");
    let write = |authority: &Authority, mode: u32| {
        std::fs::write(&file, Spire::document(&[authority])).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let spiffe = || Spiffe::audience(OURS).bundle_file("example.org", &file);
    write(&spire.authority, 0o646);
    let guard = spire.guard_with(spiffe()).await;
    assert_eq!(
        status(&guard, &spire.svid()).await,
        StatusCode::SERVICE_UNAVAILABLE
    );
    write(&spire.authority, 0o644);
    let guard = spire.guard_with(spiffe()).await;
    assert_eq!(status(&guard, &spire.svid()).await, StatusCode::OK);
    write(&Authority::new("jwt-9"), 0o644);
    spire.clock.wait(HINT);
    assert_eq!(status(&guard, &spire.svid()).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_bundle_that_was_never_there_is_503_and_what_was_said_wrongly_no_guard() {
    let spire = Spire::start().await;
    for wrong in ["", "{}", "{\"keys\":{}}"] {
        *spire.switches.bundle.lock().unwrap() = wrong.to_owned();
        let guard = spire.guard().await;
        assert!(!guard.ready());
        assert_eq!(
            status(&guard, &spire.svid()).await,
            StatusCode::SERVICE_UNAVAILABLE,
            "{wrong}"
        );
    }
    for spiffe in [
        Spiffe::audience(OURS),
        spire.spiffe().bundle("example.org", &spire.url),
        Spiffe::audience(OURS).bundle("spiffe://example.org", &spire.url),
        Spiffe::audience(OURS).bundle("Example.org", &spire.url),
    ] {
        let server = ResourceServer::new("https://billing.test").spiffe(spiffe);
        assert!(server.build().await.is_err());
    }
}
