//! One head of HTTP/1.1: whether there is only one way to read it, and what follows it.
//!
//! Spec: RFC 9112 §3 (request line), §5 (fields), §6.3 (length)

use memchr::memchr;

/// What follows a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// The next head.
    Head,
    /// A body of so many bytes.
    Sized(u64),
    /// A body in chunks.
    Chunks,
    /// Another protocol, if that is granted; else the next head.
    Switch,
}

/// What follows this head, which ends in an empty line; `None` when it can be read in two ways.
pub(super) fn judge(head: &[u8]) -> Option<After> {
    let mut rest = head.strip_suffix(b"\r\n\r\n")?;
    let end = memchr(b'\n', rest).unwrap_or(rest.len());
    let line = &rest[..end];
    let request = RequestLine::read(line.strip_suffix(b"\r").unwrap_or(line))?;
    let mut said = Said::default();
    let mut more = end < rest.len();
    while more {
        rest = &rest[memchr(b'\n', rest)? + 1..];
        let end = memchr(b'\n', rest);
        more = end.is_some();
        let line = &rest[..end.unwrap_or(rest.len())];
        // The last one lost its end with that of the head.
        said.note(if more { line.strip_suffix(b"\r")? } else { line })?;
    }
    let after = match (said.length, said.chunked) {
        // §6.1: a server ought to refuse both. §6.3: it would have to close the connection in any case.
        (Some(_), true) => return None,
        (None, true) if request.is_1_0 => return None,
        (None, true) => After::Chunks,
        (Some(length), false) => After::Sized(length),
        (None, false) => After::Head,
    };
    match (after, said.upgrade || request.is_connect) {
        (after, false) => Some(after),
        (After::Head | After::Sized(0), true) => Some(After::Switch),
        // Whether the body belongs to the one protocol or to the other is nobody's guess.
        (_, true) => None,
    }
}

struct RequestLine {
    is_1_0: bool,
    is_connect: bool,
}

impl RequestLine {
    /// §3: `method SP request-target SP HTTP-version`, and no other white space.
    fn read(line: &[u8]) -> Option<Self> {
        let mut words = line.split(|byte| *byte == b' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        let visible = |byte: &u8| byte.is_ascii_graphic() || *byte >= 0x80;
        // §3.2: a target has no fragment. Parsers drop it, so that rules would see another path than the one that was sent.
        let plain = target.iter().all(|byte| visible(byte) && *byte != b'#');
        let is_1_0 = version == b"HTTP/1.0";
        let known = is_1_0 || version == b"HTTP/1.1";
        let token = !method.is_empty() && method.iter().all(|byte| is_token(*byte));
        (token && plain && !target.is_empty() && known && words.next().is_none()).then_some(Self {
            is_1_0,
            is_connect: method == b"CONNECT",
        })
    }
}

/// What the fields say of the length.
#[derive(Default)]
struct Said {
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
}

impl Said {
    /// §5.1: no white space before the colon; §5.2: no line that continues another.
    fn note(&mut self, line: &[u8]) -> Option<()> {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        // Values are long: all of one is looked at, without a way out between, so that many bytes are compared at once.
        let odd = |byte: &u8| (*byte < b' ') & (*byte != b'\t') | (*byte == 0x7f);
        let unfit = value.iter().fold(false, |found, byte| found | odd(byte));
        if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) || unfit {
            return None;
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            // §6.3 lets two equal ones pass; whoever sends two has something in mind.
            let twice = self.length.is_some();
            let digits = value.len() < 19 && value.iter().all(u8::is_ascii_digit);
            let length = std::str::from_utf8(value).ok()?.parse().ok()?;
            self.length = (!twice && digits).then_some(length);
            self.length?;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return None;
            }
            self.chunked = true;
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.upgrade = true;
        }
        Some(())
    }
}

/// RFC 9110 §5.6.2.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}
