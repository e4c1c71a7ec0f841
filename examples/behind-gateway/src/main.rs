//! Serves it at 127.0.0.1:8082, behind a gateway at 127.0.0.1:8081.

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let gateway = std::env::var("GATEWAY").unwrap_or("http://127.0.0.1:8081".to_owned());
    let app = behind_gateway::app(&gateway).await?;
    axum::serve(tokio::net::TcpListener::bind("127.0.0.1:8082").await?, app).await?;
    Ok(())
}
