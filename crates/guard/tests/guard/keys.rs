//! Where keys come from, and what happens when they do not come.

use std::sync::atomic::Ordering;
use std::time::Duration;

use carnet_guard::{Algorithm, Guard, Introspection, Issuer, ResourceServer};
use carnet_jose::{AnySigningKey, Signer, TokenType};
use http::StatusCode;
use serde_json::json;

use crate::api::{API, with_token};
use crate::issuers::{Frozen, Key, Pretended};

async fn guard_of(issuer: &Pretended, clock: &Frozen) -> Guard {
    ResourceServer::new(API)
        .issuer(Issuer::discover(&issuer.url))
        .clock(clock.clone())
        .build()
        .await
        .unwrap()
}

#[tokio::test]
async fn keys_are_found_by_discovery_and_asked_for_once() {
    let (key, clock) = (Key::new("a"), Frozen::new());
    let issuer = Pretended::start(&[&key]).await;
    let guard = guard_of(&issuer, &clock).await;
    assert!(guard.ready());
    for _ in 0..100 {
        assert_eq!(
            with_token(&guard, "/me", &issuer.token(&key, &clock))
                .await
                .status,
            StatusCode::OK
        );
    }
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn keys_that_were_never_loaded_are_503_until_they_are() {
    let (key, clock) = (Key::new("a"), Frozen::new());
    let issuer = Pretended::start(&[&key]).await;
    issuer.switches.down.store(true, Ordering::SeqCst);
    let guard = guard_of(&issuer, &clock).await;
    assert!(!guard.ready());
    let answer = with_token(&guard, "/me", &issuer.token(&key, &clock)).await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
    );
    assert_eq!(answer.retry_after, "5");
    issuer.switches.down.store(false, Ordering::SeqCst);
    clock.wait(1);
    assert_eq!(
        with_token(&guard, "/me", &issuer.token(&key, &clock))
            .await
            .status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_new_key_is_found_when_a_token_names_it() {
    let (old, new, clock) = (Key::new("a"), Key::new("b"), Frozen::new());
    let issuer = Pretended::start(&[&old]).await;
    let guard = guard_of(&issuer, &clock).await;
    issuer.publish(&[&old, &new]);
    clock.wait(31);
    assert_eq!(
        with_token(&guard, "/me", &issuer.token(&new, &clock))
            .await
            .status,
        StatusCode::OK
    );
    assert_eq!(
        with_token(&guard, "/me", &issuer.token(&old, &clock))
            .await
            .status,
        StatusCode::OK
    );
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn jk_04_unknown_kid_flood() {
    let (key, clock) = (Key::new("a"), Frozen::new());
    let issuer = Pretended::start(&[&key]).await;
    let guard = guard_of(&issuer, &clock).await;
    clock.wait(31);
    for i in 0..5_000 {
        let stranger = key.renamed(&format!("x{i}"));
        assert_eq!(
            with_token(&guard, "/me", &issuer.token(&stranger, &clock))
                .await
                .code(),
            "token_invalid"
        );
        if i % 100 == 0 {
            assert_eq!(
                with_token(&guard, "/me", &issuer.token(&key, &clock))
                    .await
                    .status,
                StatusCode::OK
            );
        }
    }
    assert!(issuer.asked() <= 2, "asked {} times", issuer.asked());
}

#[tokio::test]
async fn a_crowd_that_needs_keys_shares_one_flight() {
    let (old, new, clock) = (Key::new("a"), Key::new("b"), Frozen::new());
    let issuer = Pretended::start(&[&old]).await;
    let guard = guard_of(&issuer, &clock).await;
    issuer.publish(&[&new]);
    clock.wait(31);
    let token = issuer.token(&new, &clock);
    let crowd: Vec<_> = (0..50)
        .map(|_| {
            let (guard, token) = (guard.clone(), token.clone());
            tokio::spawn(async move { with_token(&guard, "/me", &token).await.status })
        })
        .collect();
    for caller in crowd {
        assert_eq!(caller.await.unwrap(), StatusCode::OK);
    }
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn known_keys_are_used_for_a_day_when_the_issuer_is_down() {
    let (key, clock) = (Key::new("a"), Frozen::new());
    let issuer = Pretended::start(&[&key]).await;
    let guard = guard_of(&issuer, &clock).await;
    issuer.switches.down.store(true, Ordering::SeqCst);
    for _ in 0..24 {
        clock.wait(3_600);
        assert_eq!(
            with_token(&guard, "/me", &issuer.token(&key, &clock))
                .await
                .status,
            StatusCode::OK
        );
    }
    clock.wait(3_600);
    assert_eq!(
        with_token(&guard, "/me", &issuer.token(&key, &clock))
            .await
            .status,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn an_issuer_that_never_answers_holds_nobody_up_for_long() {
    let (key, clock) = (Key::new("a"), Frozen::new());
    let issuer = Pretended::start(&[&key]).await;
    let guard = guard_of(&issuer, &clock).await;
    issuer.switches.silent.store(true, Ordering::SeqCst);
    clock.wait(601);
    let token = issuer.token(&key, &clock);
    let calls = async {
        for _ in 0..100 {
            assert_eq!(with_token(&guard, "/me", &token).await.status, StatusCode::OK);
        }
    };
    // One fetch alone would take five seconds to give up.
    tokio::time::timeout(Duration::from_secs(4), calls).await.unwrap();
}

#[tokio::test]
async fn a_withdrawn_key_is_dropped_with_the_next_set() {
    let (old, new, clock) = (Key::new("a"), Key::new("b"), Frozen::new());
    let issuer = Pretended::start(&[&old, &new]).await;
    let guard = guard_of(&issuer, &clock).await;
    issuer.publish(&[&new]);
    clock.wait(601);
    assert_eq!(
        with_token(&guard, "/me", &issuer.token(&old, &clock))
            .await
            .code(),
        "token_invalid"
    );
}

#[tokio::test]
async fn jk_05_hostile_jwks_source() {
    let (key, clock) = (Key::new("a"), Frozen::new());
    for hostile in [
        "x".repeat(2_000_000),
        format!(r#"{{"keys":[{}]}}"#, vec![r#"{"kty":"EC"}"#; 10_000].join(",")),
        r#"{"keys":[{"kty":"oct","k":"AAAA","kid":"a"}]}"#.to_owned(),
        "[]".to_owned(),
        "{".repeat(100_000),
    ] {
        let issuer = Pretended::start(&[&key]).await;
        let guard = guard_of(&issuer, &clock).await;
        *issuer.switches.jwks.lock().unwrap() = hostile;
        clock.wait(601);
        // The last good set is kept.
        assert_eq!(
            with_token(&guard, "/me", &issuer.token(&key, &clock))
                .await
                .status,
            StatusCode::OK
        );
    }
}

fn introspecting(issuer: &Pretended, ttl: u64) -> Issuer {
    let introspection = Introspection::at(format!("{}/introspect", issuer.url), "api", "s:cret");
    Issuer::discover(&issuer.url).introspect(introspection.cache(Duration::from_secs(ttl)))
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once_where_it_is_asked() {
    let (key, clock) = (Key::new("a"), Frozen::new());
    let issuer = Pretended::start(&[&key]).await;
    let guard = ResourceServer::new(API)
        .issuer(introspecting(&issuer, 0))
        .clock(clock.clone())
        .build()
        .await
        .unwrap();
    let token = issuer.token(&key, &clock);
    assert_eq!(with_token(&guard, "/me", &token).await.status, StatusCode::OK);
    issuer.switches.inactive.store(true, Ordering::SeqCst);
    assert_eq!(with_token(&guard, "/me", &token).await.code(), "token_invalid");
    assert_eq!(issuer.switches.introspected.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn answers_are_believed_for_as_long_as_was_said() {
    let (key, clock) = (Key::new("a"), Frozen::new());
    let issuer = Pretended::start(&[&key]).await;
    let guard = ResourceServer::new(API)
        .issuer(introspecting(&issuer, 5))
        .clock(clock.clone())
        .build()
        .await
        .unwrap();
    let token = issuer.token(&key, &clock);
    for _ in 0..20 {
        assert_eq!(with_token(&guard, "/me", &token).await.status, StatusCode::OK);
    }
    assert_eq!(issuer.switches.introspected.load(Ordering::SeqCst), 1);
    issuer.switches.inactive.store(true, Ordering::SeqCst);
    clock.wait(5);
    assert_eq!(with_token(&guard, "/me", &token).await.code(), "token_invalid");
}

#[tokio::test]
async fn gw_13_without_an_answer_nobody_gets_in() {
    let (key, clock) = (Key::new("a"), Frozen::new());
    let issuer = Pretended::start(&[&key]).await;
    let guard = ResourceServer::new(API)
        .issuer(introspecting(&issuer, 5))
        .clock(clock.clone())
        .build()
        .await
        .unwrap();
    issuer.switches.down.store(true, Ordering::SeqCst);
    let answer = with_token(&guard, "/me", &issuer.token(&key, &clock)).await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
    );
    issuer.switches.down.store(false, Ordering::SeqCst);
    assert_eq!(
        with_token(&guard, "/me", &issuer.token(&key, &clock))
            .await
            .status,
        StatusCode::OK,
        "a failure is not remembered"
    );
}

#[tokio::test]
async fn keys_come_from_files_too() {
    let folder = tempfile::tempdir().unwrap();
    let claims = json!({ "iss": "https://old.test", "aud": API, "sub": "alice", "exp": 4_000_000_000_u64 });
    let rsa = AnySigningKey::generate(Algorithm::Rs256).unwrap();
    let pem = folder.path().join("public.pem");
    std::fs::write(&pem, rsa.verifying_key().to_spki_pem().unwrap()).unwrap();
    let token = Signer::new(rsa, TokenType::Jwt, Some("whatever".to_owned()))
        .unwrap()
        .sign(&claims)
        .unwrap();
    let issuer = Issuer::pem_file("https://old.test", &pem, Algorithm::Rs256).plain_jwt();
    let guard = ResourceServer::new(API).issuer(issuer).build().await.unwrap();
    assert_eq!(
        with_token(&guard, "/me", &token).await.status,
        StatusCode::OK,
        "plain JWT: no client_id, no jti"
    );
    let strict = ResourceServer::new(API)
        .issuer(Issuer::pem_file("https://old.test", &pem, Algorithm::Rs256))
        .build()
        .await
        .unwrap();
    assert_eq!(with_token(&strict, "/me", &token).await.code(), "token_invalid");
}

#[tokio::test]
async fn a_jwks_file_is_a_set_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let (key, stranger, clock) = (Key::new("a"), Key::new("b"), Frozen::new());
    let issuer = Pretended::start(&[&key]).await;
    let file = folder.path().join("jwks.json");
    std::fs::write(&file, issuer.switches.jwks.lock().unwrap().as_str()).unwrap();
    let server = ResourceServer::new(API).issuer(Issuer::jwks_file(&issuer.url, &file));
    let guard = server.clock(clock.clone()).build().await.unwrap();
    assert_eq!(
        with_token(&guard, "/me", &issuer.token(&key, &clock))
            .await
            .status,
        StatusCode::OK
    );
    assert_eq!(
        with_token(&guard, "/me", &issuer.token(&stranger, &clock))
            .await
            .code(),
        "token_invalid"
    );
    assert_eq!(issuer.asked(), 0);
    std::fs::write(&file, r#"{"keys":[]}"#).unwrap();
    assert!(
        ResourceServer::new(API)
            .issuer(Issuer::jwks_file(&issuer.url, &file))
            .build()
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_shared_secret_must_be_its_owners_alone_and_long_enough() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    let build = async || {
        ResourceServer::new(API)
            .issuer(Issuer::shared_secret("https://a.test", &file, Algorithm::Hs256))
            .build()
            .await
    };
    std::fs::write(&file, "0123456789abcdef0123456789abcdef\n").unwrap();
    assert!(build().await.unwrap_err().to_string().contains("chmod 600"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let guard = build().await.unwrap();
    let key = AnySigningKey::from_secret(b"0123456789abcdef0123456789abcdef", Algorithm::Hs256).unwrap();
    let claims = json!({ "iss": "https://a.test", "aud": API, "sub": "alice", "client_id": "web", "jti": "x", "iat": 1, "exp": 4_000_000_000_u64 });
    let token = Signer::new(key, TokenType::AccessToken, None)
        .unwrap()
        .sign(&claims)
        .unwrap();
    assert_eq!(with_token(&guard, "/me", &token).await.status, StatusCode::OK);
    std::fs::write(&file, "too short").unwrap();
    assert!(build().await.is_err());
}

#[tokio::test]
async fn with_several_issuers_the_tokens_own_iss_decides_whose_key_counts() {
    let (a_key, b_key, clock) = (Key::new("k"), Key::new("k"), Frozen::new());
    let (a, b) = (
        Pretended::start(&[&a_key]).await,
        Pretended::start(&[&b_key]).await,
    );
    let server = ResourceServer::new(API)
        .issuer(Issuer::discover(&a.url))
        .issuer(Issuer::discover(&b.url));
    let guard = server.clock(clock.clone()).build().await.unwrap();
    assert_eq!(
        with_token(&guard, "/me", &a.token(&a_key, &clock)).await.status,
        StatusCode::OK
    );
    assert_eq!(
        with_token(&guard, "/me", &b.token(&b_key, &clock)).await.status,
        StatusCode::OK
    );
    assert_eq!(
        with_token(&guard, "/me", &a.token(&b_key, &clock)).await.code(),
        "token_invalid",
        "JWT-15: a key not owned by the issuer"
    );
}
