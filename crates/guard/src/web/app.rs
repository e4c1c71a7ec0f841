//! A server-rendered app that runs: what its layer and its routes share.

use std::sync::Arc;

use carnet_client::clock::Clock;
use carnet_client::login_check::LoginCheck;
use carnet_client::provider::Provider;
use carnet_client::renewal::Renewals;
use carnet_client::seal::Keys;
use http::{HeaderValue, Request, header};

use super::ended::Ended;
use super::pending::Pending;
use super::settings::Settings;
use crate::auth::Auth;
use crate::challenge::Refused;
use crate::resource_server::Guard;

/// A server-rendered app that is ready to run. Cheap to clone.
#[derive(Clone)]
pub struct Web {
    pub(super) parts: Arc<Parts>,
}

pub(super) struct Parts {
    pub(super) guard: Guard,
    pub(super) provider: Arc<Provider>,
    pub(super) renewals: Renewals,
    pub(super) login: LoginCheck,
    pub(super) ended: Ended,
    pub(super) pending: Pending,
    pub(super) keys: Keys,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) settings: Settings,
}

impl Web {
    /// Seconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.parts.clock.since_epoch().as_secs()
    }

    /// Where the issuer sends browsers back to.
    pub(super) fn redirect_uri(&self) -> String {
        let settings = &self.parts.settings;
        format!("{}{}/callback", settings.origin, settings.routes_at)
    }

    /// The path of the login.
    pub(super) fn login_path(&self) -> String {
        format!("{}/login", self.parts.settings.routes_at)
    }

    /// The caller whose access token this is: checked like every token that comes to a guard.
    pub(super) async fn caller(&self, access_token: &str) -> Result<Auth, Refused> {
        let mut value =
            HeaderValue::from_str(&format!("Bearer {access_token}")).map_err(|_| Refused::TokenInvalid)?;
        value.set_sensitive(true);
        let (mut request, ()) = Request::new(()).into_parts();
        request.headers.insert(header::AUTHORIZATION, value);
        self.parts.guard.check(&request).await
    }
}

impl std::fmt::Debug for Web {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Web")
            .field("origin", &self.parts.settings.origin)
            .finish_non_exhaustive()
    }
}
