//! Following a revocation feed: what is believed, what is not, and what happens when nothing comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use carnet_client::clock::{Clock as _, SystemClock};
use carnet_client::http::HttpClient;
use carnet_client::jwks::{Location, RemoteKeys};
use carnet_client::revocations::{Keys, OnLoss, Revocations, Source, Verdict};
use carnet_jose::{Algorithm, AnySigningKey, KeySet, Signer, TokenType};
use carnet_oauth::revocation::{RevocableToken, TYPE};
use http::Response;
use serde_json::{Value, json};

use crate::pretended::{Asked, Frozen, Pretended, START, says};

const ISSUER: &str = "https://auth.test";
const EVENTS: (&str, &str) = ("content-type", "text/event-stream");
const SOON: Duration = Duration::from_secs(10);

/// An issuer that signs messages.
struct Issuer {
    key: String,
    set: Arc<KeySet>,
}

impl Issuer {
    fn new() -> Self {
        let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
        let set = KeySet::new(vec![(Some("k".to_owned()), key.verifying_key())]).unwrap();
        Self {
            key: key.to_jwk_private().unwrap().to_string(),
            set: Arc::new(set),
        }
    }

    fn signer(&self, typ: TokenType) -> Signer {
        Signer::new(
            AnySigningKey::from_jwk(&self.key).unwrap(),
            typ,
            Some("k".to_owned()),
        )
        .unwrap()
    }

    fn sign(&self, claims: &Value) -> String {
        self.signer(TokenType::Other(TYPE)).sign(claims).unwrap()
    }
}

/// A message about these sessions.
fn about(range: (i64, i64), iat: u64, sids: &[&str]) -> Value {
    let entries: Vec<_> = sids
        .iter()
        .map(|sid| json!({ "kind": "sid", "value": sid, "exp": START + 900 }))
        .collect();
    json!({ "iss": ISSUER, "aud": "api", "iat": iat, "epoch": "e", "since": range.0, "cursor": range.1, "entries": entries })
}

fn events(messages: &[String]) -> String {
    messages
        .iter()
        .map(|message| format!("id: x\ndata: {message}\n\n"))
        .collect()
}

fn source(issuer: &Issuer, server: &Pretended) -> Source {
    Source {
        url: format!("{}/revocations", server.url),
        id: "api".to_owned(),
        secret: "s:cret".to_owned(),
        issuer: ISSUER.to_owned(),
        keys: Keys::Fixed(Arc::new(issuer.set.clone())),
        algorithms: vec![Algorithm::Es256],
    }
}

fn follow(source: Source, clock: &Frozen) -> Revocations {
    Revocations::with_clock(
        HttpClient::new().unwrap(),
        source,
        OnLoss::default(),
        clock.clone(),
    )
    .unwrap()
}

fn verdict(revocations: &Revocations, sid: &str) -> Verdict {
    revocations.check(&RevocableToken {
        sid: Some(sid),
        iat: Some(START),
        ..RevocableToken::default()
    })
}

async fn until(so: impl Fn() -> bool) {
    let waiting = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(SOON, waiting).await.unwrap();
}

fn stream(messages: &[String]) -> Response<Body> {
    says(200, &[EVENTS], events(messages))
}

#[tokio::test]
async fn the_name_goes_into_the_header_and_the_cursor_into_the_query() {
    let (issuer, clock) = (Issuer::new(), Frozen::new());
    let first = issuer.sign(&about((0, 7), START, &["a"]));
    let server = Pretended::start(move |_| stream(std::slice::from_ref(&first))).await;
    let revocations = follow(source(&issuer, &server), &clock);
    server.is_asked(2).await;
    let asked = server.asked();
    let header = |asked: &Asked, name: &str| asked.headers[name].to_str().unwrap().to_owned();
    let credentials = data_encoding::BASE64.encode(b"api:s%3Acret");
    assert_eq!(header(&asked[0], "authorization"), format!("Basic {credentials}"));
    assert_eq!(header(&asked[0], "accept"), "text/event-stream");
    assert_eq!(asked[0].query, "");
    assert_eq!(asked[1].query, "since=7&epoch=e", "it goes on where it was");
    assert_eq!(verdict(&revocations, "a"), Verdict::Revoked);
    let said = format!("{revocations:?} {:?}", source(&issuer, &server));
    assert!(!said.contains("cret"), "{said}");
}

