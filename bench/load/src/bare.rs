//! The refresh endpoint without storage: the same door, manners, CORS, MACs, signature and cookie, and nothing remembered.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use carnet_jose::{Algorithm, AnySigningKey, Signer, TokenType, base64url, primitive};
use carnet_listen::{ListenConfig, Listener};
use carnet_oauth::access_token::{AccessTokenClaims, Audience};
use carnet_oauth::token_response::TokenResponse;
use carnet_server::clock::{Clock as _, SystemClock};
use carnet_server::http::manners::{House, keep_manners};
use carnet_server::http::origin::{Origins, require_same_site};
use carnet_server::token::refresh::RefreshToken;
use http::{HeaderMap, StatusCode, header};

use crate::Outcome;

/// A refresh token to start with: the generation is believed, since nothing is remembered.
pub(crate) const FIRST: &str =
    "carnet_rt.AAAAAAAAAAAAAAAAAAAAAA.0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Listens and says where.
pub(crate) async fn serve() -> Outcome<()> {
    let signer = Signer::new(
        AnySigningKey::generate(Algorithm::Es256)?,
        TokenType::AccessToken,
        Some("k".repeat(43)),
    )?;
    let state: &'static Signer = Box::leak(Box::new(signer));
    let origins = Origins::new("http://127.0.0.1:8080".to_owned(), []);
    let house = House {
        listen: Arc::default(),
        https: false,
        pages: None,
    };
    let router = Router::new()
        .route("/auth/refresh", post(refresh))
        .route_layer(from_fn_with_state(origins.clone(), require_same_site))
        .layer(origins.cors())
        .layer(from_fn_with_state(house, keep_manners))
        .with_state(state);
    let listener = Listener::bind(ListenConfig {
        max_connections_per_address: 10_000,
        ..ListenConfig::default()
    })
    .await?;
    println!("{}", listener.local_addr());
    listener.serve(router, std::future::pending()).await;
    Ok(())
}

async fn refresh(State(signer): State<&'static Signer>, headers: HeaderMap) -> Response {
    match answer(signer, &headers) {
        Some(response) => response,
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

fn answer(signer: &Signer, headers: &HeaderMap) -> Option<Response> {
    let cookie = headers
        .get(header::COOKIE)?
        .to_str()
        .ok()?
        .strip_prefix("refresh_token=")?;
    let token = RefreshToken::parse(cookie)?;
    let next = token.generation + 1;
    let key = [7; 32];
    // One MAC to check what came, one to write what goes.
    let _checked = primitive::hmac_sha256(
        &key,
        &[&[0; 16], &token.generation.to_be_bytes(), token.fam.as_bytes()],
    );
    let mac = primitive::hmac_sha256(&key, &[&[0; 16], &next.to_be_bytes(), token.fam.as_bytes()]);
    let access_token = signer.sign(&claims(token.fam)?).ok()?;
    let body = TokenResponse {
        access_token,
        token_type: "Bearer".to_owned(),
        expires_in: 900,
        scope: "read:orders".parse().ok()?,
        refresh_token: None,
        id_token: None,
        issued_token_type: None,
    };
    let cookie = format!(
        "refresh_token=carnet_rt.{}.{next}.{}; Path=/auth; Max-Age=604800; HttpOnly; SameSite=Strict",
        token.fam,
        base64url::encode(&mac)
    );
    Some(
        (
            [
                (header::SET_COOKIE, cookie),
                (header::CACHE_CONTROL, "no-store".to_owned()),
            ],
            Json(body),
        )
            .into_response(),
    )
}

fn claims(fam: &str) -> Option<AccessTokenClaims> {
    let now = u64::try_from(SystemClock.now() / 1000).ok()?;
    let mut jti = [0; 16];
    primitive::fill_random(&mut jti).ok()?;
    Some(AccessTokenClaims {
        iss: "http://127.0.0.1:8080".to_owned(),
        sub: fam.to_owned(),
        aud: Audience::One("https://api.example.com".to_owned()),
        exp: now + 900,
        nbf: Some(now),
        iat: now,
        jti: base64url::encode(&jti),
        client_id: "first-party".to_owned(),
        scope: "read:orders".parse().ok()?,
        auth_time: Some(now),
        acr: Some("urn:carnet:acr:password".to_owned()),
        sid: Some(fam.to_owned()),
        cnf: None,
        act: None,
        fam: Some(fam.to_owned()),
        roles: Vec::new(),
        permissions: Vec::new(),
        extra: BTreeMap::new(),
    })
}
