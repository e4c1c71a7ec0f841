//! Spec tests of refresh tokens that are bound to a key (RFC 9449 §5).

use carnet_oauth::dpop::Prover;
use http::StatusCode;

use crate::browser::{Browser, web_url};
use crate::harness::{Reply, Server, minutes};
use crate::proofs::{
    bound_tokens, first_nonce, for_tokens, jkt, prover, redeeming, refreshing, spa, spa_code, with_proof,
};
use crate::web::{TOKEN, assert_refused, exchange, text};

/// A refresh of `spa` with a proof of this key, or with none.
async fn refresh(server: &Server, token: &str, key: Option<&Prover>) -> Reply {
    let nonce = first_nonce(server).await;
    let proof = key.map(|key| for_tokens(server, key, Some(&nonce)));
    spa(server, &refreshing(token), proof.as_deref()).await
}

#[tokio::test]
async fn rt_11_the_refresh_tokens_of_a_public_client_are_good_with_its_key_alone() {
    let server = Server::start().await;
    let (key, other) = (prover(), prover());
    let first = bound_tokens(&server, &key).await;
    let token = text(&first, "refresh_token");
    for wrong in [None, Some(&other)] {
        assert_refused(&refresh(&server, token, wrong).await, "invalid_grant");
    }
    let reply = refresh(&server, token, Some(&key)).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let second = reply.json();
    assert_eq!(
        (text(&second, "token_type"), jkt(&second)),
        ("DPoP", key.thumbprint().into())
    );
    // An honest retry proves the key again; the grace is for nobody else.
    for wrong in [None, Some(&other)] {
        assert_refused(&refresh(&server, token, wrong).await, "invalid_grant");
    }
    let again = refresh(&server, token, Some(&key)).await.json();
    assert_eq!(again["refresh_token"], second["refresh_token"]);
}

#[tokio::test]
async fn a_refresh_with_a_first_proof_binds_what_comes_after_it() {
    let server = Server::start().await;
    let code = spa_code(&server, &[]).await;
    let free = spa(&server, &redeeming(&code), None).await.json();
    let (key, other) = (prover(), prover());
    let bound = refresh(&server, text(&free, "refresh_token"), Some(&key))
        .await
        .json();
    assert_eq!(jkt(&bound), key.thumbprint());
    for wrong in [None, Some(&other)] {
        // Neither the new token, nor the old one as a retry within the grace.
        for token in [&bound, &free] {
            assert_refused(
                &refresh(&server, text(token, "refresh_token"), wrong).await,
                "invalid_grant",
            );
        }
    }
    let next = refresh(&server, text(&bound, "refresh_token"), Some(&key)).await;
    assert_eq!(next.status, StatusCode::OK, "{next:?}");
}

#[tokio::test]
async fn rt_01_a_thief_who_binds_a_stolen_token_to_a_key_is_still_found_out() {
    let server = Server::start().await;
    let code = spa_code(&server, &[]).await;
    let stolen = spa(&server, &redeeming(&code), None).await.json();
    let thief = prover();
    let bound = refresh(&server, text(&stolen, "refresh_token"), Some(&thief))
        .await
        .json();
    server.wait(minutes(1)).await;
    // The one from whom it was stolen has no key at all.
    assert_refused(
        &refresh(&server, text(&stolen, "refresh_token"), None).await,
        "invalid_grant",
    );
    assert!(!server.is_active(text(&bound, "access_token")).await);
    let next = refresh(&server, text(&bound, "refresh_token"), Some(&thief)).await;
    assert_refused(&next, "invalid_grant");
}

#[tokio::test]
async fn a_confidential_client_is_bound_by_who_it_is_and_its_access_tokens_by_each_proof() {
    let server = Server::with("[dpop]\nrequire_nonce = false").await;
    let code = Browser::of(&server).code(&web_url("openid", &[])).await;
    let (one, two) = (prover(), prover());
    let reply = exchange(&server, &code)
        .header("dpop", &for_tokens(&server, &one, None))
        .send()
        .await;
    let mut body = reply.json();
    assert_eq!(jkt(&body), one.thumbprint());
    for key in [Some(&two), None, Some(&one)] {
        let fields = refreshing(text(&body, "refresh_token")).map(|(name, value)| (name, value.to_owned()));
        let fields = fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect::<Vec<_>>();
        let call = server.post(TOKEN).basic("web", "web.secret").form(&fields);
        let proof = key.map(|key| for_tokens(&server, key, None));
        let reply = with_proof(call, proof.as_deref()).send().await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        body = reply.json();
        assert_eq!(jkt(&body).as_str(), key.map(Prover::thumbprint));
    }
}
