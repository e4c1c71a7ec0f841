//! A pushed request with a proof: the code is bound before a browser has seen it (RFC 9449 §10.1).

use carnet_oauth::dpop::{Prover, Request};
use http::StatusCode;

use crate::browser::{Browser, web_url};
use crate::client_auth::assert_refused;
use crate::harness::Server;
use crate::par::{PAR, by_reference, push};
use crate::proofs::{nonce_of, prover};
use crate::web::{exchange, text};

#[tokio::test]
async fn pp_06_a_proof_at_the_endpoint_binds_the_code_as_dpop_jkt_does() {
    let server = Server::start().await;
    let (key, other) = (prover(), prover());
    let uri = format!("https://auth.example.com{PAR}");
    let prove = |key: &Prover, nonce: Option<&str>| {
        let request = Request {
            method: "POST",
            uri: &uri,
            access_token: None,
        };
        key.prove(&request, nonce, server.app.now_seconds()).unwrap()
    };
    let send = async |url: &str, proof: &str| {
        let call = push(&server, url).basic("web", "web.secret");
        call.header("dpop", proof).send().await
    };
    let url = web_url("openid", &[]);
    assert_refused(
        &send(&url, "garbage").await,
        StatusCode::BAD_REQUEST,
        "invalid_dpop_proof",
    );
    let asked = send(&url, &prove(&key, None)).await;
    assert_refused(&asked, StatusCode::BAD_REQUEST, "use_dpop_nonce");
    let nonce = nonce_of(&asked);
    let contradicted = web_url("openid", &[("dpop_jkt", other.thumbprint())]);
    let refused = send(&contradicted, &prove(&key, Some(&nonce))).await;
    assert_refused(&refused, StatusCode::BAD_REQUEST, "invalid_request");
    let bound = send(&url, &prove(&key, Some(&nonce))).await;
    assert_eq!(bound.status, StatusCode::CREATED, "{bound:?}");
    assert!(!bound.header("dpop-nonce").is_empty());
    let reference = text(&bound.json(), "request_uri").to_owned();
    let code = Browser::of(&server).code(&by_reference("web", &reference)).await;
    let unproven = exchange(&server, &code).send().await;
    assert_refused(&unproven, StatusCode::BAD_REQUEST, "invalid_grant");
}