#[tokio::test]
async fn what_is_forged_mistyped_for_others_or_of_another_time_is_not_believed() {
    let (issuer, stranger, clock) = (Issuer::new(), Issuer::new(), Frozen::new());
    let good = issuer.sign(&about((0, 1), START, &["a"]));
    let with = |member: &str, value: Value| {
        let mut claims = about((1, 2), START, &["b"]);
        claims[member] = value;
        claims
    };
    let next = about((1, 2), START, &["b"]);
    let unsigned = {
        let encode = |json: &Value| carnet_jose::base64url::encode(json.to_string().as_bytes());
        format!(
            "{}.{}.",
            encode(&json!({ "alg": "none", "typ": TYPE })),
            encode(&next)
        )
    };
    let sign_as = |typ| issuer.signer(typ).sign(&next).unwrap();
    for (what, bad) in [
        ("of a stranger", stranger.sign(&next)),
        ("unsigned", unsigned),
        ("an access token", sign_as(TokenType::AccessToken)),
        ("a logout token", sign_as(TokenType::Other("logout+jwt"))),
        ("without a type", sign_as(TokenType::Jwt)),
        (
            "of another issuer",
            issuer.sign(&with("iss", json!("https://other.test"))),
        ),
        ("for another consumer", issuer.sign(&with("aud", json!("other")))),
        ("an old one", issuer.sign(&with("iat", json!(START - 31)))),
        ("of the future", issuer.sign(&with("iat", json!(START + 31)))),
        ("of another history", issuer.sign(&with("epoch", json!("f")))),
        ("behind a gap", issuer.sign(&with("since", json!(3)))),
        (
            "of an unknown kind",
            issuer.sign(&with(
                "entries",
                json!([{ "kind": "all", "value": "b", "exp": 1 }]),
            )),
        ),
        ("no message", "x".to_owned()),
        ("endless", "x".repeat(100_000)),
    ] {
        let messages = [good.clone(), bad];
        let server = Pretended::start(move |_| stream(&messages)).await;
        let revocations = follow(source(&issuer, &server), &clock);
        // The connection is given up, and asked anew.
        server.is_asked(2).await;
        assert_eq!(verdict(&revocations, "b"), Verdict::Good, "{what}");
        assert_eq!(verdict(&revocations, "a"), Verdict::Revoked, "{what}");
        assert_eq!(revocations.status().cursor, 1, "{what}");
    }
    // The same message, as it should be, is believed.
    let messages = [good, issuer.sign(&next)];
    let server = Pretended::start(move |_| stream(&messages)).await;
    let revocations = follow(source(&issuer, &server), &clock);
    until(|| verdict(&revocations, "b") == Verdict::Revoked).await;
}

#[tokio::test]
async fn messages_that_are_sent_once_more_neither_bring_anything_back_nor_are_a_sign_of_life() {
    let (issuer, clock) = (Issuer::new(), Frozen::new());
    let first = issuer.sign(&about((0, 1), START, &["a"]));
    let second = issuer.sign(&about((1, 2), START + 1, &["b"]));
    let beat = issuer.sign(&about((2, 2), START + 2, &[]));
    let messages = [first.clone(), second, beat.clone()];
    clock.wait(2);
    let server = Pretended::start(move |_| stream(&messages)).await;
    let revocations = follow(source(&issuer, &server), &clock);
    until(|| verdict(&revocations, "b") == Verdict::Revoked).await;
    assert_eq!(verdict(&revocations, "c"), Verdict::Good);
    for again in [first, beat] {
        server.answer(move |_| stream(std::slice::from_ref(&again)));
        server.is_asked(server.count() + 2).await;
        assert_eq!(verdict(&revocations, "b"), Verdict::Revoked);
    }
    clock.wait(28);
    assert_eq!(verdict(&revocations, "c"), Verdict::Good);
    // The last heartbeat is thirty seconds old, however often it comes.
    server.is_asked(server.count() + 2).await;
    clock.wait(2);
    assert_eq!(verdict(&revocations, "c"), Verdict::Unavailable);
    assert_eq!(revocations.status().age, Some(Duration::from_secs(30)));
}

