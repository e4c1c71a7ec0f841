//! A stream from which only bytes with one reading come.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::Framing;
use super::pulse::Watched;

/// What a client sends, as far as [`Framing`] lets it through.
pub(super) struct Strict<S> {
    stream: Watched<S>,
    framing: Framing,
    /// What was let through and is not read yet.
    ready: Vec<u8>,
}

impl<S> Strict<S> {
    /// With at most so many bytes in a head.
    pub(super) fn new(stream: Watched<S>, head_bytes: usize) -> Self {
        Self {
            stream,
            framing: Framing::new(head_bytes),
            ready: Vec::new(),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Strict<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if !this.ready.is_empty() {
                let count = this.ready.len().min(buffer.remaining());
                buffer.put_slice(&this.ready[..count]);
                this.ready.drain(..count);
                return Poll::Ready(Ok(()));
            }
            if this.framing.is_broken() {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            let before = buffer.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
            // Granted before this was read, so that it is the other protocol's.
            if this.stream.pulse.has_switched() && !this.framing.is_other() {
                this.framing.switch();
            }
            let arrived = &buffer.filled()[before..];
            if arrived.is_empty() {
                this.framing.end(&mut this.ready);
                if this.ready.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                continue;
            }
            if arrived.len() as u64 <= this.framing.unseen() {
                this.framing.passed(arrived.len() as u64);
                return Poll::Ready(Ok(()));
            }
            if this.framing.is_one_head(arrived) {
                return Poll::Ready(Ok(()));
            }
            this.framing.take(arrived, &mut this.ready);
            if this.ready == arrived {
                this.ready.clear();
                return Poll::Ready(Ok(()));
            }
            buffer.set_filled(before);
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Strict<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
