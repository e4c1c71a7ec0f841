//! Servers that hand out nonsense, too much of it, or none at all.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use carnet_jose::{Algorithm, AnySigningKey, Error, KeySource as _};

use crate::pretended::{Frozen, Pretended, jwks, keys_at, knows, says};

#[tokio::test]
async fn jk_05_hostile_jwks_source() {
    let private = AnySigningKey::generate(Algorithm::Es256).unwrap();
    let private = private.to_jwk_private().unwrap();
    let one = jwks("b");
    let one = one
        .trim_start_matches("{\"keys\":[")
        .trim_end_matches("]}")
        .to_owned();
    let twice = format!(r#"{{"keys":[{one},{one}]}}"#);
    for (what, body) in [
        ("2 MB", "x".repeat(2_000_000)),
        (
            "10,000 keys",
            format!(r#"{{"keys":[{}]}}"#, vec![r#"{"kty":"EC"}"#; 10_000].join(",")),
        ),
        (
            "a shared secret",
            r#"{"keys":[{"kty":"oct","k":"AAAA","kid":"a"}]}"#.to_owned(),
        ),
        ("a private key", format!(r#"{{"keys":[{}]}}"#, private.as_str())),
        ("one kid twice", twice),
        ("an array", "[]".to_owned()),
        ("no keys member", "{}".to_owned()),
        ("a depth bomb", "{\"a\":".repeat(50_000)),
        ("a page", "<html>".to_owned()),
        ("nothing", String::new()),
    ] {
        keeps_the_last_good_set(what, move || says(200, &[], body.clone())).await;
    }
    keeps_the_last_good_set("an error", || says(500, &[], "")).await;
    let zipped = [("content-encoding", "gzip")];
    keeps_the_last_good_set("a compressed answer", move || {
        says(200, &zipped, &b"\x1f\x8b\x08\0bomb"[..])
    })
    .await;
    keeps_the_last_good_set("a 304 that nobody asked for", || says(304, &[], "")).await;
}

async fn keeps_the_last_good_set(what: &str, sick: impl Fn() -> Response + Send + 'static) {
    let clock = Frozen::new();
    let good = jwks("a");
    let server = Pretended::start(move |_| says(200, &[], good.clone())).await;
    let keys = keys_at(&server, &clock);
    keys.prepare().await;
    server.answer(move |_| sick());
    clock.wait(601);
    keys.prepare().await;
    server.is_asked(2).await;
    assert!(knows(&keys, "a") && !knows(&keys, "b"), "{what}");
}

#[tokio::test]
async fn jk_05_a_redirect_is_not_followed() {
    let clock = Frozen::new();
    let set = jwks("b");
    let canary = Pretended::start(move |_| says(200, &[], set.clone())).await;
    let target = canary.url.clone();
    let server = Pretended::start(move |_| says(302, &[("location", target.as_str())], "")).await;
    let keys = keys_at(&server, &clock);
    keys.prepare().await;
    assert_eq!(keys.keys().unwrap_err(), Error::KeysUnavailable);
    assert_eq!((server.count(), canary.count()), (1, 0));
}

#[tokio::test]
async fn jk_05_a_dripping_answer_is_given_up_after_five_seconds() {
    let clock = Frozen::new();
    let good = jwks("a");
    let server = Pretended::start(move |_| says(200, &[], good.clone())).await;
    let keys = keys_at(&server, &clock);
    keys.prepare().await;
    server.answer(|_| {
        let drip = futures_util::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b" ")), ()))
        });
        says(200, &[], Body::from_stream(drip))
    });
    clock.wait(601);
    // From here on tokio's time jumps whenever nobody has anything to do.
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    keys.prepare().await;
    assert!(started.elapsed() < Duration::from_secs(1), "known keys are used");
    tokio::time::sleep(Duration::from_secs(6)).await;
    // The attempt is over: after its pause there is another.
    clock.wait(31);
    let asked = server.count();
    keys.prepare().await;
    server.is_asked(asked + 1).await;
    assert!(knows(&keys, "a"));
}

#[tokio::test]
async fn an_odd_key_does_not_break_a_set() {
    let clock = Frozen::new();
    let good = jwks("a");
    let odd = [
        r#"{"kty":"new","kid":"n"}"#.to_owned(),
        format!(
            r#"{{"kty":"RSA","kid":"big","alg":"RS256","e":"AQAB","n":"{}"}}"#,
            "_".repeat(2_731)
        ),
        r#"{"kty":"EC","crv":"P-256","kid":"half","x":"AAAA"}"#.to_owned(),
    ];
    let set = good.replacen("[", &format!("[{},", odd.join(",")), 1);
    let server = Pretended::start(move |_| says(200, &[], set.clone())).await;
    let keys = keys_at(&server, &clock);
    keys.prepare().await;
    assert!(knows(&keys, "a"));
    for kid in ["n", "big", "half"] {
        assert!(!knows(&keys, kid), "{kid}");
    }
}
