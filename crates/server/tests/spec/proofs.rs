//! A client's key, and the proofs that it sends (RFC 9449 §4.2).

use carnet_jose::{Algorithm, AnySigningKey};
use carnet_oauth::dpop::{Prover, Request};
use http::StatusCode;
use serde_json::Value;

use crate::browser::{Browser, VERIFIER, authorize_url};
use crate::harness::{Call, Reply, Server, claims};
use crate::web::{TOKEN, text};

pub(crate) const TOKEN_URL: &str = "https://auth.example.com/oauth/token";
pub(crate) const USERINFO_URL: &str = "https://auth.example.com/userinfo";
pub(crate) const SPA_CALLBACK: &str = "https://spa.example.com/cb";

pub(crate) fn prover() -> Prover {
    Prover::new(AnySigningKey::generate(Algorithm::Es256).unwrap()).unwrap()
}

/// A proof for the token endpoint, made now.
pub(crate) fn for_tokens(server: &Server, prover: &Prover, nonce: Option<&str>) -> String {
    let request = Request {
        method: "POST",
        uri: TOKEN_URL,
        access_token: None,
    };
    prover.prove(&request, nonce, server.app.now_seconds()).unwrap()
}

/// A proof for userinfo with this token, made now.
pub(crate) fn for_userinfo(server: &Server, prover: &Prover, token: &str, nonce: Option<&str>) -> String {
    let request = Request {
        method: "GET",
        uri: USERINFO_URL,
        access_token: Some(token),
    };
    prover.prove(&request, nonce, server.app.now_seconds()).unwrap()
}

/// The nonce of an answer.
pub(crate) fn nonce_of(reply: &Reply) -> String {
    let nonce = reply.header("dpop-nonce");
    assert!(!nonce.is_empty(), "{reply:?}");
    nonce.to_owned()
}

/// A token request of `spa`, a public client, with this proof.
pub(crate) async fn spa(server: &Server, fields: &[(&str, &str)], proof: Option<&str>) -> Reply {
    let fields = [&[("client_id", "spa")], fields].concat();
    with_proof(server.post(TOKEN).form(&fields), proof).send().await
}

pub(crate) fn with_proof<'a>(call: Call<'a>, proof: Option<&str>) -> Call<'a> {
    match proof {
        Some(proof) => call.header("dpop", proof),
        None => call,
    }
}

/// A nonce of the token endpoint, as a client gets its first.
pub(crate) async fn first_nonce(server: &Server) -> String {
    let proof = for_tokens(server, &prover(), None);
    let reply = spa(server, &[("grant_type", "refresh_token")], Some(&proof)).await;
    assert_eq!(reply.json()["error"], "use_dpop_nonce", "{reply:?}");
    nonce_of(&reply)
}

/// A code of Alice for `spa`.
pub(crate) async fn spa_code(server: &Server, more: &[(&str, &str)]) -> String {
    let url = authorize_url("spa", SPA_CALLBACK, "openid read:orders", more);
    Browser::of(server).code(&url).await
}

/// What a code is redeemed with.
pub(crate) fn redeeming(code: &str) -> [(&str, &str); 4] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", SPA_CALLBACK),
        ("code_verifier", VERIFIER),
    ]
}

pub(crate) fn refreshing(token: &str) -> [(&str, &str); 2] {
    [("grant_type", "refresh_token"), ("refresh_token", token)]
}

/// The tokens of a login of Alice through `spa`, bound to this key.
pub(crate) async fn bound_tokens(server: &Server, prover: &Prover) -> Value {
    let (code, nonce) = (spa_code(server, &[]).await, first_nonce(server).await);
    let proof = for_tokens(server, prover, Some(&nonce));
    let reply = spa(server, &redeeming(&code), Some(&proof)).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    reply.json()
}

/// Asks userinfo with a bound token, this proof, and nothing else.
pub(crate) async fn userinfo(server: &Server, token: &str, proof: &str) -> Reply {
    let call = server
        .get("/userinfo")
        .header("authorization", &format!("DPoP {token}"));
    call.header("dpop", proof).send().await
}

/// The key that an access token is bound to.
pub(crate) fn jkt(body: &Value) -> Value {
    claims(text(body, "access_token"))["cnf"]["jkt"].clone()
}

/// The challenges of an answer, one a line.
pub(crate) fn challenges(reply: &Reply) -> String {
    let lines = reply.headers.get_all("www-authenticate").iter();
    let lines: Vec<&str> = lines.map(|line| line.to_str().unwrap()).collect();
    lines.join("\n")
}
