//! What the issuer has taken back is refused, remembered or not; and what happens when nobody can tell.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use carnet_guard::{Algorithm, Clock as _, Guard, Issuer, OnLoss, ResourceServer, Revocations};
use carnet_jose::{AnySigningKey, KeySet, Signer, TokenType};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::api::{API, with_token};
use crate::issuers::Frozen;

/// An issuer with a feed: what it says now, to everybody who asks.
struct Feed {
    url: String,
    tokens: Signer,
    /// The same key, and no word of which it is.
    unnamed: Signer,
    messages: Signer,
    said: watch::Sender<Vec<String>>,
    clock: Frozen,
}

impl Feed {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
        let set = KeySet::new(vec![(Some("k".to_owned()), key.verifying_key())]).unwrap();
        let jwks = set.to_jwks_json().unwrap();
        let private = key.to_jwk_private().unwrap().to_string();
        let signer = |typ, kid: Option<&str>| {
            let key = AnySigningKey::from_jwk(&private).unwrap();
            Signer::new(key, typ, kid.map(str::to_owned)).unwrap()
        };
        let said = watch::Sender::new(Vec::new());
        let heard = said.clone();
        let routes = Router::new().route("/jwks", get(async move || jwks)).route(
            "/revocations",
            get(async move || {
                let events: String = heard
                    .borrow()
                    .iter()
                    .map(|message| format!("data: {message}\n\n"))
                    .collect();
                ([("content-type", "text/event-stream")], events)
            }),
        );
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self {
            tokens: signer(TokenType::AccessToken, Some("k")),
            unnamed: signer(TokenType::AccessToken, None),
            messages: signer(TokenType::Other("revocations+jwt"), Some("k")),
            url,
            said,
            clock: Frozen::new(),
        }
    }

    /// From now on it says this one thing, as its whole set.
    fn says(&self, entry: Value) {
        let entries: Vec<Value> = if entry.is_null() { Vec::new() } else { vec![entry] };
        let now = self.clock.since_epoch().as_secs();
        let claims = json!({ "iss": self.url, "aud": "api", "iat": now, "epoch": now.to_string(), "since": 0, "cursor": 1, "entries": entries });
        self.said.send_replace(vec![self.messages.sign(&claims).unwrap()]);
    }

    fn is_lost(&self) {
        self.said.send_replace(vec!["x".to_owned()]);
    }

    fn token(&self) -> String {
        self.signed_by(&self.tokens)
    }

    fn signed_by(&self, signer: &Signer) -> String {
        let now = self.clock.since_epoch().as_secs();
        let claims = json!({ "iss": self.url, "aud": API, "sub": "alice", "client_id": "web", "jti": "j", "sid": "s", "fam": "f", "iat": now, "exp": now + 86_400 });
        signer.sign(&claims).unwrap()
    }

    async fn guard(&self, on_loss: OnLoss) -> Guard {
        let feed = Revocations::feed(format!("{}/revocations", self.url), "api", "secret").on_loss(on_loss);
        let issuer = Issuer::jwks(&self.url, format!("{}/jwks", self.url)).revocations(feed);
        let server = ResourceServer::new(API).issuer(issuer).clock(self.clock.clone());
        server.build().await.unwrap()
    }
}

async fn becomes(guard: &Guard, token: &str, status: StatusCode) {
    let asking = async {
        while with_token(guard, "/me", token).await.status != status {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), asking)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_token_that_was_taken_back_is_refused_by_whatever_it_is_called() {
    let feed = Feed::start().await;
    let guard = {
        feed.says(Value::Null);
        feed.guard(OnLoss::default()).await
    };
    let guard = Arc::new(guard);
    assert!(guard.ready());
    let now = feed.clock.since_epoch().as_secs();
    let (token, exp) = (feed.token(), now + 900);
    let unnamed = feed.signed_by(&feed.unnamed);
    assert_eq!(with_token(&guard, "/me", &unnamed).await.status, StatusCode::OK);
    // It is remembered by now, and looked up all the same.
    assert_eq!(with_token(&guard, "/me", &token).await.status, StatusCode::OK);
    for (kind, value, issued_before) in [
        ("jti", "j", None),
        ("sid", "s", None),
        ("fam", "f", None),
        ("sub", "alice", Some(now)),
        ("sub_client", "alice web", Some(now)),
        ("client", "web", Some(now)),
        // The last: this key signs no message any more.
        ("kid", "k", None),
    ] {
        feed.clock.wait(1);
        let mut entry = json!({ "kind": kind, "value": value, "exp": exp });
        if let Some(time) = issued_before {
            entry["issued_before"] = time.into();
        }
        feed.says(entry.clone());
        becomes(&guard, &token, StatusCode::UNAUTHORIZED).await;
        let answer = with_token(&guard, "/me", &token).await;
        assert_eq!(answer.code(), "token_invalid", "{kind}");
        assert!(answer.challenge.contains("error=\"invalid_token\""), "{answer:?}");
        if kind == "kid" {
            // Who has stolen the key leaves its name out.
            let answer = with_token(&guard, "/me", &unnamed).await;
            assert_eq!(
                (answer.status, answer.code()),
                (StatusCode::UNAUTHORIZED, "token_invalid")
            );
            break;
        }
        feed.clock.wait(1);
        if issued_before.is_some() {
            // Made before the token: not meant.
            entry["issued_before"] = (now - 1).into();
            feed.says(entry);
        } else {
            feed.says(Value::Null);
        }
        becomes(&guard, &token, StatusCode::OK).await;
    }
    let (issuer, status) = guard.revocations().next().unwrap();
    assert_eq!((issuer, status.cursor), (feed.url.as_str(), 1));
}

#[tokio::test]
async fn gw_13_when_nobody_can_tell_the_policy_says_what_happens() {
    let feed = Feed::start().await;
    feed.is_lost();
    let closed = feed.guard(OnLoss::Closed(Duration::from_secs(10))).await;
    let open = feed.guard(OnLoss::Open).await;
    let token = feed.token();
    // Before the first word.
    let answer = with_token(&closed, "/me", &token).await;
    assert_eq!(
        (answer.status, answer.code(), answer.retry_after.as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "5")
    );
    assert!(!closed.ready() && open.ready());
    assert_eq!(with_token(&open, "/me", &token).await.status, StatusCode::OK);

    feed.says(Value::Null);
    becomes(&closed, &token, StatusCode::OK).await;
    assert!(closed.ready());
    feed.is_lost();
    feed.clock.wait(9);
    assert_eq!(with_token(&closed, "/me", &token).await.status, StatusCode::OK);
    feed.clock.wait(1);
    assert_eq!(
        with_token(&closed, "/me", &token).await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert!(!closed.ready());
    assert_eq!(with_token(&open, "/me", &token).await.status, StatusCode::OK);
    feed.says(Value::Null);
    becomes(&closed, &token, StatusCode::OK).await;
}
