//! An axum API that only answers callers with a valid access token.

use axum::{Json, Router, routing::get};
use carnet_guard::{Auth, Issuer, ResourceServer};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let issuer = std::env::var("ISSUER").unwrap_or("http://127.0.0.1:8080".to_owned());
    let guard = ResourceServer::new("https://api.example.com")
        .issuer(Issuer::discover(issuer))
        .public_url("http://127.0.0.1:8082") // where callers find it; without it, the origin of the audience
        .build()
        .await?;

    let app = Router::new()
        .route("/api/user/profile", get(profile))
        .layer(guard.layer()) // everything above needs a token
        .route("/health", get(|| async { "ok" }));

    axum::serve(tokio::net::TcpListener::bind("127.0.0.1:8082").await?, app).await?;
    Ok(())
}

async fn profile(auth: Auth) -> Json<Value> {
    Json(json!({ "userId": auth.sub(), "roles": auth.roles() }))
}
