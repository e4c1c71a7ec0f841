//! Where one message ends and the next begins, decided before anything else reads it: what two programs could read in two ways is no message.
//!
//! The parser behind this one is lenient where the specification lets it be: of `Content-Length` beside `Transfer-Encoding` it believes the
//! second and says nothing. Whoever sits behind a proxy, or is one, must refuse instead.
//!
//! Spec: RFC 9112 §2.2, §3.2, §5.1, §5.2 (obs-fold), §6.1, §6.3, §7.1, §11.2 (request smuggling) · RFC 9113 §3.4 (preface)

mod head;

use head::{After, judge};
use memchr::memchr;

/// Follows the bytes of a connection that a client sends, HTTP/1.1 or HTTP/2.
#[derive(Debug)]
pub(super) struct Framing {
    state: State,
    /// A head that has begun: nobody reads it before it is complete.
    held: Vec<u8>,
    /// The most bytes of a head, and of a trailer section.
    limit: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The first bytes: HTTP/2 begins in a way of its own.
    First,
    Head,
    /// A head that asks for another protocol went through: either it was granted, or another head comes.
    Asked,
    Sized(u64),
    Chunk(Chunk),
    /// HTTP/2 from the first byte on.
    Http2,
    /// Another protocol.
    Other,
    /// A head was refused, or is too long: no further byte counts.
    Refused,
    /// A body is not what it should be.
    Broken,
}

/// Where in a chunked body the next byte lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chunk {
    Size { digits: u8, size: u64 },
    Extension { size: u64, bytes: u16 },
    SizeEnd { size: u64 },
    Data(u64),
    DataCr,
    DataLf,
    Line { begun: bool, bytes: usize },
    LineEnd { bytes: usize },
    End,
}

