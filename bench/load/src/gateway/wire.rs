//! One keep-alive connection, as cheap as can be: requests are bytes made before, and of an answer just as much is read as is needed to check it.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::backend::BODY;
use crate::Outcome;

pub(super) struct Wire {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Wire {
    pub(super) async fn open(address: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            request: Vec::with_capacity(2048),
            answer: Vec::with_capacity(2048),
        })
    }

    /// What is asked from now on; without a token when that is empty.
    pub(super) fn prepare(&mut self, path: &str, token: &str) {
        self.request.clear();
        for part in ["GET ", path, HEAD] {
            self.request.extend_from_slice(part.as_bytes());
        }
        if !token.is_empty() {
            for part in ["Authorization: Bearer ", token, "\r\n"] {
                self.request.extend_from_slice(part.as_bytes());
            }
        }
        self.request.extend_from_slice(b"\r\n");
    }

    /// Asks; anything but 200 and what the service answers ends the run.
    pub(super) async fn ask(&mut self) -> Outcome<()> {
        match self.body().await? == BODY {
            true => Ok(()),
            false => Err(format!("another body: {}", String::from_utf8_lossy(&self.answer)).into()),
        }
    }

    /// Asks, and answers the body of a 200.
    pub(super) async fn body(&mut self) -> Outcome<&[u8]> {
        self.stream.write_all(&self.request).await?;
        self.answer.clear();
        loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err("the connection was closed".into());
            }
            if let Some((from, length)) = frame(&self.answer)?
                && self.answer.len() >= from + length
            {
                return Ok(&self.answer[from..]);
            }
        }
    }
}

/// Where the body of an answer begins, and its length, once its head is there.
fn frame(answer: &[u8]) -> Outcome<Option<(usize, usize)>> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&answer[..end])?;
    let is_length = |line: &&str| {
        line.as_bytes()
            .get(..15)
            .is_some_and(|name| name.eq_ignore_ascii_case(b"content-length:"))
    };
    let length = head
        .lines()
        .find(is_length)
        .and_then(|line| line[15..].trim().parse().ok());
    match length {
        Some(length) if head.starts_with("HTTP/1.1 200 ") => Ok(Some((end + 4, length))),
        _ => Err(format!("no good answer: {head}").into()),
    }
}

/// What a plain client sends.
const HEAD: &str =
    " HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: bench/1\r\nAccept: */*\r\nX-User-ID: mallory\r\n";
