//! Paths of HTTP/2 with a fragment: none is a path, and none is taken for the part in front of it.
//!
//! The parser behind this cuts a fragment off and says nothing; rules would see another path than the one that was sent. So frames and header
//! blocks are followed, as they arrive and only as far as it takes to find `:path`, and every `#` in one becomes a `>`: as long in both ways of
//! writing it, and nothing that a parser takes. The request is malformed then, which resets its stream.
//!
//! Spec: RFC 9113 §4.1, §6.2, §6.10 (frames), §8.1.1 (malformed), §8.3.1 (:path) · RFC 7541 §5, §6, Appendix B

mod huffman;

use std::collections::VecDeque;

use self::huffman::Code;

/// Follows the bytes of a connection, from behind the preface on.
#[derive(Debug, Default)]
pub(super) struct Paths {
    frame: Frame,
    step: Step,
    /// The names that were put into the dynamic table, the newest first: whether each is `:path`. Which of them were thrown out is of no
    /// interest: nobody may point there.
    names: VecDeque<bool>,
}

/// Where in a frame the next byte lies.
#[derive(Clone, Copy, Debug)]
enum Frame {
    Head {
        seen: u8,
        length: u32,
        kind: u8,
        flags: u8,
    },
    /// Of a header block: what stands in front of it, byte by byte.
    Front {
        pad_length: bool,
        priority: u8,
        left: u32,
        padding: u32,
        last: bool,
    },
    Block {
        left: u32,
        padding: u32,
        last: bool,
    },
    Skip(u32),
}

const HEAD: Frame = Frame::Head {
    seen: 0,
    length: 0,
    kind: 0,
    flags: 0,
};

impl Default for Frame {
    fn default() -> Self {
        HEAD
    }
}

/// Where in a header block the next byte lies.
#[derive(Clone, Copy, Debug, Default)]
enum Step {
    #[default]
    Field,
    Number {
        value: usize,
        shift: u32,
        then: Then,
    },
    Length(Text),
    Text {
        left: usize,
        at: usize,
        huffman: bool,
        code: Code,
        text: Text,
    },
}

/// What a number was for.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// A field that is known, or a table of another size.
    Nothing,
    Name {
        kept: bool,
    },
    Length {
        huffman: bool,
        text: Text,
    },
}

/// Which string it is, and whether its field goes into the dynamic table.
#[derive(Clone, Copy, Debug)]
enum Text {
    /// So far it is `:path`.
    Name {
        kept: bool,
        path: bool,
    },
    Value {
        kept: bool,
        path: bool,
    },
}

impl Paths {
    /// Looks at what arrived, and takes fragments out of paths.
    pub(super) fn look(&mut self, bytes: &mut [u8]) {
        let mut rest = bytes;
        while let Some(first) = rest.first().copied() {
            let seen = match self.frame {
                Frame::Skip(left) => {
                    let seen = at_most(left, rest.len());
                    self.frame = skip(left - seen as u32);
                    seen
                }
                Frame::Block { left, padding, last } => {
                    let seen = at_most(left, rest.len());
                    for byte in &mut rest[..seen] {
                        self.field(byte);
                    }
                    self.block(left - seen as u32, padding, last);
                    seen
                }
                Frame::Head {
                    seen,
                    length,
                    kind,
                    flags,
                } => {
                    self.head(first, (seen, length), kind, flags);
                    1
                }
                Frame::Front { .. } => {
                    self.front(first);
                    1
                }
            };
            rest = &mut rest[seen..];
        }
    }

    fn head(&mut self, byte: u8, (seen, length): (u8, u32), kind: u8, flags: u8) {
        let (mut length, mut kind, mut flags) = (length, kind, flags);
        match seen {
            0..=2 => length = length << 8 | u32::from(byte),
            3 => kind = byte,
            4 => flags = byte,
            _ => {}
        }
        if seen < 8 {
            self.frame = Frame::Head {
                seen: seen + 1,
                length,
                kind,
                flags,
            };
            return;
        }
        let headers = kind == HEADERS;
        if !headers && kind != CONTINUATION {
            self.frame = skip(length);
            return;
        }
        if headers {
            self.step = Step::Field;
        }
        let (pad_length, priority) = (headers && flags & PADDED != 0, headers && flags & PRIORITY != 0);
        self.frame = Frame::Front {
            pad_length,
            priority: if priority { PRIORITY_BYTES } else { 0 },
            left: length,
            padding: 0,
            last: flags & END_HEADERS != 0,
        };
        if !pad_length && !priority {
            self.block(length, 0, flags & END_HEADERS != 0);
        }
    }

