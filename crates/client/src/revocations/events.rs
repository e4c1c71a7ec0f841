//! A stream of server-sent events, piece by piece; nothing but its data counts.
//!
//! Spec: WHATWG HTML §9.2.5, §9.2.6

/// Collects pieces until there is an event.
#[derive(Default)]
pub(crate) struct Events {
    line: Vec<u8>,
    data: Vec<u8>,
}

/// A line or an event that is longer than any message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Events {
    /// The data of the events that this piece completes.
    pub(crate) fn take(&mut self, piece: &[u8]) -> Result<Vec<String>, TooLong> {
        let mut found = Vec::new();
        for byte in piece {
            if *byte != b'\n' {
                self.line.push(*byte);
                if self.line.len() > LONGEST {
                    return Err(TooLong);
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = line.strip_suffix(b"\r").unwrap_or(&line);
            if line.is_empty() {
                let data = std::mem::take(&mut self.data);
                if !data.is_empty() {
                    found.push(String::from_utf8_lossy(&data).into_owned());
                }
            } else if let Some(value) = line.strip_prefix(b"data:") {
                self.data.extend(value.strip_prefix(b" ").unwrap_or(value));
                if self.data.len() > LONGEST {
                    return Err(TooLong);
                }
            }
        }
        Ok(found)
    }
}

/// A message has 16 KiB at most.
const LONGEST: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_out_however_they_are_cut() {
        let stream =
            b": hello\nretry: 250\n\nid: e.1\ndata: one\n\r\nid: e.2\r\ndata:two\r\n\r\ndata: unfinished\n";
        for size in 1..stream.len() {
            let mut events = Events::default();
            let pieces = stream.chunks(size).flat_map(|piece| events.take(piece).unwrap());
            assert_eq!(pieces.collect::<Vec<_>>(), ["one", "two"], "{size}");
        }
    }

    #[test]
    fn nobody_fills_the_memory() {
        assert_eq!(Events::default().take(&vec![b'x'; LONGEST + 1]), Err(TooLong));
        let lines = "data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n".repeat(3_000);
        assert_eq!(Events::default().take(lines.as_bytes()), Err(TooLong));
    }
}
