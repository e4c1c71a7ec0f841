//! The bundle that was signed last, until something changes.
//!
//! Spec: RFC 9110 §8.8.3 (ETag) · RFC 8725 §3.11 (explicit typing)

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use carnet_jose::{Error, MAX_TOKEN_BYTES, Signer, base64url, primitive};
use carnet_oauth::service_token::{BundledService, ServiceBundle};

/// Keeps one bundle, signed.
#[derive(Default)]
pub struct LastBundle(ArcSwapOption<SignedBundle>);

/// A bundle as it is sent: its parts, each a JWT, a line each.
pub struct SignedBundle {
    sequence: i64,
    kid: Option<String>,
    /// From when to when it is sent.
    sent: std::ops::Range<u64>,
    /// The text.
    pub body: Bytes,
    /// Changes with it.
    pub etag: String,
}

impl LastBundle {
    /// The one that was signed with this number and key, and not too long ago.
    pub fn still_good(&self, (sequence, signer): (i64, &Signer), now: u64) -> Option<Arc<SignedBundle>> {
        let last = self.0.load_full()?;
        let same = last.sequence == sequence && last.kid.as_deref() == signer.key_id();
        // From before the clock was set back: nobody knows how old it is.
        (same && last.sent.contains(&now)).then_some(last)
    }

    /// Signs another. `bundle` names no services yet.
    pub fn sign(
        &self,
        bundle: ServiceBundle,
        services: Vec<BundledService>,
        signer: &Signer,
    ) -> Result<Arc<SignedBundle>, Error> {
        let mut parts = divided(services);
        let whole = parts.len();
        let mut body = String::new();
        for (index, services) in parts.drain(..).enumerate() {
            if index > 0 {
                body.push('\n');
            }
            let part = ServiceBundle {
                part: index + 1,
                parts: whole,
                services,
                ..bundle.clone()
            };
            signer.sign_into(&part, &mut body)?;
        }
        let half = bundle.exp.saturating_sub(bundle.iat) / 2;
        let signed = Arc::new(SignedBundle {
            sequence: bundle.sequence,
            kid: signer.key_id().map(str::to_owned),
            // What is sent late would not last.
            sent: bundle.iat..bundle.iat.saturating_add(half),
            etag: format!("\"{}\"", base64url::encode(&primitive::sha256(body.as_bytes()))),
            body: body.into(),
        });
        self.0.store(Some(signed.clone()));
        Ok(signed)
    }
}

/// So many that each token stays below what verifiers read; one, even when there is no service at all.
fn divided(services: Vec<BundledService>) -> Vec<Vec<BundledService>> {
    let mut parts = vec![Vec::new()];
    let mut used = 0;
    for service in services {
        let size = serde_json::to_vec(&service).map_or(0, |json| json.len() + 1);
        if used + size > ROOM && used > 0 {
            parts.push(Vec::new());
            used = 0;
        }
        used += size;
        if let Some(part) = parts.last_mut() {
            part.push(service);
        }
    }
    parts
}

/// Of the JSON of one token: base64url makes four characters of three bytes, and header, signature and the other claims want room too.
const ROOM: usize = MAX_TOKEN_BYTES / 4 * 3 - 2_048;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn many_services_come_in_parts_and_none_in_one() {
        let service = |number: usize| BundledService {
            iss: format!("https://auth.example.com/services/{number}"),
            name: number.to_string(),
            keys: vec![json!({ "kty": "EC", "x": "x".repeat(400) })],
            calls: Vec::new(),
        };
        assert_eq!(divided(Vec::new()).len(), 1);
        let parts = divided((0..100).map(service).collect());
        assert!(parts.len() > 1);
        assert_eq!(parts.iter().map(Vec::len).sum::<usize>(), 100);
        assert!(
            parts
                .iter()
                .all(|part| serde_json::to_vec(part).unwrap().len() <= ROOM + 2)
        );
    }
}
