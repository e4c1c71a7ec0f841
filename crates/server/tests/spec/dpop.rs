//! Spec tests of DPoP at the token and the authorization endpoint (RFC 9449 §4.3, §5, §8, §10, §11.1).

use carnet_oauth::dpop::Request;
use http::{Method, StatusCode};

use crate::browser::{Browser, answer, authorize_url};
use crate::client_auth::svc;
use crate::harness::{ALICE, PASSWORD, Server, claims};
use crate::proofs::{
    SPA_CALLBACK, TOKEN_URL, bound_tokens, first_nonce, for_tokens, jkt, nonce_of, prover, redeeming,
    refreshing, spa, spa_code,
};
use crate::web::{TOKEN, assert_refused, text};

#[tokio::test]
async fn a_proof_at_the_token_endpoint_binds_the_access_token_to_its_key() {
    let server = Server::start().await;
    let key = prover();
    let body = bound_tokens(&server, &key).await;
    // §5: the type says how it is to be used.
    assert_eq!(text(&body, "token_type"), "DPoP");
    assert_eq!(jkt(&body), key.thumbprint());
    let members = claims(text(&body, "access_token"))["cnf"]
        .as_object()
        .unwrap()
        .len();
    assert_eq!(members, 1);
    // Who sends none gets a bearer token.
    let code = spa_code(&server, &[]).await;
    let plain = spa(&server, &redeeming(&code), None).await.json();
    assert_eq!(text(&plain, "token_type"), "Bearer");
    assert!(claims(text(&plain, "access_token")).get("cnf").is_none());
}

#[tokio::test]
async fn a_service_binds_its_tokens_as_well() {
    let server = Server::with("[dpop]\nrequire_nonce = false").await;
    let key = prover();
    let call = svc(&server, &[]).header("dpop", &for_tokens(&server, &key, None));
    let body = call.send().await.json();
    assert_eq!(
        (text(&body, "token_type"), jkt(&body)),
        ("DPoP", key.thumbprint().into())
    );
}

#[tokio::test]
async fn pp_01_a_proof_that_is_none_for_this_request_is_refused_and_nothing_is_spent() {
    let server = Server::with("[dpop]\nrequire_nonce = false").await;
    let (key, now) = (prover(), server.app.now_seconds());
    let prove = |method: &str, uri: &str, at: u64| {
        let request = Request {
            method,
            uri,
            access_token: None,
        };
        key.prove(&request, None, at).unwrap()
    };
    let code = spa_code(&server, &[]).await;
    for proof in [
        prove("GET", TOKEN_URL, now),
        prove("POST", "https://auth.example.com/oauth/revoke", now),
        prove("POST", "https://evil.example.com/oauth/token", now),
        prove("POST", "http://auth.example.com/oauth/token", now),
        prove("POST", TOKEN_URL, now - 11),
        prove("POST", TOKEN_URL, now + 11),
        "x.y.z".to_owned(),
        "not a token".to_owned(),
    ] {
        let reply = spa(&server, &redeeming(&code), Some(&proof)).await;
        assert_refused(&reply, "invalid_dpop_proof");
    }
    // §4.3, 1: two headers, and two proofs in one.
    let (one, two) = (for_tokens(&server, &key, None), for_tokens(&server, &key, None));
    let call = server
        .post(TOKEN)
        .form(&[&[("client_id", "spa")], &redeeming(&code)[..]].concat());
    let reply = call.header("dpop", &one).header("dpop", &two).send().await;
    assert_refused(&reply, "invalid_dpop_proof");
    let reply = spa(&server, &redeeming(&code), Some(&format!("{one}, {two}"))).await;
    assert_refused(&reply, "invalid_dpop_proof");
    // The code is still good.
    let reply = spa(&server, &redeeming(&code), Some(&for_tokens(&server, &key, None))).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
}

#[tokio::test]
async fn the_url_of_a_proof_is_the_configured_one_whatever_host_the_request_names() {
    let server = Server::with("[dpop]\nrequire_nonce = false").await;
    let key = prover();
    for (uri, status) in [
        ("https://inside.example.net/oauth/token", StatusCode::BAD_REQUEST),
        ("HTTPS://AUTH.example.com:443/oauth/token?x=1", StatusCode::OK),
    ] {
        let request = Request {
            method: "POST",
            uri,
            access_token: None,
        };
        let proof = key.prove(&request, None, server.app.now_seconds()).unwrap();
        let call = svc(&server, &[])
            .without_host()
            .header("host", "inside.example.net");
        let reply = call.header("dpop", &proof).send().await;
        assert_eq!(reply.status, status, "{uri} {reply:?}");
    }
}

