//! Spec tests of bound tokens at userinfo and at introspection (RFC 9449 §6.2, §7, §9).

use carnet_oauth::dpop::{Prover, Request};
use http::StatusCode;

use crate::harness::{ALICE, Server};
use crate::proofs::{
    USERINFO_URL, bound_tokens, challenges, first_nonce, for_userinfo, nonce_of, prover, redeeming, spa,
    spa_code, userinfo,
};
use crate::web::text;

const NO_NONCE: &str = "[dpop]\nrequire_nonce = false";

/// Alice's bound token and its key, at a server that demands no nonces.
async fn start() -> (Server, Prover, String) {
    let server = Server::start().await;
    let key = prover();
    let body = bound_tokens(&server, &key).await;
    let token = text(&body, "access_token").to_owned();
    let server = server
        .restarted_with("[first_party]", &format!("{NO_NONCE}\n[first_party]"))
        .await;
    (server, key, token)
}

#[tokio::test]
async fn userinfo_takes_a_bound_token_with_its_proof() {
    let (server, key, token) = start().await;
    let reply = userinfo(&server, &token, &for_userinfo(&server, &key, &token, None)).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert_eq!(reply.json()["sub"], server.user(ALICE).await.sub);
    assert!(
        !nonce_of(&reply).is_empty(),
        "§8.2: the next request has its nonce"
    );
    // By POST, with the proof of that.
    let request = Request {
        method: "POST",
        uri: USERINFO_URL,
        access_token: Some(&token),
    };
    let proof = key.prove(&request, None, server.app.now_seconds()).unwrap();
    let call = server
        .post("/userinfo")
        .header("authorization", &format!("dpop {token}"));
    assert_eq!(call.header("dpop", &proof).send().await.status, StatusCode::OK);
}

#[tokio::test]
async fn pp_03_a_bound_token_is_no_bearer_token() {
    let (server, key, token) = start().await;
    let proof = for_userinfo(&server, &key, &token, None);
    let alone = server.get("/userinfo").bearer(&token).send().await;
    let proven = server
        .get("/userinfo")
        .bearer(&token)
        .header("dpop", &proof)
        .send()
        .await;
    let in_body = server
        .post("/userinfo")
        .form(&[("access_token", &token)])
        .send()
        .await;
    for reply in [alone, proven, in_body] {
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (StatusCode::UNAUTHORIZED, "token_invalid")
        );
        let challenges = challenges(&reply);
        assert!(
            challenges.contains("Bearer error=\"invalid_token\""),
            "{challenges}"
        );
        assert!(
            challenges.contains("DPoP algs=\"ES256 "),
            "§7.2: how it should have come: {challenges}"
        );
    }
    let nobody = server.get("/userinfo").send().await;
    assert!(
        challenges(&nobody).starts_with("Bearer\nDPoP algs="),
        "{nobody:?}"
    );
}

#[tokio::test]
async fn pp_03_a_bearer_token_is_none_that_is_bound() {
    let (server, key, _) = start().await;
    let code = spa_code(&server, &[]).await;
    let body = spa(&server, &redeeming(&code), None).await.json();
    let token = text(&body, "access_token");
    let reply = userinfo(&server, token, &for_userinfo(&server, &key, token, None)).await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (StatusCode::UNAUTHORIZED, "token_invalid")
    );
    assert!(
        challenges(&reply).starts_with("DPoP error=\"invalid_token\""),
        "{reply:?}"
    );
}

#[tokio::test]
async fn pp_03_the_proof_is_of_this_token_and_of_its_key() {
    let (server, key, token) = start().await;
    let other = prover();
    let other_token = text(&bound_tokens_without_nonce(&server, &key).await, "access_token").to_owned();
    let foreign = userinfo(&server, &token, &for_userinfo(&server, &other, &token, None)).await;
    assert_eq!(
        (foreign.status, foreign.code().as_str()),
        (StatusCode::UNAUTHORIZED, "token_invalid")
    );
    assert!(challenges(&foreign).contains("error=\"invalid_token\""));
    let mixed = userinfo(&server, &token, &for_userinfo(&server, &key, &other_token, None)).await;
    let unhashed = {
        let request = Request {
            method: "GET",
            uri: USERINFO_URL,
            access_token: None,
        };
        key.prove(&request, None, server.app.now_seconds()).unwrap()
    };
    let unhashed = userinfo(&server, &token, &unhashed).await;
    let missing = server
        .get("/userinfo")
        .header("authorization", &format!("DPoP {token}"))
        .send()
        .await;
    for reply in [mixed, unhashed, missing] {
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (StatusCode::UNAUTHORIZED, "invalid_dpop_proof")
        );
        let challenges = challenges(&reply);
        assert!(
            challenges.starts_with("DPoP error=\"invalid_dpop_proof\""),
            "{challenges}"
        );
        assert!(challenges.contains("algs=\"ES256 "), "{challenges}");
    }
}

