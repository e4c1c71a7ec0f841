//! How a login was made, asked for by an API and said by the server: RFC 9470, from one end to the other.

use axum::{Router, routing::get};
use carnet_guard::Rule;
use tokio::net::TcpListener;

use crate::revocation::guard;
use crate::support::{Browser, Carnet, Engine};

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_asks_for_a_class_of_login_gets_it_in_the_token_of_one() {
    let carnet = Carnet::start(Engine::Sqlite, "").await;
    carnet.add_user();
    let guard = guard(&carnet, &carnet).await;
    let classed = |acr: &str| get(async || "in").layer(guard.require(Rule::acr([acr])));
    let app = Router::new()
        .route("/password", classed("urn:carnet:acr:password"))
        .route("/phr", classed("phr"))
        .layer(guard.layer());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });

    let browser = Browser::new(&carnet.base);
    let first = browser.log_in().await;
    let renewed = browser.refresh(&first.refresh).await.unwrap().unwrap();
    for token in [&first.access, &renewed.access] {
        for (path, status) in [("password", 200), ("phr", 401)] {
            let answer = browser
                .get(&format!("http://{address}/{path}"), Some(token))
                .await;
            assert_eq!(answer.0, status, "{path}: {}", answer.1);
        }
    }
}
