//! Orders: users call it, and billing does, for them and in its own name.

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use carnet_guard::{Auth, Caller};
use http::HeaderMap;
use serde_json::{Value, json};

use crate::{AnyError, BILLING, Failed, ORDERS, Service};

/// Its routes, guarded.
pub async fn routes(service: Service) -> Result<Router, AnyError> {
    let guard = service.guard(ORDERS).await?;
    let for_users = Router::new()
        .route("/orders/total", get(total))
        .route("/orders/mine", get(mine))
        .layer(guard.layer());
    // No user gets in here, and no service but billing.
    let for_billing = Router::new()
        .route("/orders/{order}/paid", post(paid))
        .layer(guard.caller_in(["billing"]));
    Ok(for_users.merge(for_billing).with_state(service))
}

async fn total(
    auth: Auth,
    State(service): State<Service>,
    headers: HeaderMap,
) -> Result<Json<Value>, Failed> {
    let billing = service.ask_for_user(&headers, BILLING, "/invoices").await?;
    Ok(Json(json!({ "user": auth.sub(), "billing": billing })))
}

async fn mine(auth: Auth) -> Json<Value> {
    let actors: Vec<_> = auth.actors().collect();
    println!("orders of {}, for {}", auth.sub(), actors.join(", for "));
    Json(json!({ "user": auth.sub(), "actors": actors, "orders": ["7"] }))
}

async fn paid(caller: Caller, Path(order): Path<String>) -> Json<Value> {
    println!("order {order} is paid, says {}", caller.id());
    Json(json!({ "order": order, "by": caller.name() }))
}