#[tokio::test]
async fn pp_02_a_proof_counts_once_on_all_nodes_and_a_name_once_for_each_key() {
    let server = Server::with("[dpop]\nrequire_nonce = false").await;
    let node = server
        .restarted_with("[first_party]", "[dpop]\nrequire_nonce = false\n[first_party]")
        .await;
    let proof = for_tokens(&server, &prover(), None);
    assert_eq!(
        svc(&server, &[]).header("dpop", &proof).send().await.status,
        StatusCode::OK
    );
    for again in [&server, &node] {
        let reply = svc(again, &[]).header("dpop", &proof).send().await;
        assert_refused(&reply, "invalid_dpop_proof");
    }
    // Two keys may name their proofs alike.
    for _ in 0..2 {
        let key = carnet_jose::AnySigningKey::generate(carnet_jose::Algorithm::Es256).unwrap();
        let typ = carnet_jose::TokenType::Other("dpop+jwt");
        let signer = carnet_jose::Signer::with_embedded_key(key, typ).unwrap();
        let now = server.app.now_seconds();
        let claims = serde_json::json!({ "jti": "same", "htm": "POST", "htu": TOKEN_URL, "iat": now });
        let reply = svc(&server, &[])
            .header("dpop", &signer.sign(&claims).unwrap())
            .send()
            .await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    }
}

#[tokio::test]
async fn pp_02_of_many_at_once_with_one_proof_one_gets_a_token() {
    let server = Server::with("[dpop]\nrequire_nonce = false").await;
    let proof = for_tokens(&server, &prover(), None);
    let calls: Vec<_> = (0..20)
        .map(|_| svc(&server, &[]).header("dpop", &proof).send())
        .collect();
    let replies = futures_util::future::join_all(calls).await;
    assert_eq!(
        replies
            .iter()
            .filter(|reply| reply.status == StatusCode::OK)
            .count(),
        1
    );
}

#[tokio::test]
async fn pp_06_a_nonce_is_demanded_given_and_counts_for_minutes_on_every_node() {
    let server = Server::start().await;
    let key = prover();
    let code = spa_code(&server, &[]).await;
    // §8: 400, the error, the header, and nothing is spent.
    let reply = spa(&server, &redeeming(&code), Some(&for_tokens(&server, &key, None))).await;
    assert_refused(&reply, "use_dpop_nonce");
    assert_eq!(reply.header("cache-control"), "no-store");
    let nonce = nonce_of(&reply);
    assert!(
        nonce
            .bytes()
            .all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)),
        "§8.1: NQCHAR"
    );
    let node = server.restarted_with("[first_party]", "[first_party]").await;
    let reply = spa(
        &node,
        &redeeming(&code),
        Some(&for_tokens(&node, &key, Some(&nonce))),
    )
    .await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    // §8.2: the answer brings the next one.
    server.wait(std::time::Duration::from_secs(1)).await;
    let refresh_token = text(&reply.json(), "refresh_token").to_owned();
    let refresh = async |nonce: &str| {
        let proof = for_tokens(&server, &key, Some(nonce));
        spa(&server, &refreshing(&refresh_token), Some(&proof)).await
    };
    let last = nonce_of(&reply);
    server.wait(std::time::Duration::from_secs(300)).await;
    for bad in [last.as_str(), "", "x", "a.b", &format!("{last}x"), "foreign.AAAA"] {
        let reply = refresh(bad).await;
        assert_refused(&reply, "use_dpop_nonce");
        assert_ne!(nonce_of(&reply), last);
    }
    let fresh = nonce_of(&refresh(&last).await);
    assert_eq!(
        refresh(&fresh).await.status,
        StatusCode::OK,
        "RT-11: nothing was spent"
    );
}

