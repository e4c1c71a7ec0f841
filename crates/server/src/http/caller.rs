//! Who calls, for audit rows and limits.

use axum::extract::FromRequestParts;
use http::header;
use http::request::Parts;

use crate::app::App;
use crate::audit::Caller;
use crate::http::address::client_address;
use crate::http::failure::Failure;
use crate::http::manners::CorrelationId;
use carnet_listen::PeerAddr;

const MAX_USER_AGENT: usize = 256;

impl FromRequestParts<App> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let peer = parts
            .extensions
            .get::<PeerAddr>()
            .ok_or_else(|| Failure::broken("the listener did not name the peer"))?;
        let user_agent = parts
            .headers
            .get(header::USER_AGENT)
            .map(|value| String::from_utf8_lossy(value.as_bytes()));
        Ok(Self {
            address: client_address(*peer, &parts.headers, &app.config.listen),
            user_agent: user_agent
                .unwrap_or_default()
                .chars()
                .filter(|c| !c.is_control())
                .take(MAX_USER_AGENT)
                .collect(),
            correlation: parts
                .extensions
                .get::<CorrelationId>()
                .map(|id| id.0.clone())
                .unwrap_or_default(),
        })
    }
}
