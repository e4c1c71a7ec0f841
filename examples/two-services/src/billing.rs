//! Billing: orders calls it for a user, and it calls orders back.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use carnet_guard::Auth;
use http::HeaderMap;
use serde_json::{Value, json};

use crate::{AnyError, BILLING, Failed, ORDERS, Service};

/// Its routes, guarded.
pub async fn routes(service: Service) -> Result<Router, AnyError> {
    let guard = service.guard(BILLING).await?;
    let routes = Router::new()
        .route("/invoices", get(invoices))
        .layer(guard.layer());
    Ok(routes.with_state(service))
}

async fn invoices(
    auth: Auth,
    State(service): State<Service>,
    headers: HeaderMap,
) -> Result<Json<Value>, Failed> {
    let actors: Vec<_> = auth.actors().collect();
    println!("invoices of {}, for {}", auth.sub(), actors.join(", for "));
    let orders = service.ask_for_user(&headers, ORDERS, "/orders/mine").await?;
    let told = service.tell("orders", "/orders/7/paid").await?;
    Ok(Json(
        json!({ "user": auth.sub(), "actors": actors, "orders": orders, "told": told }),
    ))
}
