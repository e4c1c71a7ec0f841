//! A service behind the gateway, which knows its callers by the gateway's signature.

use axum::{Router, routing::get};
use carnet_guard::{Auth, BuildError, FromGateway, Rule, scope};

scope!(ReadOrders = "read:orders");

/// The service that the gateway `gateway` calls "orders".
pub async fn app(gateway: &str) -> Result<Router, BuildError> {
    let guard = FromGateway::assertion(gateway, "orders").build().await?;
    let editors = guard.require(Rule::role("editor"));
    let routes = Router::new()
        .route("/orders", get(orders))
        .route("/orders/late", get(async || "3 orders are late").layer(editors))
        .layer(guard.layer());
    Ok(routes.route("/health", get(async || "ok"))) // outside of the layer: for whoever reaches it
}

async fn orders(auth: Auth<ReadOrders>) -> String {
    format!("orders of {}, by {}", auth.sub(), auth.client_id())
}