async fn bound_tokens_without_nonce(server: &Server, key: &Prover) -> serde_json::Value {
    let code = spa_code(server, &[]).await;
    let proof = crate::proofs::for_tokens(server, key, None);
    spa(server, &redeeming(&code), Some(&proof)).await.json()
}

#[tokio::test]
async fn pp_01_a_proof_for_another_request_opens_nothing() {
    let (server, key, token) = start().await;
    let now = server.app.now_seconds();
    for (method, uri, at) in [
        ("POST", USERINFO_URL, now),
        ("GET", "https://auth.example.com/auth/me", now),
        ("GET", "https://other.example.com/userinfo", now),
        ("GET", USERINFO_URL, now - 11),
        ("GET", USERINFO_URL, now + 11),
    ] {
        let request = Request {
            method,
            uri,
            access_token: Some(&token),
        };
        let reply = userinfo(&server, &token, &key.prove(&request, None, at).unwrap()).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (StatusCode::UNAUTHORIZED, "invalid_dpop_proof")
        );
    }
    let (one, two) = (
        for_userinfo(&server, &key, &token, None),
        for_userinfo(&server, &key, &token, None),
    );
    let call = server
        .get("/userinfo")
        .header("authorization", &format!("DPoP {token}"));
    let reply = call.header("dpop", &one).header("dpop", &two).send().await;
    assert_eq!(reply.code(), "invalid_dpop_proof");
    // Two tokens are one too many, whatever they prove.
    let call = server
        .get("/userinfo")
        .header("authorization", &format!("DPoP {token}"));
    let reply = call.bearer(&token).header("dpop", &one).send().await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (StatusCode::BAD_REQUEST, "invalid_request")
    );
}

#[tokio::test]
async fn pp_02_a_proof_opens_userinfo_once_on_all_nodes() {
    let (server, key, token) = start().await;
    let node = server
        .restarted_with("[first_party]", &format!("{NO_NONCE}\n[first_party]"))
        .await;
    let proof = for_userinfo(&server, &key, &token, None);
    assert_eq!(userinfo(&server, &token, &proof).await.status, StatusCode::OK);
    for again in [&server, &node] {
        assert_eq!(userinfo(again, &token, &proof).await.code(), "invalid_dpop_proof");
    }
}

#[tokio::test]
async fn pp_06_a_resource_gives_its_own_nonces() {
    let server = Server::start().await;
    let key = prover();
    let token = text(&bound_tokens(&server, &key).await, "access_token").to_owned();
    let of_the_token_endpoint = first_nonce(&server).await;
    for nonce in [None, Some(of_the_token_endpoint.as_str()), Some("x")] {
        let reply = userinfo(&server, &token, &for_userinfo(&server, &key, &token, nonce)).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (StatusCode::UNAUTHORIZED, "use_dpop_nonce")
        );
        assert!(
            challenges(&reply).starts_with("DPoP error=\"use_dpop_nonce\""),
            "{reply:?}"
        );
        let proof = for_userinfo(&server, &key, &token, Some(&nonce_of(&reply)));
        assert_eq!(userinfo(&server, &token, &proof).await.status, StatusCode::OK);
        // Nor is it one of the token endpoint.
        let proof = crate::proofs::for_tokens(&server, &key, Some(&nonce_of(&reply)));
        let back = spa(&server, &[("grant_type", "refresh_token")], Some(&proof)).await;
        assert_eq!(back.json()["error"], "use_dpop_nonce");
    }
}

#[tokio::test]
async fn introspection_shows_the_key_that_a_token_is_bound_to() {
    let (server, key, token) = start().await;
    let call = server
        .post("/oauth/introspect")
        .basic("orders-api", "orders.secret");
    let body = call.form(&[("token", &token)]).send().await.json();
    assert_eq!(
        (body["active"].as_bool(), body["token_type"].as_str()),
        (Some(true), Some("DPoP"))
    );
    assert_eq!(body["cnf"], serde_json::json!({ "jkt": key.thumbprint() }));
    // A client gives a bound token back without proving its key (RFC 7009 knows no proof).
    let fields = [("client_id", "spa"), ("token", token.as_str())];
    assert_eq!(
        server.post("/oauth/revoke").form(&fields).send().await.status,
        StatusCode::OK
    );
    assert!(!server.is_active(&token).await);
    let reply = userinfo(&server, &token, &for_userinfo(&server, &key, &token, None)).await;
    assert_eq!(reply.code(), "token_invalid");
}

#[tokio::test]
async fn jwt_17_a_proof_is_no_access_token() {
    let (server, key, token) = start().await;
    let proof = for_userinfo(&server, &key, &token, None);
    let reply = server.get("/userinfo").bearer(&proof).send().await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (StatusCode::UNAUTHORIZED, "token_invalid")
    );
    let reply = userinfo(&server, &proof, &for_userinfo(&server, &key, &proof, None)).await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (StatusCode::UNAUTHORIZED, "token_invalid")
    );
    assert!(!server.is_active(&proof).await);
}
