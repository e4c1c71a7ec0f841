//! Two streams that are joined for as long as the caller's token lasts and counts.
//!
//! Spec: RFC 6455 §5.2 (frames), §7.4.1, §7.4.2 (close codes)

use std::io;
use std::pin::pin;

use carnet_listen::Closing;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::oneshot;
use tokio::time::{Duration, Instant, sleep_until, timeout};

use crate::watch::{Over, Watch};

/// What ends a WebSocket that neither side ends.
pub(crate) struct Ends {
    /// The caller's token has expired.
    pub(crate) until: Option<Instant>,
    /// It was taken back, or its session has ended.
    pub(crate) watch: Option<Watch>,
    /// How long either side may refuse to take what the other has said.
    pub(crate) idle: Duration,
}

impl Ends {
    /// The close frame that the client is told so with.
    async fn reached(self) -> &'static [u8] {
        let expired = async {
            match self.until {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let over = async {
            match self.watch {
                Some(watch) => watch.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            over = over => match over {
                Over::Unknown => AGAIN_LATER,
                Over::TakenBack => TAKEN_BACK,
                Over::SessionEnded => SESSION_ENDED,
            },
            () = expired => EXPIRED,
        }
    }
}

/// Joins both sides, once each has switched. `hold` is dropped at the end.
pub(super) fn join(
    (client, service): (OnUpgrade, OnUpgrade),
    (ends, closing): (Ends, Option<Closing>),
    hold: impl Send + 'static,
) {
    tokio::spawn(async move {
        let _hold = hold;
        let (Ok(client), Ok(service)) = tokio::join!(client, service) else {
            return;
        };
        let (client_reads, client_writes) = tokio::io::split(TokioIo::new(client));
        let (service_reads, service_writes) = tokio::io::split(TokioIo::new(service));
        let (tell, told) = oneshot::channel();
        let up = pump(client_reads, service_writes, ends.idle);
        let down = deliver(service_reads, (client_writes, ends.idle), told);
        let closing = async {
            match closing {
                Some(closing) => closing.reached().await,
                None => std::future::pending().await,
            }
        };
        // An error, or the end of the token, ends both; the end of one side lets the other finish.
        let mut both = pin!(async { tokio::try_join!(up, down) });
        let frame = tokio::select! {
            _ = &mut both => return,
            frame = ends.reached() => frame,
            () = closing => GOING_AWAY,
        };
        let _ = tell.send(frame);
        // A client that takes nothing is not waited for, nor one that goes on sending.
        let _ = timeout(LAST_WORDS, both).await;
    });
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    idle: Duration,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        pass(&buffer[..count], &mut to, idle).await?;
    }
}

/// Waits no longer than so for who takes nothing of it.
async fn pass(mut bytes: &[u8], to: &mut (impl AsyncWrite + Unpin), idle: Duration) -> io::Result<()> {
    while !bytes.is_empty() {
        let taken = timeout(idle, to.write(bytes)).await??;
        if taken == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[taken..];
    }
    timeout(idle, to.flush()).await?
}

/// As [`pump`], until it is told to end. Then the client is told so as well, between two frames.
async fn deliver(
    mut from: impl AsyncRead + Unpin,
    (mut to, idle): (impl AsyncWrite + Unpin, Duration),
    mut told: oneshot::Receiver<&'static [u8]>,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    let mut frames = Frames::default();
    let mut last = None;
    loop {
        if let Some(frame) = last.filter(|_| frames.between()) {
            let _ = to.write_all(frame).await;
            let _ = to.shutdown().await;
            return Err(io::ErrorKind::TimedOut.into());
        }
        let count = tokio::select! {
            biased;
            frame = &mut told, if last.is_none() => {
                last = frame.ok();
                continue;
            }
            count = from.read(&mut buffer) => count?,
        };
        if count == 0 {
            return to.shutdown().await;
        }
        pass(&buffer[..count], &mut to, idle).await?;
        frames.follow(&buffer[..count]);
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
/// The same code, "token revoked".
const TAKEN_BACK: &[u8] = b"\x88\x0f\x11\x31token revoked";
/// The same code, "session ended".
const SESSION_ENDED: &[u8] = b"\x88\x0f\x11\x31session ended";
/// §7.4.1 and its registry: 1013, "try again later": nobody can tell whether the token is good.
const AGAIN_LATER: &[u8] = b"\x88\x11\x03\xf5try again later";
/// §7.4.1: 1001, "going away": the gateway stops, and another one may be there when the client comes again.
const GOING_AWAY: &[u8] = b"\x88\x0c\x03\xe9going away";
/// How long the rest of a frame and the goodbye may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

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
