//! Authorization codes: what is kept under one until it is redeemed.
//!
//! Spec: RFC 6749 §4.1.2 · RFC 9449 §10 (dpop_jkt)

use carnet_jose::{base64url, primitive};
use carnet_oauth::claims_request::ClaimsRequest;
use carnet_oauth::scope::ScopeSet;
use carnet_store::TicketKind;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::config::Ttl;
use crate::http::failure::Failure;

/// How long a code may be redeemed.
const LIFE: Ttl = Ttl::seconds(60);

/// What the authorization endpoint has decided, kept until the client asks for the tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuthorizationCode {
    /// Who may redeem it.
    pub client_id: String,
    /// When the client had last changed: a code does not outlive that.
    pub client_changed_at: i64,
    /// Where the code was sent.
    pub redirect_uri: String,
    /// Whether the request named that address.
    pub redirect_uri_was_sent: bool,
    /// PKCE's challenge.
    pub challenge: Option<String>,
    /// What was granted.
    pub scope: ScopeSet,
    /// For which resource.
    pub audience: String,
    /// The user.
    pub sub: String,
    /// The session of the browser.
    pub browser_sid: String,
    /// When the user let the client, in milliseconds: what is withdrawn later takes the code along.
    #[serde(default)]
    pub allowed_at: i64,
    /// When the user proved who they are, in milliseconds.
    pub auth_time: i64,
    /// For the ID token.
    pub nonce: Option<String>,
    /// The single claims that the request asked for, and that the client may know.
    #[serde(default)]
    pub claims: ClaimsRequest,
    /// The key that the client must prove to redeem it (RFC 9449 §10).
    #[serde(default)]
    pub jkt: Option<String>,
}

impl AuthorizationCode {
    /// Keeps it under a new code.
    pub async fn issue(&self, app: &App) -> Result<String, Failure> {
        let code = random_secret()?;
        let payload = serde_json::to_string(self).map_err(Failure::broken)?;
        let expires_at = app.now().saturating_add(LIFE.millis());
        app.store
            .keep_ticket(
                TicketKind::Code,
                &ticket(&self.client_id, &code),
                &payload,
                expires_at,
            )
            .await?;
        Ok(code)
    }

    /// What was kept.
    pub fn read(payload: &str) -> Result<Self, Failure> {
        serde_json::from_str(payload).map_err(Failure::broken)
    }
}

/// The name under which a code is kept. In the hands of another client it names nothing: it is neither spent nor seen again.
pub fn ticket(client_id: &str, code: &str) -> String {
    format!("{client_id}\0{code}")
}

/// 256 random bits that fit into a URL.
pub fn random_secret() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    primitive::fill_random(&mut bytes).map_err(Failure::broken)?;
    Ok(base64url::encode(&bytes))
}
