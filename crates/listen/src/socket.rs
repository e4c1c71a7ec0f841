//! Where connections come in: an address and port, or a name in the file system.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::peer::PeerAddr;
use crate::unix_socket::{self, SocketFile};
use crate::value::Address;

/// A socket that listens.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpListener),
    Unix {
        /// Goes first: while the socket is open, nobody takes its name for that of a dead process.
        _file: SocketFile,
        listener: UnixListener,
    },
}

/// A connection.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Where it listens now: with the port that was chosen when 0 was asked for.
    pub(super) async fn bind(address: &Address) -> io::Result<(Self, Address)> {
        match address {
            Address::Tcp(address) => {
                let listener = TcpListener::bind(address).await?;
                keep_alive(&listener)?;
                let local = listener.local_addr()?;
                Ok((Self::Tcp(listener), Address::Tcp(local)))
            }
            Address::Unix(path) => {
                let (_file, listener) = unix_socket::bind(path).await?;
                Ok((Self::Unix { _file, listener }, address.clone()))
            }
        }
    }

    pub(super) async fn accept(&self) -> io::Result<(Stream, PeerAddr)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Small answers must not wait for the peer's acknowledgement of the one before.
                let _ = stream.set_nodelay(true);
                Ok((Stream::Tcp(stream), PeerAddr::of(peer)))
            }
            Self::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                Ok((Stream::Unix(stream), PeerAddr::Unix))
            }
        }
    }
}

macro_rules! either {
    ($stream:expr, $inner:ident => $done:expr) => {
        match $stream {
            Stream::Tcp($inner) => $done,
            Stream::Unix($inner) => $done,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self.get_mut(), inner => Pin::new(inner).poll_read(context, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), inner => Pin::new(inner).poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), inner => Pin::new(inner).poll_write_vectored(context, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        either!(self, inner => inner.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), inner => Pin::new(inner).poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), inner => Pin::new(inner).poll_shutdown(context))
    }
}

/// A peer that is gone without a word is found out, also where nothing but a protocol of its own is spoken: every connection that is accepted takes
/// this over from the socket that accepts it.
fn keep_alive(socket: &TcpListener) -> io::Result<()> {
    let keep = TcpKeepalive::new()
        .with_time(SILENCE)
        .with_interval(ASK_AGAIN)
        .with_retries(ASK_TIMES);
    SockRef::from(socket).set_tcp_keepalive(&keep)
}

/// After so long without a byte a peer is asked whether it is there, again after this, and so often.
const SILENCE: Duration = Duration::from_secs(60);
const ASK_AGAIN: Duration = Duration::from_secs(15);
const ASK_TIMES: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_is_accepted_is_asked_now_and_then_whether_they_are_there() {
        let (socket, local) = Socket::bind(&Address::Tcp(([127, 0, 0, 1], 0).into()))
            .await
            .unwrap();
        let _peer = TcpStream::connect(local.to_string()).await.unwrap();
        let (Stream::Tcp(accepted), _) = socket.accept().await.unwrap() else {
            panic!("it came over TCP");
        };
        let accepted = SockRef::from(&accepted);
        assert!(accepted.keepalive().unwrap());
        assert_eq!(accepted.tcp_keepalive_time().unwrap(), SILENCE);
    }
}
