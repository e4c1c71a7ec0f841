//! WebSockets: a handshake that goes through, and two streams that are joined for as long as the caller's token lasts.
//!
//! Spec: RFC 6455 §4.1, §4.2, §5.2, §7.4.2 (close codes), §10.2 (Origin) · RFC 9110 §7.8 (Upgrade)

use std::io;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Duration, Instant, sleep_until};

use crate::refusal::Refusal;
use crate::target::Target;

/// What a route says of WebSockets.
#[derive(Clone, Debug)]
pub struct Sockets {
    /// Pages of other origins that may open one.
    pub origins: Vec<String>,
}

/// The client's side of a handshake.
pub(crate) struct Asked(OnUpgrade);

/// The handshake of a request, when it is one.
///
/// # Errors
/// 400 for a handshake with a mistake, 403 for one that a page of another origin begins.
pub(crate) fn asked(
    parts: &mut Parts,
    sockets: Option<&Sockets>,
    (target, https): (&Target, bool),
) -> Result<Option<Asked>, Refusal> {
    let named = parts.headers.get(header::UPGRADE).map(HeaderValue::as_bytes);
    let websocket = named.is_some_and(|name| name.eq_ignore_ascii_case(b"websocket"));
    // RFC 9110 §7.8: other protocols are not taken up; the request is answered as if it had not asked.
    let (Some(sockets), true) = (sockets, websocket && parts.version == Version::HTTP_11) else {
        return Ok(None);
    };
    let says = |name| {
        parts
            .headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
    };
    let upgrades = says(header::CONNECTION)
        .flat_map(|value| value.split(','))
        .any(|word| word.trim().eq_ignore_ascii_case("upgrade"));
    let version = says(header::SEC_WEBSOCKET_VERSION).eq(["13"]);
    let key = says(header::SEC_WEBSOCKET_KEY).count() == 1;
    if parts.method != Method::GET || !upgrades || !version || !key {
        return Err(HANDSHAKE);
    }
    // §10.2: a browser always says whose page it is; its cookies come along whoever that is.
    let scheme = if https { "https" } else { "http" };
    let own = format!("{scheme}://{}", target.authority());
    let mut origins = says(header::ORIGIN);
    if !origins.all(|origin| origin == own || sockets.origins.iter().any(|listed| listed == origin)) {
        return Err(ORIGIN);
    }
    Ok(parts.extensions.remove::<OnUpgrade>().map(Asked))
}

/// Asks the service for what the client has asked for.
pub(crate) fn ask(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
}

/// Whether the service grants it.
pub(crate) fn is_granted<B>(response: &http::Response<B>) -> bool {
    let granted = response.headers().get(header::UPGRADE).map(HeaderValue::as_bytes);
    response.status() == StatusCode::SWITCHING_PROTOCOLS
        && granted.is_some_and(|name| name.eq_ignore_ascii_case(b"websocket"))
}

/// Joins both sides, once each has switched. `hold` is dropped at the end.
pub(crate) fn join(client: Asked, service: OnUpgrade, until: Option<Instant>, hold: impl Send + 'static) {
    tokio::spawn(async move {
        let _hold = hold;
        let (Ok(client), Ok(service)) = tokio::join!(client.0, service) else {
            return;
        };
        let (client_reads, client_writes) = tokio::io::split(TokioIo::new(client));
        let (service_reads, service_writes) = tokio::io::split(TokioIo::new(service));
        let up = pump(client_reads, service_writes);
        let down = deliver(service_reads, client_writes, until);
        // An error, or the end of the token, ends both; the end of one side lets the other finish.
        let _ = tokio::try_join!(up, down);
    });
}

async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..count]).await?;
        to.flush().await?;
    }
}

/// As [`pump`], until the token ends. Then the client is told so, between two frames.
async fn deliver(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    until: Option<Instant>,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    let mut frames = Frames::default();
    let mut ends = until;
    loop {
        let over = async {
            match ends {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let count = tokio::select! {
            biased;
            () = over => None,
            count = from.read(&mut buffer) => Some(count?),
        };
        match count {
            Some(0) => return to.shutdown().await,
            Some(count) => {
                to.write_all(&buffer[..count]).await?;
                to.flush().await?;
                frames.follow(&buffer[..count]);
            }
            None if frames.between() || ends != until => {
                let _ = to.write_all(EXPIRED).await;
                let _ = to.shutdown().await;
                return Err(io::ErrorKind::TimedOut.into());
            }
            // The rest of a frame may take a second.
            None => ends = ends.map(|at| at + Duration::from_secs(1)),
        }
    }
}

/// Where in the frames of a server (§5.2, unmasked) the next byte lies.
#[derive(Debug, Default)]
struct Frames {
    head: Vec<u8>,
    left: u64,
}

impl Frames {
    fn between(&self) -> bool {
        self.head.is_empty() && self.left == 0
    }

    fn follow(&mut self, mut bytes: &[u8]) {
        while let Some(byte) = bytes.first() {
            if self.left > 0 {
                let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                self.left -= count as u64;
                bytes = &bytes[count..];
                continue;
            }
            self.head.push(*byte);
            bytes = &bytes[1..];
            let length = match self.head.as_slice() {
                [_, short] if short & 0x7f < 126 => Some(u64::from(short & 0x7f)),
                [_, kind, high, low] if kind & 0x7f == 126 => {
                    Some(u64::from(u16::from_be_bytes([*high, *low])))
                }
                [_, _, rest @ ..] if rest.len() == 8 => {
                    Some(rest.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)))
                }
                _ => None,
            };
            if let Some(length) = length {
                self.left = length;
                self.head.clear();
            }
        }
    }
}

const BUFFER: usize = 8 * 1024;
/// A close frame: 4401, "token expired".
const EXPIRED: &[u8] = b"\x88\x0f\x11\x31token expired";

const HANDSHAKE: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "websocket_invalid",
    "a WebSocket begins with GET, Connection: upgrade, Sec-WebSocket-Version: 13 and one Sec-WebSocket-Key",
);
const ORIGIN: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "origin_refused",
    "pages of this origin may not open a WebSocket here",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_followed_however_they_are_cut() {
        let mut stream = vec![0x81, 3, b'a', b'b', b'c', 0x82, 126, 1, 0];
        stream.extend([7; 256]);
        stream.extend([0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        stream.extend(vec![7; 65_536]);
        stream.extend([0x89, 0]);
        for piece in [1, 2, 5, 100, stream.len()] {
            let mut frames = Frames::default();
            let mut boundaries = 0;
            for bytes in stream.chunks(piece) {
                frames.follow(bytes);
                boundaries += usize::from(frames.between());
            }
            assert!(
                frames.between() && (piece > 1 || boundaries == 4),
                "{piece}: {boundaries}"
            );
            frames.follow(&[0x81]);
            assert!(!frames.between());
        }
    }
}
