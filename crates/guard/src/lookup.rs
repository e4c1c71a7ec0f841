//! Whether a token was taken back: looked up in memory at every request, tokens that are remembered included.
//!
//! Spec: RFC 7009 §2.1 · RFC 6750 §3.1 (a revoked token is an invalid one)

use carnet_client::revocations::{Status, Verdict};
use carnet_jose::Verified;
use carnet_oauth::revocation::RevocableToken;
use serde_json::Value;

use crate::auth::Token;
use crate::challenge::{Denial, Refused};
use crate::resource_server::{Guard, Trusted};

impl Trusted {
    /// Whether the token was taken back, as far as the feed says.
    pub(crate) fn look_up(&self, verified: &Verified<'_, Token>) -> Result<(), Denial> {
        let Some(revocations) = &self.revocations else {
            return Ok(());
        };
        let claims = &verified.claims.all;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let token = RevocableToken {
            jti: text("jti"),
            sid: text("sid"),
            fam: text("fam"),
            sub: text("sub"),
            client_id: text("client_id"),
            kid: verified.key_id.as_deref(),
            iat: verified.registered.iat,
        };
        match revocations.check(&token) {
            Verdict::Good => Ok(()),
            Verdict::Revoked => Err(Refused::TokenInvalid.because("token_revoked")),
            // Nobody can tell: without an answer there is no yes.
            Verdict::Unavailable => Err(Refused::Unavailable.because("revocations_unavailable")),
        }
    }
}

impl Guard {
    /// How the feed of each issuer that has one is doing, for metrics.
    pub fn revocations(&self) -> impl Iterator<Item = (&str, Status)> {
        self.parts.trusted.iter().filter_map(|trusted| {
            let revocations = trusted.revocations.as_ref()?;
            Some((trusted.name.as_str(), revocations.status()))
        })
    }
}
