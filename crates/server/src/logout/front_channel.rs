//! Front-channel logout: frames in the page that says "you are signed out", in which clients forget their sessions.
//!
//! Spec: OpenID Connect Front-Channel Logout 1.0 §2, §3

use std::collections::BTreeMap;

use carnet_oauth::plain_uri;
use serde::Serialize;

use crate::app::App;
use crate::http::failure::Failure;

/// The address of a client, to be loaded in the browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Frame {
    /// With `iss` and `sid` (§2).
    pub(super) src: String,
    /// Where it is, as a policy names it.
    pub(super) origin: String,
}

/// Whom the end of these sessions concerns, as far as they want to be told so. To be asked before the sessions end.
pub(super) async fn frames(app: &App, sids: &[&str]) -> Result<Vec<Frame>, Failure> {
    let mut frames = Vec::new();
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for sid in sids {
        for concerned in app.store.clients_concerned(sid, MOST_SESSIONS).await? {
            let Some(client) = app.client(&concerned.client_id).await? else {
                continue;
            };
            let Some(uri) = &client.frontchannel_logout_uri else {
                continue;
            };
            let Some(frame) = frame(uri, app.config.issuer.as_str(), &concerned.sid) else {
                continue;
            };
            let of_this = told.entry(concerned.client_id).or_default();
            if *of_this < MOST_OF_A_CLIENT && frames.len() < MOST_FRAMES && !frames.contains(&frame) {
                *of_this += 1;
                frames.push(frame);
            }
        }
    }
    Ok(frames)
}

fn frame(uri: &str, issuer: &str, sid: &str) -> Option<Frame> {
    // Its origin becomes part of a policy. Who registered otherwise did so before that was refused.
    let mut src = plain_uri::read(uri)?;
    src.query_pairs_mut()
        .append_pair("iss", issuer)
        .append_pair("sid", sid);
    Some(Frame {
        origin: src.origin().ascii_serialization(),
        src: src.into(),
    })
}

/// A client that has asked for a code a hundred times in one login is told of its newest sessions.
const MOST_OF_A_CLIENT: usize = 5;
const MOST_FRAMES: usize = 30;
const MOST_SESSIONS: i64 = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_host_ends_the_policy_of_the_page() {
        for uri in ["https://0;x/out", "https://0;sandbox/out", "https://0,x/out"] {
            assert!(frame(uri, "https://auth.test", "s").is_none(), "{uri}");
        }
    }

    #[test]
    fn a_frame_keeps_the_query_that_is_registered() {
        let frame = frame("https://web.example.com:8443/out?a=1", "https://auth.test", "s&d").unwrap();
        assert_eq!(
            frame.src,
            "https://web.example.com:8443/out?a=1&iss=https%3A%2F%2Fauth.test&sid=s%26d"
        );
        assert_eq!(frame.origin, "https://web.example.com:8443");
    }
}