#[tokio::test]
async fn a_key_that_was_taken_back_signs_no_message() {
    let (issuer, clock) = (Issuer::new(), Frozen::new());
    let mut last = about((0, 1), START, &[]);
    last["entries"] = json!([{ "kind": "kid", "value": "k", "exp": START + 900 }]);
    let messages = [issuer.sign(&last), issuer.sign(&about((1, 2), START, &["b"]))];
    let server = Pretended::start(move |_| stream(&messages)).await;
    let revocations = follow(source(&issuer, &server), &clock);
    server.is_asked(3).await;
    assert_eq!(revocations.status().cursor, 1);
    assert_eq!(verdict(&revocations, "b"), Verdict::Good);
}

#[tokio::test]
async fn where_no_stream_comes_through_messages_are_asked_for_one_by_one() {
    let (issuer, clock) = (Issuer::new(), Frozen::new());
    let message = issuer.sign(&about((0, 1), START, &["a"]));
    let later = issuer.sign(&about((1, 2), START + 1, &["b"]));
    let server = Pretended::start(move |asked| {
        let message = if asked.query.contains("since=1") {
            &later
        } else {
            &message
        };
        // A proxy that knows of no streams.
        says(200, &[("content-type", "application/jwt")], message.clone())
    })
    .await;
    let revocations = follow(source(&issuer, &server), &clock);
    until(|| verdict(&revocations, "b") == Verdict::Revoked).await;
    assert!(!revocations.status().streaming);
    let asked = server.asked();
    assert_eq!(asked[1].query, "wait=3");
    assert_eq!(asked[1].headers["accept"], "application/jwt");
    assert_eq!(asked[2].query, "since=1&epoch=e&wait=3");
}

#[tokio::test]
async fn a_server_that_refuses_is_not_asked_all_the_time() {
    let (issuer, clock) = (Issuer::new(), Frozen::new());
    let server = Pretended::start(|_| says(401, &[], "")).await;
    let revocations = follow(source(&issuer, &server), &clock);
    revocations.prepare(Duration::from_millis(600)).await;
    assert!((2..8).contains(&server.count()), "{}", server.count());
    assert_eq!(verdict(&revocations, "a"), Verdict::Unavailable);
    drop(revocations);
    // With the last handle the following ends.
    let asked = server.count();
    let more = tokio::time::timeout(Duration::from_secs(2), server.is_asked(asked + 2)).await;
    assert!(more.is_err());
}

#[tokio::test]
async fn a_key_that_is_new_is_looked_for() {
    let (issuer, clock) = (Issuer::new(), Frozen::new());
    let message = issuer.sign(&about((0, 1), START, &["a"]));
    let jwks = issuer.set.to_jwks_json().unwrap();
    let server = Pretended::start(move |asked| match asked.path.as_str() {
        "/jwks" => says(200, &[], jwks.clone()),
        _ => stream(std::slice::from_ref(&message)),
    })
    .await;
    let location = Location::Jwks(format!("{}/jwks", server.url));
    let keys = RemoteKeys::with_clock(
        HttpClient::new().unwrap(),
        location,
        &[Algorithm::Es256],
        clock.clone(),
    );
    let mut source = source(&issuer, &server);
    source.keys = Keys::Remote(Arc::new(keys));
    let revocations = follow(source, &clock);
    until(|| verdict(&revocations, "a") == Verdict::Revoked).await;
}