    fn front(&mut self, byte: u8) {
        let Frame::Front {
            pad_length,
            mut priority,
            left,
            mut padding,
            last,
        } = self.frame
        else {
            return;
        };
        // Of a frame that is shorter than its front nobody reads on.
        let left = left.saturating_sub(1);
        match pad_length {
            true => padding = u32::from(byte),
            false => priority -= 1,
        }
        match priority {
            0 => self.block(left.saturating_sub(padding), padding.min(left), last),
            priority => {
                self.frame = Frame::Front {
                    pad_length: false,
                    priority,
                    left,
                    padding,
                    last,
                }
            }
        }
    }

    /// So much of a header block is left in this frame.
    fn block(&mut self, left: u32, padding: u32, last: bool) {
        self.frame = match left {
            0 => {
                if last {
                    self.step = Step::Field;
                }
                skip(padding)
            }
            left => Frame::Block { left, padding, last },
        };
    }

    fn field(&mut self, byte: &mut u8) {
        match self.step {
            Step::Field => {
                let (prefix, then) = match *byte {
                    0x80.. => (0x7f, Then::Nothing),
                    0x40.. => (0x3f, Then::Name { kept: true }),
                    0x20.. => (0x1f, Then::Nothing),
                    _ => (0x0f, Then::Name { kept: false }),
                };
                self.number(*byte, prefix, then);
            }
            Step::Number { value, shift, then } => {
                // Nobody reads on behind a number that is too large.
                let more = usize::from(*byte & 0x7f)
                    .checked_shl(shift)
                    .unwrap_or(usize::MAX >> 1);
                let value = value.saturating_add(more);
                match *byte & 0x80 {
                    0 => self.then(value, then),
                    _ => {
                        self.step = Step::Number {
                            value,
                            shift: shift.saturating_add(7),
                            then,
                        }
                    }
                }
            }
            Step::Length(text) => {
                let huffman = *byte & 0x80 != 0;
                self.number(*byte, 0x7f, Then::Length { huffman, text });
            }
            Step::Text {
                left,
                at,
                huffman,
                mut code,
                mut text,
            } => {
                match &mut text {
                    Text::Name { path, .. } => {
                        let name = if huffman { PATH_IN_HUFFMAN } else { PATH };
                        *path = *path && name.get(at) == Some(byte) && (left > 1 || at + 1 == name.len());
                    }
                    Text::Value { path: true, .. } if huffman => code.read(byte),
                    Text::Value { path: true, .. } if *byte == b'#' => *byte = b'>',
                    Text::Value { .. } => {}
                }
                match left {
                    1 => self.end(text),
                    _ => {
                        self.step = Step::Text {
                            left: left - 1,
                            at: at + 1,
                            huffman,
                            code,
                            text,
                        }
                    }
                }
            }
        }
    }

    /// RFC 7541 §5.1.
    fn number(&mut self, byte: u8, prefix: u8, then: Then) {
        match byte & prefix {
            full if full == prefix => {
                self.step = Step::Number {
                    value: usize::from(full),
                    shift: 0,
                    then,
                }
            }
            value => self.then(usize::from(value), then),
        }
    }

    fn then(&mut self, value: usize, then: Then) {
        self.step = match then {
            Then::Nothing => Step::Field,
            Then::Name { kept } if value == 0 => Step::Length(Text::Name { kept, path: true }),
            Then::Name { kept } => {
                let known = value.checked_sub(STATIC + 1).and_then(|at| self.names.get(at));
                let path = matches!(value, 4 | 5) || known == Some(&true);
                Step::Length(Text::Value { kept, path })
            }
            Then::Length { text, .. } if value == 0 => {
                let text = match text {
                    Text::Name { kept, .. } => Text::Name { kept, path: false },
                    value => value,
                };
                return self.end(text);
            }
            Then::Length { huffman, text } => Step::Text {
                left: value,
                at: 0,
                huffman,
                code: Code::default(),
                text,
            },
        };
    }

    fn end(&mut self, text: Text) {
        self.step = match text {
            Text::Name { kept, path } => Step::Length(Text::Value { kept, path }),
            Text::Value { kept, path } => {
                if kept {
                    self.names.push_front(path);
                    self.names.truncate(MOST_NAMES);
                }
                Step::Field
            }
        };
    }
}

fn skip(bytes: u32) -> Frame {
    match bytes {
        0 => HEAD,
        left => Frame::Skip(left),
    }
}

fn at_most(left: u32, there: usize) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(there)
}

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;
const PRIORITY_BYTES: u8 = 5;
const PATH: &[u8] = b":path";
const PATH_IN_HUFFMAN: &[u8] = &[0xb9, 0x58, 0xd3, 0x3f];
/// Entries of the static table (RFC 7541 Appendix A).
const STATIC: usize = 61;
/// 4,096 bytes, of which each entry takes 32 and more (§4.1).
const MOST_NAMES: usize = 128;

#[cfg(test)]
mod tests;
