//! The metadata of an issuer.

use std::sync::Arc;

use carnet_client::discovery::{discover, jwks_uri};
use carnet_client::error::ClientError;
use carnet_client::http::HttpClient;
use carnet_client::jwks::{Location, RemoteKeys};
use carnet_jose::Algorithm;
use serde_json::json;

use crate::pretended::{Asked, Frozen, Pretended, jwks, knows, says};

const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

fn document(issuer: &str) -> String {
    json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/jwks") }).to_string()
}

/// A server that answers at this path alone, with the status `other` elsewhere.
async fn server(path: &'static str, other: u16) -> Pretended {
    let server = Pretended::start(|_| says(404, &[], "")).await;
    let document = document(&server.url);
    server.answer(move |asked: &Asked| {
        if asked.path == path {
            says(200, &[], document.clone())
        } else {
            says(other, &[], "")
        }
    });
    server
}

#[tokio::test]
async fn rfc_8414_is_asked_before_openid() {
    let http = HttpClient::new().unwrap();
    let oauth = server(OAUTH, 404).await;
    assert_eq!(discover(&http, &oauth.url).await.unwrap().issuer, oauth.url);
    assert_eq!(oauth.count(), 1);
    // Whatever a server says to a path that it does not know.
    for other in [404, 401, 405, 302] {
        let openid = server(OPENID, other).await;
        assert_eq!(discover(&http, &openid.url).await.unwrap().issuer, openid.url);
        assert_eq!(openid.count(), 2, "{other}");
    }
}

#[tokio::test]
async fn a_sick_server_is_not_asked_twice() {
    let sick = server(OPENID, 500).await;
    let error = discover(&HttpClient::new().unwrap(), &sick.url)
        .await
        .unwrap_err();
    assert_eq!(error, ClientError::Status(format!("{}{OAUTH}", sick.url), 500));
    assert_eq!(sick.count(), 1);
}

#[tokio::test]
async fn jwt_15_a_document_of_another_issuer_is_not_believed() {
    let http = HttpClient::new().unwrap();
    let liar = Pretended::start(|_| says(404, &[], "")).await;
    for claimed in [
        format!("{}/", liar.url),
        liar.url.to_uppercase(),
        format!("{}.evil.test", liar.url),
        String::new(),
    ] {
        let document = document(&claimed);
        liar.answer(move |_| says(200, &[], document.clone()));
        let error = discover(&http, &liar.url).await.unwrap_err();
        assert!(error.to_string().contains("another issuer"), "{claimed}: {error}");
    }
    for nonsense in ["", "[]", "{}", r#"{"issuer":"a","issuer":"b"}"#, "<html>"] {
        liar.answer(move |_| says(200, &[], nonsense));
        assert!(discover(&http, &liar.url).await.is_err(), "{nonsense}");
    }
}

#[tokio::test]
async fn an_issuer_without_jwks_uri_has_no_keys() {
    let server = Pretended::start(|_| says(404, &[], "")).await;
    let document = json!({ "issuer": server.url }).to_string();
    server.answer(move |_| says(200, &[], document.clone()));
    let error = jwks_uri(&HttpClient::new().unwrap(), &server.url)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("jwks_uri"), "{error}");
}

#[tokio::test]
async fn keys_that_moved_are_found_at_their_new_address() {
    let clock = Frozen::new();
    let server = Pretended::start(|_| says(404, &[], "")).await;
    let behave = |path: &'static str, set: String| {
        let url = server.url.clone();
        let document = json!({ "issuer": url, "jwks_uri": format!("{url}{path}") }).to_string();
        server.answer(move |asked: &Asked| match asked.path.as_str() {
            OAUTH => says(200, &[], document.clone()),
            asked if asked == path => says(200, &[("cache-control", "max-age=60")], set.clone()),
            _ => says(404, &[], ""),
        });
    };
    behave("/old", jwks("a"));
    let keys = Arc::new(RemoteKeys::with_clock(
        HttpClient::new().unwrap(),
        Location::Discover(server.url.clone()),
        &[Algorithm::Es256],
        clock.clone(),
    ));
    keys.prepare().await;
    clock.wait(60);
    keys.prepare().await;
    assert_eq!(server.count(), 3, "where they are is asked once");
    behave("/new", jwks("b"));
    clock.wait(60);
    keys.prepare().await;
    assert!(knows(&keys, "a"));
    clock.wait(30);
    keys.prepare().await;
    assert!(knows(&keys, "b"));
}