impl Framing {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            state: State::First,
            held: Vec::new(),
            limit,
        }
    }

    /// How many of the next bytes pass without being looked at.
    pub(super) fn unseen(&self) -> u64 {
        match self.state {
            State::Http2 | State::Other => u64::MAX,
            State::Sized(left) | State::Chunk(Chunk::Data(left)) => left,
            _ => 0,
        }
    }

    /// As many have passed.
    pub(super) fn passed(&mut self, bytes: u64) {
        self.state = match self.state {
            State::Sized(left) if left <= bytes => State::Head,
            State::Sized(left) => State::Sized(left - bytes),
            State::Chunk(Chunk::Data(left)) if left <= bytes => State::Chunk(Chunk::DataCr),
            State::Chunk(Chunk::Data(left)) => State::Chunk(Chunk::Data(left - bytes)),
            other => other,
        };
    }

    /// Whether the body that is being read cannot be read on.
    pub(super) fn is_broken(&self) -> bool {
        self.state == State::Broken
    }

    /// Whether the next byte is one of a body.
    pub(super) fn is_in_body(&self) -> bool {
        matches!(self.state, State::Sized(_) | State::Chunk(_))
    }

    /// Whether another protocol is spoken.
    pub(super) fn is_other(&self) -> bool {
        matches!(self.state, State::Http2 | State::Other)
    }

    /// Whether HTTP/2 is spoken; what was let through began with its preface.
    pub(super) fn is_http2(&self) -> bool {
        self.state == State::Http2
    }

    /// Another protocol is spoken from here on. What came before that was known is no part of it.
    pub(super) fn switch(&mut self) {
        self.state = if self.held.is_empty() {
            State::Other
        } else {
            State::Broken
        };
    }

    /// Whether all that arrived is one whole head with one reading and without a body: the usual case. Then it has passed, without being copied.
    pub(super) fn is_one_head(&mut self, input: &[u8]) -> bool {
        let begins = match self.state {
            State::Head => true,
            State::First => !PREFACE.starts_with(&input[..input.len().min(1)]),
            _ => false,
        };
        let first_line = memchr(b'\n', input).unwrap_or(0);
        let plain = begins
            && self.held.is_empty()
            && input.len() < self.limit
            && input.ends_with(b"\r\n\r\n")
            && input[..first_line].ends_with(b"\r")
            && !matches!(input[0], b'\r' | b'\n');
        let alone = plain && matches!(judge(input), Some(After::Head | After::Sized(0)));
        if alone {
            self.state = State::Head;
        }
        alone
    }

    /// Looks at what arrived and adds to `out` what may be read. For a head that is refused that is something that no parser takes.
    pub(super) fn take(&mut self, mut input: &[u8], out: &mut Vec<u8>) {
        while let Some(byte) = input.first() {
            let unseen = usize::try_from(self.unseen())
                .unwrap_or(usize::MAX)
                .min(input.len());
            if unseen > 0 {
                out.extend_from_slice(&input[..unseen]);
                self.passed(unseen as u64);
                input = &input[unseen..];
                continue;
            }
            match self.state {
                State::Chunk(chunk) => {
                    self.state = self.after(chunk, *byte);
                    if self.state == State::Broken {
                        return;
                    }
                    out.push(*byte);
                    input = &input[1..];
                }
                State::Refused | State::Broken => return,
                _ => input = self.head(input, out),
            }
        }
    }

    /// The peer sends no more: whoever reads may see how far it came.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.held);
    }

    /// Collects a head; returns what lies behind it.
    fn head<'i>(&mut self, input: &'i [u8], out: &mut Vec<u8>) -> &'i [u8] {
        let known = self.held.len();
        self.held.extend_from_slice(input);
        if self.state == State::First {
            let seen = self.held.len().min(PREFACE.len());
            if self.held[..seen] == PREFACE[..seen] {
                if seen == PREFACE.len() {
                    self.state = State::Http2;
                    out.append(&mut self.held);
                }
                return &[];
            }
            self.state = State::Head;
        }
        // §2.2: an empty line before a request is ignored.
        let empty = self
            .held
            .iter()
            .take_while(|byte| matches!(byte, b'\r' | b'\n'))
            .count();
        let from = known.max(1).saturating_sub(3).max(empty);
        for at in from..self.held.len() {
            if self.held[at] == b'\n' && self.held[at - 1] != b'\r' {
                return self.refuse(out);
            }
            if self.held[at] == b'\n' && self.held[..at].ends_with(b"\r\n\r") {
                let rest = self.held.len() - (at + 1);
                self.held.truncate(at + 1);
                let Some(after) = judge(&self.held[empty..]) else {
                    return self.refuse(out);
                };
                out.append(&mut self.held);
                self.state = match after {
                    After::Head | After::Sized(0) => State::Head,
                    After::Sized(bytes) => State::Sized(bytes),
                    After::Chunks => State::Chunk(SIZE),
                    After::Switch => State::Asked,
                };
                return &input[input.len() - rest..];
            }
        }
        if self.held.len() >= self.limit {
            // The parser behind knows how to say so.
            self.state = State::Refused;
            out.append(&mut self.held);
        }
        &[]
    }

    fn refuse(&mut self, out: &mut Vec<u8>) -> &'static [u8] {
        self.held.clear();
        self.state = State::Refused;
        out.extend_from_slice(NO_REQUEST);
        &[]
    }

    /// §7.1: `chunk-size [ chunk-ext ] CRLF chunk-data CRLF`, then the trailer section.
    fn after(&self, chunk: Chunk, byte: u8) -> State {
        let next = match (chunk, byte) {
            (Chunk::Size { digits, size }, byte) if byte.is_ascii_hexdigit() && digits < MOST_DIGITS => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                Chunk::Size {
                    digits: digits + 1,
                    size: size << 4 | u64::from(digit),
                }
            }
            (Chunk::Size { digits: 1.., size }, b'\r') | (Chunk::Extension { size, .. }, b'\r') => {
                Chunk::SizeEnd { size }
            }
            (Chunk::Size { digits: 1.., size }, b';') => Chunk::Extension { size, bytes: 0 },
            (Chunk::Extension { size, bytes }, b'\t' | b' '..=b'~') if bytes < MOST_EXTENSION => {
                Chunk::Extension {
                    size,
                    bytes: bytes + 1,
                }
            }
            (Chunk::SizeEnd { size: 0 }, b'\n') => Chunk::Line {
                begun: false,
                bytes: 0,
            },
            (Chunk::SizeEnd { size }, b'\n') => Chunk::Data(size),
            (Chunk::DataCr, b'\r') => Chunk::DataLf,
            (Chunk::DataLf, b'\n') => SIZE,
            (Chunk::Line { begun: false, .. }, b'\r') => Chunk::End,
            (Chunk::Line { begun: false, .. }, b' ' | b'\t') => return State::Broken,
            (Chunk::Line { begun: true, bytes }, b'\r') => Chunk::LineEnd { bytes },
            (Chunk::Line { bytes, .. }, b'\t' | b' '..=b'~' | 0x80..) if bytes < self.limit => Chunk::Line {
                begun: true,
                bytes: bytes + 1,
            },
            (Chunk::LineEnd { bytes }, b'\n') => Chunk::Line { begun: false, bytes },
            (Chunk::End, b'\n') => return State::Head,
            _ => return State::Broken,
        };
        State::Chunk(next)
    }
}

const SIZE: Chunk = Chunk::Size { digits: 0, size: 0 };
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// No method begins like this.
const NO_REQUEST: &[u8] = b"\0\r\n\r\n";
/// 15 digits are a petabyte.
const MOST_DIGITS: u8 = 15;
const MOST_EXTENSION: u16 = 256;

#[cfg(test)]
mod tests;
