//! Starts the guarded greeter beside an authorization server.

use carnet_guard::{Issuer, ResourceServer};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let issuer = std::env::var("ISSUER").unwrap_or("http://127.0.0.1:8080".to_owned());
    let guard = ResourceServer::new("https://api.example.com")
        .issuer(Issuer::discover(issuer))
        .public_url("http://127.0.0.1:8083")
        .build()
        .await?;
    let listener = TcpListener::bind("127.0.0.1:8083").await?;
    let stop = async {
        // Without a signal to wait for it runs on.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    guarded_grpc::serve(guard, listener, stop).await?;
    Ok(())
}
