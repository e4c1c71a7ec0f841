//! A stream from which only bytes with one reading come.

use std::io;
use std::mem::MaybeUninit;
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

impl<S: AsyncRead + Unpin> Strict<S> {
    /// Waits until something may be read, and says whether it is HTTP/2; `None` when nothing comes any more. What was heard is read again.
    pub(super) fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<Option<bool>> {
        let mut array = [MaybeUninit::uninit(); FIRST_BYTES];
        let mut heard = ReadBuf::uninit(&mut array);
        let read = ready!(Pin::new(&mut *self).poll_read(cx, &mut heard));
        if read.is_err() || heard.filled().is_empty() {
            return Poll::Ready(None);
        }
        self.ready.splice(..0, heard.filled().iter().copied());
        Poll::Ready(Some(self.framing.is_http2()))
    }

    /// Whether the peer has not sent all of a body.
    pub(super) fn is_in_body(&self) -> bool {
        self.framing.is_in_body()
    }

    /// Takes what comes, for nobody; ready with whether something came.
    pub(super) fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut array = [MaybeUninit::uninit(); FIRST_BYTES];
        let mut heard = ReadBuf::uninit(&mut array);
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut heard));
        Poll::Ready(read.is_ok() && !heard.filled().is_empty())
    }

    /// Whether everything that was let through was read.
    pub(super) fn is_drained(&self) -> bool {
        self.ready.is_empty()
    }

    fn let_through(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if !self.ready.is_empty() {
                let count = self.ready.len().min(buffer.remaining());
                buffer.put_slice(&self.ready[..count]);
                self.ready.drain(..count);
                if self.ready.is_empty() {
                    // Of the many that wait each would keep it.
                    self.ready = Vec::new();
                }
                return Poll::Ready(Ok(()));
            }
            if self.framing.is_broken() {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            let before = buffer.filled().len();
            ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
            // Granted before this was read, so that it is the other protocol's.
            if self.stream.pulse.has_switched() && !self.framing.is_other() {
                self.framing.switch();
            }
            let arrived = &buffer.filled()[before..];
            if arrived.is_empty() {
                self.framing.end(&mut self.ready);
                if self.ready.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                continue;
            }
            if arrived.len() as u64 <= self.framing.unseen() {
                self.framing.passed(arrived.len() as u64);
                return Poll::Ready(Ok(()));
            }
            if self.framing.is_one_head(arrived) {
                return Poll::Ready(Ok(()));
            }
            self.framing.take(arrived, &mut self.ready);
            if self.ready == arrived {
                self.ready.clear();
                return Poll::Ready(Ok(()));
            }
            buffer.set_filled(before);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Strict<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.let_through(cx, buffer);
        self.stream.pulse.note_body(self.framing.is_in_body());
        read
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

/// Enough for most heads.
const FIRST_BYTES: usize = 4 * 1024;
