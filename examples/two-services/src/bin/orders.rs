//! Orders at port 8083.

use carnet_client::service_signer::ServiceSigner;
use two_services::{Service, orders};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    tracing_subscriber::fmt().init();
    let service = Service::new(ServiceSigner::from_env()?, "http://127.0.0.1:8084")?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8083").await?;
    axum::serve(listener, orders::routes(service).await?).await?;
    Ok(())
}
