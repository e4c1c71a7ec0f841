//! The wire format of Protocol Buffers, as far as Envoy's question and our answer need it.
//!
//! Spec: Protocol Buffers encoding (varints, length-delimited fields)

/// What is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The fields of a message, one after the other: number, and bytes when it has a length.
pub(super) struct Fields<'m>(&'m [u8]);

impl<'m> Fields<'m> {
    pub(super) fn of(message: &'m [u8]) -> Self {
        Self(message)
    }

    fn field(&mut self) -> Result<(u64, Option<&'m [u8]>), Malformed> {
        let key = self.varint()?;
        let bytes = match key & 7 {
            0 => {
                self.varint()?;
                None
            }
            1 => {
                self.take(8)?;
                None
            }
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                Some(self.take(length)?)
            }
            5 => {
                self.take(4)?;
                None
            }
            _ => return Err(Malformed),
        };
        Ok((key >> 3, bytes))
    }

    fn take(&mut self, length: usize) -> Result<&'m [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for at in 0..10 {
            let byte = self.take(1)?[0];
            let bits = u64::from(byte & 0x7f);
            if at == 9 && bits > 1 {
                return Err(Malformed);
            }
            value |= bits << (7 * at);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }
}

impl<'m> Iterator for Fields<'m> {
    type Item = Result<(u64, Option<&'m [u8]>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

/// Every value of a field with a length.
pub(super) fn all(message: &[u8], number: u64) -> Result<Vec<&[u8]>, Malformed> {
    let mut found = Vec::new();
    for field in Fields::of(message) {
        match field? {
            (at, Some(bytes)) if at == number => found.push(bytes),
            (at, None) if at == number => return Err(Malformed),
            _ => {}
        }
    }
    Ok(found)
}

/// The one value of a field; empty when it is absent, as the format has it.
pub(super) fn only(message: &[u8], number: u64) -> Result<&[u8], Malformed> {
    match all(message, number)?.as_slice() {
        [] => Ok(&[]),
        [one] => Ok(one),
        _ => Err(Malformed),
    }
}

/// As [`only`], a text.
pub(super) fn text(message: &[u8], number: u64) -> Result<&str, Malformed> {
    std::str::from_utf8(only(message, number)?).map_err(|_| Malformed)
}

/// Writes a field with a length.
pub(super) fn put(message: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    put_varint(message, number << 3 | 2);
    put_varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

/// Writes a number.
pub(super) fn put_number(message: &mut Vec<u8>, number: u64, value: u64) {
    put_varint(message, number << 3);
    put_varint(message, value);
}

fn put_varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut message = Vec::new();
        put_number(&mut message, 1, 300);
        put(&mut message, 2, b"a");
        put(&mut message, 3, &[7; 200]);
        put(&mut message, 3, b"b");
        assert_eq!(message[..3], [0x08, 0xac, 0x02]);
        assert_eq!(text(&message, 2), Ok("a"));
        assert_eq!(
            all(&message, 3).map(|all| all.iter().map(|one| one.len()).collect()),
            Ok(vec![200, 1])
        );
        assert_eq!(only(&message, 4), Ok(&[][..]));
        assert_eq!(only(&message, 3), Err(Malformed));
        assert_eq!(only(&message, 1), Err(Malformed));
    }

    #[test]
    fn what_ends_too_early_or_never_is_no_message() {
        for bytes in [
            &[0x0a][..],
            &[0x0a, 5, 1],
            &[0x0b],
            &[0xff; 11],
            &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            &[0x09, 1, 2],
            &[0x0d, 1, 2, 3],
        ] {
            assert_eq!(all(bytes, 1), Err(Malformed), "{bytes:?}");
        }
        assert_eq!(text(&[0x0a, 1, 0xff], 1), Err(Malformed));
    }
}
