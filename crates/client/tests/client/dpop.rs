//! Tokens that are bound to a key: proofs, and the nonces that servers want in them.

use std::sync::Arc;

use carnet_client::dpop::DpopKey;
use carnet_client::error::ClientError;
use carnet_client::http::HttpClient;
use carnet_client::token::Client;
use carnet_jose::{Algorithm, AnySigningKey};
use carnet_oauth::dpop::{Proof, Request, check};
use carnet_oauth::metadata::Metadata;

use crate::pretended::{Asked, Frozen, Pretended, START, says};

const BOUND: &str = r#"{"access_token":"a.b.c","token_type":"DPoP","expires_in":60,"scope":""}"#;
const BEARER: &str = r#"{"access_token":"a.b.c","token_type":"Bearer","expires_in":60,"scope":""}"#;
const WANTS: &str = r#"{"error":"use_dpop_nonce"}"#;

fn key() -> Arc<DpopKey> {
    let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
    Arc::new(DpopKey::with_clock(key, Frozen::new()).unwrap())
}

fn client(server: &Pretended, key: &Arc<DpopKey>) -> Client {
    let metadata = Metadata {
        issuer: server.url.clone(),
        token_endpoint: Some(format!("{}/token", server.url)),
        ..Metadata::default()
    };
    Client::public(HttpClient::new().unwrap(), metadata, "cli").with_key(key.clone())
}

fn proven(server: &Pretended, asked: &Asked, access_token: Option<&str>) -> Proof {
    let method = if access_token.is_some() { "GET" } else { "POST" };
    let uri = format!("{}{}", server.url, asked.path);
    let request = Request {
        method,
        uri: &uri,
        access_token,
    };
    check(asked.headers["dpop"].to_str().unwrap(), &request, START).unwrap()
}

fn nonce_of(proof: &Proof) -> Option<&str> {
    proof.nonce.as_deref()
}

#[tokio::test]
async fn a_server_that_wants_a_nonce_is_asked_again_with_it_and_then_with_the_newest() {
    let server = Pretended::start(|_| says(400, &[("dpop-nonce", "n1")], WANTS)).await;
    let key = key();
    let client = client(&server, &key);
    // One that is never satisfied is not asked for ever.
    let refused = client.refresh("r").await.unwrap_err();
    assert!(matches!(refused, ClientError::Refused(code, _) if code == "use_dpop_nonce"));
    assert_eq!(server.count(), 2);
    server.answer(|_| says(200, &[("dpop-nonce", "n2")], BOUND));
    client.refresh("r").await.unwrap();
    client.refresh("r").await.unwrap();
    let asked = server.asked();
    let proofs: Vec<Proof> = asked.iter().map(|asked| proven(&server, asked, None)).collect();
    let nonces: Vec<_> = proofs.iter().map(nonce_of).collect();
    assert_eq!(nonces, [None, Some("n1"), Some("n1"), Some("n2")]);
    assert!(proofs.iter().all(|proof| proof.thumbprint == key.thumbprint()));
    let names: std::collections::HashSet<&String> = proofs.iter().map(|proof| &proof.jti).collect();
    assert_eq!(names.len(), 4, "each is good once");
}

#[tokio::test]
async fn a_token_that_is_not_bound_is_refused_by_who_wants_one() {
    let server = Pretended::start(|_| says(200, &[], BEARER)).await;
    let refused = client(&server, &key()).refresh("r").await.unwrap_err();
    assert!(matches!(refused, ClientError::Invalid(_)), "{refused}");
}

#[tokio::test]
async fn tokens_that_are_not_bound_as_they_should_be_are_given_back() {
    let with_refresh_token = BEARER.replace("\"scope\"", "\"refresh_token\":\"next\",\"scope\"");
    for (said, given_back) in [
        (BEARER.to_owned(), "token=a.b.c"),
        (with_refresh_token, "token=next"),
    ] {
        let server = Pretended::start(move |_| says(200, &[], said.clone())).await;
        let mut client = client(&server, &key());
        client = Client::public(
            HttpClient::new().unwrap(),
            Metadata {
                revocation_endpoint: Some(format!("{}/revoke", server.url)),
                ..client.metadata().clone()
            },
            "cli",
        )
        .with_key(key());
        let refused = client.redeem("c", "http://127.0.0.1/cb", "v").await.unwrap_err();
        assert!(matches!(refused, ClientError::Invalid(_)), "{refused}");
        let asked = server.asked();
        assert_eq!(asked.len(), 2);
        assert_eq!(asked[1].path, "/revoke");
        assert!(asked[1].body.contains(given_back), "{:?}", asked[1]);
    }
}

#[tokio::test]
async fn a_resource_is_asked_with_a_proof_for_the_token() {
    let challenge = "DPoP error=\"use_dpop_nonce\"";
    let headers = [("dpop-nonce", "n1"), ("www-authenticate", challenge)];
    let server = Pretended::start(move |asked| match asked.path == "/first" {
        true => says(401, &headers, ""),
        false => says(200, &[], "{}"),
    })
    .await;
    let key = key();
    let client = client(&server, &key);
    let answer = client
        .get(&format!("{}/first", server.url), "a.b.c")
        .await
        .unwrap();
    assert_eq!((answer.status.as_u16(), server.count()), (401, 2));
    client
        .get(&format!("{}/second", server.url), "a.b.c")
        .await
        .unwrap();
    let asked = server.asked();
    let proofs: Vec<Proof> = asked
        .iter()
        .map(|asked| proven(&server, asked, Some("a.b.c")))
        .collect();
    let nonces: Vec<_> = proofs.iter().map(nonce_of).collect();
    // §8.2: a nonce is for its server, whichever resource is asked for.
    assert_eq!(nonces, [None, Some("n1"), Some("n1")]);
    assert_eq!(asked[0].headers["authorization"], "DPoP a.b.c");
}
