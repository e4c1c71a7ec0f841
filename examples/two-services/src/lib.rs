//! Two services that call each other: for a user by token exchange (RFC 8693), and in their own name.

pub mod billing;
pub mod orders;

use std::error::Error;
use std::sync::Arc;

use carnet_client::http::HttpClient;
use carnet_client::service_client::ServiceClient;
use carnet_client::service_signer::ServiceSigner;
use carnet_guard::{Guard, Issuer, ResourceServer, Services};
use http::{HeaderMap, header};
use serde_json::Value;

/// The audience of tokens for orders.
pub const ORDERS: &str = "https://orders.example.com";
/// The audience of tokens for billing.
pub const BILLING: &str = "https://billing.example.com";

type AnyError = Box<dyn Error + Send + Sync>;

/// One of the two, and where the other one is.
#[derive(Clone)]
pub struct Service {
    signer: ServiceSigner,
    client: Arc<ServiceClient>,
    http: reqwest::Client,
    other: String,
}

impl Service {
    /// The service that signs so; the other one is at the URL `other`.
    pub fn new(signer: ServiceSigner, other: &str) -> Result<Self, AnyError> {
        Ok(Self {
            client: Arc::new(ServiceClient::new(HttpClient::new()?, signer.clone())),
            signer,
            http: reqwest::Client::new(),
            other: other.to_owned(),
        })
    }

    /// What stands in front of it: users' tokens with this audience, and other services.
    async fn guard(&self, audience: &str) -> Result<Guard, AnyError> {
        let (issuer, name) = (self.signer.issuer(), self.signer.name());
        let server = ResourceServer::new(audience)
            .issuer(Issuer::discover(issuer))
            .services(Services::of(issuer, name).once_for_unsafe_methods());
        Ok(server.build().await?)
    }

    /// Asks the other one for the user who has called with `headers`.
    async fn ask_for_user(&self, headers: &HeaderMap, audience: &str, path: &str) -> Result<Value, AnyError> {
        let sent = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let (_, token) = sent.unwrap_or_default().split_once(' ').unwrap_or_default();
        let tokens = self.client.exchange(token, audience).await?;
        let call = self.http.get(format!("{}{path}", self.other));
        let answer = call.bearer_auth(tokens.access_token).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Tells the other one, which is called `name`, something in this one's own name.
    async fn tell(&self, name: &str, path: &str) -> Result<Value, AnyError> {
        let mut request = http::Request::post(format!("{}{path}", self.other)).body("")?;
        self.signer.attach(&mut request, name)?;
        let answer = self.http.execute(request.try_into()?).await?;
        Ok(answer.error_for_status()?.json().await?)
    }
}

/// The other one did not answer as it should.
struct Failed(AnyError);

impl From<AnyError> for Failed {
    fn from(error: AnyError) -> Self {
        Self(error)
    }
}

impl axum::response::IntoResponse for Failed {
    fn into_response(self) -> axum::response::Response {
        eprintln!("{}", self.0);
        http::StatusCode::BAD_GATEWAY.into_response()
    }
}
