//! An API with and without the guard, as a process of its own.

use axum::Router;
use axum::routing::get;
use carnet_guard::testing::TestIssuer;
use tokio::net::TcpListener;

use crate::Outcome;

const AUDIENCE: &str = "https://api.example.com";

/// `kind` is `guarded` or `open`. Says where it listens, and a token that it accepts.
pub(crate) async fn serve(kind: &str) -> Outcome<()> {
    let issuer = TestIssuer::new();
    let mut routes = Router::new().route("/orders", get(async || "[]"));
    if kind == "guarded" {
        let guard = issuer.resource_server(AUDIENCE).build().await?;
        routes = routes.layer(guard.layer());
    }
    let token = issuer
        .token("alice")
        .audience(AUDIENCE)
        .scope("read:orders")
        .role("editor")
        .sign();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{} {token}", listener.local_addr()?);
    axum::serve(listener, routes).await?;
    Ok(())
}
