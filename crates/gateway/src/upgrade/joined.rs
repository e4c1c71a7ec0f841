//! Two streams that are joined for as long as the caller's token lasts.
//!
//! Spec: RFC 6455 §5.2 (frames), §7.4.2 (close codes)

use std::io;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Duration, Instant, sleep_until};

/// Joins both sides, once each has switched. `hold` is dropped at the end.
pub(super) fn join(
    (client, service): (OnUpgrade, OnUpgrade),
    until: Option<Instant>,
    hold: impl Send + 'static,
) {
    tokio::spawn(async move {
        let _hold = hold;
        let (Ok(client), Ok(service)) = tokio::join!(client, service) else {
            return;
        };
        let (client_reads, client_writes) = tokio::io::split(TokioIo::new(client));
        let (service_reads, service_writes) = tokio::io::split(TokioIo::new(service));
        let up = pump(client_reads, service_writes);
        let down = deliver(service_reads, client_writes, until);
        tokio::select! {
            // An error, or the end of the token, ends both; the end of one side lets the other finish.
            _ = async { tokio::try_join!(up, down) } => {}
            // A client that takes nothing cannot be told that its token has ended, and yet may not go on.
            () = reached(until.map(|until| until + FAREWELL)) => {}
        }
    });
}

async fn reached(moment: Option<Instant>) {
    match moment {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
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
        let count = tokio::select! {
            biased;
            () = reached(ends) => None,
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
/// How long it may take to tell a client that its token has ended.
const FAREWELL: Duration = Duration::from_secs(3);
/// A close frame: 4401, "token expired".
const EXPIRED: &[u8] = b"\x88\x0f\x11\x31token expired";

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
