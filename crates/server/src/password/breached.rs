//! The operator's list of passwords that nobody may use.
//!
//! Spec: NIST SP 800-63B §3.1.1.2 (blocklist)

use std::{
    collections::hash_map::DefaultHasher,
    fmt,
    fs::File,
    hash::Hasher,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use unicode_normalization::UnicodeNormalization;

/// Breached passwords, held as 64-bit marks: 8 bytes for each of at most ten million.
pub struct BreachedList {
    marks: Vec<u64>,
}

impl BreachedList {
    /// Reads a text file with one lower-case password a line; lines that are empty or not UTF-8 are skipped.
    ///
    /// More than ten million lines, or a line over 4,096 bytes, is an error: the file is not such a list.
    pub fn load(path: &Path) -> io::Result<Self> {
        Self::read(BufReader::new(File::open(path)?))
    }

    /// Reads the list from anything that has lines.
    pub fn read(mut lines: impl BufRead) -> io::Result<Self> {
        let mut marks = Vec::new();
        let mut line = Vec::new();
        for count in 0.. {
            line.clear();
            if lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if count == MAX_LINES || !line.ends_with(b"\n") && line.len() as u64 == MAX_LINE {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a breached-password list has at most 10,000,000 lines of at most 4,096 bytes",
                ));
            }
            match str::from_utf8(&line).map(|line| line.trim_end_matches(['\r', '\n'])) {
                Ok("") | Err(_) => {}
                Ok(password) => marks.push(mark(password)),
            }
        }
        marks.sort_unstable();
        marks.dedup();
        marks.shrink_to_fit();
        Ok(Self { marks })
    }

    /// Whether this password is in the list, whatever its case.
    pub fn contains(&self, password: &str) -> bool {
        self.marks.binary_search(&mark(password)).is_ok()
    }
}

impl fmt::Debug for BreachedList {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "BreachedList({} passwords)", self.marks.len())
    }
}

fn mark(password: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    for letter in password.nfc().flat_map(char::to_lowercase) {
        hasher.write_u32(letter.into());
    }
    hasher.finish()
}

const MAX_LINE: u64 = 4096;
const MAX_LINES: usize = 10_000_000;