#[tokio::test]
async fn a_stream_is_told_when_its_token_is_taken_back_and_when_nobody_can_tell_any_more() {
    let (issuer, clock) = (Issuer::new(), Frozen::new());
    let first = issuer.sign(&about((0, 1), START, &["a"]));
    let server = Pretended::start(move |_| stream(std::slice::from_ref(&first))).await;
    let token = |sid: &'static str| RevocableToken {
        sid: Some(sid),
        iat: Some(START),
        ..RevocableToken::default()
    };
    let revocations = follow(source(&issuer, &server), &clock);
    revocations.prepare(SOON).await;
    let known = tokio::time::timeout(SOON, revocations.until_not_good(&token("a"))).await;
    assert_eq!(known, Ok(Verdict::Revoked), "before it began to wait");
    let (one, other) = (token("b"), token("c"));
    let waiting = revocations.until_not_good(&one);
    let others = revocations.until_not_good(&other);
    let next = issuer.sign(&about((1, 2), START + 1, &["b"]));
    server.answer(move |_| stream(std::slice::from_ref(&next)));
    tokio::select! {
        verdict = waiting => assert_eq!(verdict, Verdict::Revoked),
        _ = others => panic!("another token"),
        () = tokio::time::sleep(SOON) => panic!("nobody told it"),
    }
    // By the machine's own clock, and an issuer that falls silent.
    let now = SystemClock.since_epoch().as_secs();
    let last = issuer.sign(&about((0, 1), now, &[]));
    let server = Pretended::start(move |_| stream(std::slice::from_ref(&last))).await;
    let source = source(&issuer, &server);
    let closed = OnLoss::Closed(Duration::from_millis(300));
    let revocations = Revocations::follow(HttpClient::new().unwrap(), source, closed).unwrap();
    revocations.prepare(SOON).await;
    let waiting = tokio::time::timeout(SOON, revocations.until_not_good(&other));
    assert_eq!(waiting.await, Ok(Verdict::Unavailable));
}

/// What it tells of first, and what it tells of when it is let.
async fn telling(issuer: &Issuer, first: &str, then: &str) -> (Pretended, Arc<AtomicBool>) {
    let said = |range, sid: &str, services: i64| {
        let mut message = about(range, START, &[sid]);
        message["services"] = json!(services);
        issuer.sign(&message)
    };
    let (first, second) = (said((0, 7), first, 3), said((7, 9), then, 5));
    let (asked, more) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
    let goes_on = more.clone();
    let server = Pretended::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => stream(std::slice::from_ref(&first)),
        _ if goes_on.load(Ordering::SeqCst) => stream(std::slice::from_ref(&second)),
        _ => says(503, &[], ""),
    });
    (server.await, more)
}

#[tokio::test]
async fn who_has_heard_everything_itself_inherits_nothing() {
    let (issuer, clock) = (Issuer::new(), Frozen::new());
    let (server, more) = telling(&issuer, "a", "b").await;
    let (elsewhere, _) = telling(&issuer, "y", "z").await;
    let ours = follow(source(&issuer, &server), &clock);
    let other = follow(source(&issuer, &elsewhere), &clock);
    until(|| verdict(&ours, "a") == Verdict::Revoked && verdict(&other, "y") == Verdict::Revoked).await;
    ours.succeed(&ours);
    ours.succeed(&other);
    assert_eq!(
        [verdict(&ours, "a"), verdict(&ours, "y")],
        [Verdict::Revoked, Verdict::Good]
    );
    more.store(true, Ordering::SeqCst);
    until(|| verdict(&ours, "b") == Verdict::Revoked).await;
}

#[tokio::test]
async fn who_follows_in_the_place_of_another_takes_over_what_that_one_has_heard_until_then() {
    let (issuer, clock) = (Issuer::new(), Frozen::new());
    let (server, more) = telling(&issuer, "a", "b").await;
    let away = Pretended::start(|_| says(503, &[], "")).await;
    let (before, next) = (
        follow(source(&issuer, &server), &clock),
        follow(source(&issuer, &away), &clock),
    );
    until(|| verdict(&before, "a") == Verdict::Revoked).await;
    next.succeed(&before);
    assert_eq!(verdict(&next, "a"), Verdict::Revoked);
    assert_eq!(
        (next.of_services(), next.of_services().sequence),
        (before.of_services(), 3)
    );
    more.store(true, Ordering::SeqCst);
    until(|| verdict(&before, "b") == Verdict::Revoked).await;
    next.succeed(&before);
    assert_eq!([verdict(&next, "a"), verdict(&next, "b")], [Verdict::Revoked; 2]);
    assert_eq!(
        (next.of_services(), next.of_services().sequence),
        (before.of_services(), 5)
    );
    // Of the others it knows nothing: it has heard nothing itself.
    assert_eq!(verdict(&next, "c"), Verdict::Unavailable);
    // Who knows nothing has nothing to leave.
    next.succeed(&follow(source(&issuer, &away), &clock));
    assert_eq!(verdict(&next, "a"), Verdict::Revoked);
    assert_eq!(next.of_services(), before.of_services());
}
