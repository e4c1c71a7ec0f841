//! What a service asks of its authorization server: tokens for itself, and tokens to call the next service with for the same user.
//!
//! Spec: RFC 8693 §2 (token exchange) · RFC 7523 §2.1, §2.2 · RFC 6749 §4.4

use carnet_oauth::client_auth::JWT_BEARER;
use carnet_oauth::grant_type::GrantType;
use carnet_oauth::token_exchange::ACCESS_TOKEN;
use carnet_oauth::token_response::TokenResponse;
use tokio::sync::OnceCell;

use crate::discovery::discover;
use crate::error::ClientError;
use crate::http::HttpClient;
use crate::service_signer::ServiceSigner;
use crate::token::Client;

/// A service at its authorization server, where the key of its tokens proves it.
///
/// ```no_run
/// use carnet_client::http::HttpClient;
/// use carnet_client::service_signer::ServiceSigner;
/// use carnet_client::service_client::ServiceClient;
///
/// # async fn run(from_the_user: &str) -> Result<(), carnet_client::error::ClientError> {
/// let orders = ServiceClient::new(HttpClient::new()?, ServiceSigner::from_env()?);
/// let for_billing = orders.exchange(from_the_user, "https://billing.example.com").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ServiceClient {
    http: HttpClient,
    signer: ServiceSigner,
    client: OnceCell<Client>,
}

impl ServiceClient {
    /// The service that signs so. Nothing is asked yet: a server that is down is no error here.
    pub fn new(http: HttpClient, signer: ServiceSigner) -> Self {
        Self {
            http,
            signer,
            client: OnceCell::new(),
        }
    }

    /// A token for the API `audience`, for the user of `token` and in the service's own name: `act` says who acts (RFC 8693 §4.1). `token` is
    /// the access token that the user has called this service with.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] when the server says no, with the code of RFC 8693 §2.2.2.
    pub async fn exchange(&self, token: &str, audience: &str) -> Result<TokenResponse, ClientError> {
        let fields = [
            ("grant_type", GrantType::TokenExchange.name()),
            ("subject_token", token),
            ("subject_token_type", ACCESS_TOKEN),
            ("audience", audience),
        ];
        self.tokens(&fields).await
    }

    /// A token of the service's own for the API `audience` (RFC 6749 §4.4), with the scopes that it is registered with.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] when the server says no, with the code of RFC 6749 §5.2.
    pub async fn token(&self, audience: &str) -> Result<TokenResponse, ClientError> {
        let fields = [
            ("grant_type", GrantType::ClientCredentials.name()),
            ("resource", audience),
        ];
        self.tokens(&fields).await
    }

    async fn tokens(&self, fields: &[(&str, &str)]) -> Result<TokenResponse, ClientError> {
        let client = self.client.get_or_try_init(|| self.found()).await?;
        let assertion = self.signer.client_assertion()?;
        let proof = [
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", &assertion),
        ];
        client.tokens(&[fields, &proof].concat()).await
    }

    async fn found(&self) -> Result<Client, ClientError> {
        let metadata = discover(&self.http, self.signer.issuer()).await?;
        Ok(Client::public(self.http.clone(), metadata, self.signer.name()))
    }
}