#[tokio::test]
async fn pp_06_a_nonce_that_a_proof_has_is_checked_where_none_is_demanded() {
    let server = Server::with("[dpop]\nrequire_nonce = false").await;
    let reply = svc(&server, &[])
        .header("dpop", &for_tokens(&server, &prover(), Some("foreign")))
        .send()
        .await;
    assert_refused(&reply, "use_dpop_nonce");
    let nonce = nonce_of(&reply);
    let reply = svc(&server, &[])
        .header("dpop", &for_tokens(&server, &prover(), Some(&nonce)))
        .send()
        .await;
    assert_eq!(reply.status, StatusCode::OK);
}

#[tokio::test]
async fn a_code_that_was_asked_for_with_dpop_jkt_is_redeemed_with_that_key_alone() {
    let server = Server::with("[dpop]\nrequire_nonce = false").await;
    let (key, other) = (prover(), prover());
    let bound = [("dpop_jkt", key.thumbprint())];
    for wrong in [None, Some(&other)] {
        let code = spa_code(&server, &bound).await;
        let proof = wrong.map(|key| for_tokens(&server, key, None));
        assert_refused(
            &spa(&server, &redeeming(&code), proof.as_deref()).await,
            "invalid_grant",
        );
    }
    let code = spa_code(&server, &bound).await;
    let reply = spa(&server, &redeeming(&code), Some(&for_tokens(&server, &key, None))).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    // What is no thumbprint is no request.
    for text in ["x", &key.thumbprint()[1..], &format!("{}=", key.thumbprint())] {
        let url = authorize_url("spa", SPA_CALLBACK, "openid", &[("dpop_jkt", text)]);
        let reply = Browser::of(&server).get(&url).await;
        assert_eq!(answer(&reply)["error"], "invalid_request", "{text}");
    }
}

#[tokio::test]
async fn a_client_that_is_registered_so_gets_no_tokens_without_a_proof() {
    let server = Server::with("[dpop]\nrequire_nonce = false").await;
    let key = prover();
    let from = "id = \"spa\"";
    let strict = format!("{from}\ndpop = \"required\"");
    let server = server.restarted_with(from, &strict).await;
    let code = spa_code(&server, &[]).await;
    assert_refused(&spa(&server, &redeeming(&code), None).await, "invalid_dpop_proof");
    let nonce = first_nonce(&server).await;
    let proof = for_tokens(&server, &key, Some(&nonce));
    let reply = spa(&server, &redeeming(&code), Some(&proof)).await;
    assert_eq!(text(&reply.json(), "token_type"), "DPoP");
    // One that has bearer tokens from before gets no more of them.
    let reply = spa(&server, &refreshing(text(&reply.json(), "refresh_token")), None).await;
    assert_refused(&reply, "invalid_dpop_proof");
}

#[tokio::test]
async fn discovery_names_the_algorithms_of_proofs_and_browsers_may_send_them() {
    let server = Server::start().await;
    for path in [
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
    ] {
        let body = server.get(path).send().await.json();
        let names = body["dpop_signing_alg_values_supported"]
            .as_array()
            .unwrap()
            .clone();
        assert!(
            names.contains(&"ES256".into()) && names.contains(&"Ed25519".into()),
            "{names:?}"
        );
        assert!(
            !names
                .iter()
                .any(|name| name == "none" || name.as_str().unwrap().starts_with("HS"))
        );
    }
    for path in [TOKEN, "/userinfo"] {
        let call = server
            .call(Method::OPTIONS, path)
            .header("origin", "https://spa.example.com");
        let call = call.header("access-control-request-method", "POST");
        let reply = call.header("access-control-request-headers", "dpop").send().await;
        assert!(
            reply.header("access-control-allow-headers").contains("dpop"),
            "{reply:?}"
        );
    }
    let reply = server
        .post(TOKEN)
        .header("origin", "https://spa.example.com")
        .send()
        .await;
    assert!(
        reply
            .header("access-control-expose-headers")
            .contains("dpop-nonce"),
        "{reply:?}"
    );
}

#[tokio::test]
async fn the_login_api_knows_no_bound_tokens() {
    let server = Server::start().await;
    let body = bound_tokens(&server, &prover()).await;
    let token = text(&body, "access_token");
    let reply = server.get("/auth/me").bearer(token).send().await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (StatusCode::UNAUTHORIZED, "token_invalid")
    );
    let reply = server.post("/auth/logout").bearer(token).send().await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    assert!(server.is_active(token).await);
    let session = server.log_in(ALICE, PASSWORD).await;
    assert!(claims(&session.access).get("cnf").is_none());
}
