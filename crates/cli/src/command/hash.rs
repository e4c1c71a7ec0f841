//! `carnet hash`: SHA-2, SHA-3 and HMAC, of text, stdin or files.
//!
//! Spec: FIPS 180-4 · FIPS 202 (SHA-3) · RFC 2104 (HMAC)

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use carnet_jose::base64url;
use carnet_jose::primitive::{self, HashName};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::input;
use crate::output::{Ink, Output};

#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  carnet hash 'some text'
  carnet hash --file release.tar.gz --verify 9f86d081884c7d659a2feaa0c55ad015…")]
#[command(after_help = "\
Without TEXT and --file, stdin is hashed as it is, its last line break included.
JSON: {\"digests\":[{\"algorithm\",\"hmac\",\"source\",\"hex\",\"base64url\",\"matches\"}]}; matches is null without --verify")]
pub(crate) struct Hash {
    /// The text to hash
    #[arg(conflicts_with = "file")]
    text: Option<String>,

    /// Hash this file; may be given several times
    #[arg(short, long)]
    file: Vec<PathBuf>,

    /// Which function; `all` for each of them
    #[arg(short, long, value_enum, default_value_t)]
    algorithm: Name,

    /// How to write the digest
    #[arg(short, long, value_enum, default_value_t)]
    encoding: Encoding,

    /// Compute HMAC with the secret in this file
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,

    /// Compute HMAC with this secret (better: --key-file)
    #[arg(
        long,
        value_name = "SECRET",
        allow_hyphen_values = true,
        conflicts_with = "key_file"
    )]
    key: Option<String>,

    /// Compare with this digest, in hexadecimal or base64; exit 1 when it is another
    #[arg(long, value_name = "DIGEST", allow_hyphen_values = true)]
    verify: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Name {
    Sha224,
    #[default]
    Sha256,
    Sha384,
    Sha512,
    #[value(name = "sha512-256")]
    Sha512_256,
    #[value(name = "sha3-256")]
    Sha3_256,
    #[value(name = "sha3-384")]
    Sha3_384,
    #[value(name = "sha3-512")]
    Sha3_512,
    All,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Encoding {
    #[default]
    Hex,
    Base64url,
}

/// One digest, and whether it is the expected one.
struct Digest {
    name: &'static str,
    source: String,
    bytes: Vec<u8>,
    matches: Option<bool>,
}

impl Hash {
    pub(crate) fn run(mut self, output: &Output) -> Result<(), Failure> {
        let expected = self.verify.as_deref().map(decode).transpose()?;
        let is_hmac = self.key_file.is_some() || self.key.is_some();
        let key = if is_hmac {
            Some(input::secret(self.key_file.as_deref(), self.key.take(), output)?)
        } else {
            None
        };
        let mut digests = self.digests(key.as_ref().map(|key| key.as_slice()), output)?;
        for digest in &mut digests {
            digest.matches = expected
                .as_ref()
                .map(|expected| primitive::verify_equal(expected, &digest.bytes));
        }
        self.show(&digests, is_hmac, output);
        // With `all`, one function that fits is enough: the digest says by its length which one it was.
        let sources: Vec<&str> = digests.iter().map(|digest| digest.source.as_str()).collect();
        let fits = |source: &&str| {
            digests
                .iter()
                .any(|digest| digest.source == **source && digest.matches == Some(true))
        };
        match expected.is_none() || sources.iter().all(fits) {
            true => Ok(()),
            false => Err(Failure::refused("digest_mismatch", "the digest is another one")
                .because("what was hashed, the function, or the key differs from what the digest was made of")
                .todo(
                    "get the file again; look whether the text ends in a line break; name the --algorithm",
                )),
        }
    }

    fn digests(&self, key: Option<&[u8]>, output: &Output) -> Result<Vec<Digest>, Failure> {
        let mut digests = Vec::new();
        let whole = if self.file.is_empty() {
            let source = if self.text.is_some() { "text" } else { "stdin" };
            let bytes = match &self.text {
                Some(text) => text.clone().into_bytes(),
                None if key.is_none() && self.algorithm != Name::All => {
                    input::invite("the text", output);
                    let names = self.algorithm.functions();
                    return names
                        .iter()
                        .map(|one| stream(*one, std::io::stdin().lock(), "stdin", output))
                        .collect();
                }
                None => input::stdin("the text", output)?,
            };
            vec![(source.to_owned(), bytes)]
        } else {
            Vec::new()
        };
        for (source, bytes) in &whole {
            for one in self.algorithm.functions() {
                digests.push(Digest {
                    name: one.0,
                    source: source.clone(),
                    bytes: compute(one.1, key, bytes)?,
                    matches: None,
                });
            }
        }
        for path in &self.file {
            for one in self.algorithm.functions() {
                digests.push(of_file(*one, path, key, output)?);
            }
        }
        Ok(digests)
    }

    fn show(&self, digests: &[Digest], is_hmac: bool, output: &Output) {
        if output.is_json() {
            let all: Vec<Value> = digests.iter().map(|digest| digest.value(is_hmac)).collect();
            return output.value(&json!({ "digests": all }));
        }
        let several = digests.len() > 1;
        for digest in digests {
            let text = match self.encoding {
                Encoding::Hex => hex(&digest.bytes),
                Encoding::Base64url => base64url::encode(&digest.bytes),
            };
            let verdict = match digest.matches {
                Some(true) => format!("  {}", output.ink(Ink::Good, "the same")),
                Some(false) => format!("  {}", output.ink(Ink::Bad, "another")),
                None => String::new(),
            };
            let name = if self.algorithm == Name::All {
                format!("  {}", digest.name)
            } else {
                String::new()
            };
            let source = if several && !self.file.is_empty() {
                format!("  {}", crate::plain::plain(&digest.source))
            } else {
                String::new()
            };
            output.line(&format!("{text}{name}{source}{verdict}"));
        }
        if self.verify.is_none() {
            output.next("carnet hash … --verify DIGEST compares");
        }
    }
}

impl Digest {
    fn value(&self, is_hmac: bool) -> Value {
        json!({
            "algorithm": self.name, "hmac": is_hmac, "source": self.source,
            "hex": hex(&self.bytes), "base64url": base64url::encode(&self.bytes), "matches": self.matches,
        })
    }
}

type Function = (&'static str, HashName);

const FUNCTIONS: [Function; 8] = [
    ("SHA-224", HashName::Sha224),
    ("SHA-256", HashName::Sha256),
    ("SHA-384", HashName::Sha384),
    ("SHA-512", HashName::Sha512),
    ("SHA-512/256", HashName::Sha512_256),
    ("SHA3-256", HashName::Sha3_256),
    ("SHA3-384", HashName::Sha3_384),
    ("SHA3-512", HashName::Sha3_512),
];

impl Name {
    fn functions(self) -> &'static [Function] {
        match self {
            Self::Sha224 => &FUNCTIONS[..1],
            Self::Sha256 => &FUNCTIONS[1..2],
            Self::Sha384 => &FUNCTIONS[2..3],
            Self::Sha512 => &FUNCTIONS[3..4],
            Self::Sha512_256 => &FUNCTIONS[4..5],
            Self::Sha3_256 => &FUNCTIONS[5..6],
            Self::Sha3_384 => &FUNCTIONS[6..7],
            Self::Sha3_512 => &FUNCTIONS[7..],
            Self::All => &FUNCTIONS,
        }
    }
}

fn compute(name: HashName, key: Option<&[u8]>, bytes: &[u8]) -> Result<Vec<u8>, Failure> {
    match key {
        Some(key) => Ok(primitive::hmac(name, key, bytes)),
        None => primitive::digest(name, bytes).map_err(|error| Failure::broken(error.to_string())),
    }
}

fn of_file(one: Function, path: &Path, key: Option<&[u8]>, output: &Output) -> Result<Digest, Failure> {
    let source = path.display().to_string();
    if key.is_some() {
        let bytes = std::fs::read(path).map_err(|error| input::unreadable(path, &error))?;
        return Ok(Digest {
            name: one.0,
            source,
            bytes: compute(one.1, key, &bytes)?,
            matches: None,
        });
    }
    let file = std::fs::File::open(path).map_err(|error| input::unreadable(path, &error))?;
    let size = file
        .metadata()
        .ok()
        .filter(|metadata| metadata.is_file())
        .map(|metadata| metadata.len());
    let begun = Instant::now();
    let counted = Counted {
        inner: file,
        read: 0,
        size,
        begun,
        told: begun,
        output,
    };
    stream(one, counted, &source, output)
}

fn stream(one: Function, reader: impl Read, source: &str, output: &Output) -> Result<Digest, Failure> {
    let bytes =
        primitive::digest(one.1, reader).map_err(|error| input::unreadable(Path::new(source), &error))?;
    output.progress("");
    Ok(Digest {
        name: one.0,
        source: source.to_owned(),
        bytes,
        matches: None,
    })
}

/// A reader that says how far it is, when it takes longer than a second.
struct Counted<'a> {
    inner: std::fs::File,
    read: u64,
    size: Option<u64>,
    begun: Instant,
    told: Instant,
    output: &'a Output,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.read += length as u64;
        if self.told.elapsed() >= Duration::from_secs(1) {
            self.told = Instant::now();
            let rate = (self.read as f64 / self.begun.elapsed().as_secs_f64()).max(1.0);
            let left = self
                .size
                .map(|size| format!(", {:.0} s left", size.saturating_sub(self.read) as f64 / rate));
            let mib = |bytes: f64| bytes / 1_048_576.0;
            self.output.progress(&format!(
                "{:.0} MiB, {:.0} MiB/s{}",
                mib(self.read as f64),
                mib(rate),
                left.unwrap_or_default()
            ));
        }
        Ok(length)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A digest as typed: hexadecimal, or base64 with either alphabet, padded or not.
fn decode(typed: &str) -> Result<Vec<u8>, Failure> {
    let typed = typed.trim();
    let is_hex = typed.len().is_multiple_of(2) && typed.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex && matches!(typed.len(), 56 | 64 | 96 | 128) {
        return Ok((0..typed.len())
            .step_by(2)
            .filter_map(|at| u8::from_str_radix(&typed[at..at + 2], 16).ok())
            .collect());
    }
    let text = typed.trim_end_matches('=').replace('+', "-").replace('/', "_");
    base64url::decode(&text).map_err(|_| {
        Failure::usage("digest_unreadable", "--verify is no digest that can be read")
            .because("a digest is 56 to 128 hexadecimal digits, or base64")
            .todo("copy it whole, without the file name beside it")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_in_every_spelling() {
        let bytes = primitive::sha256(b"abc").to_vec();
        let padded = format!("{}=", base64url::encode(&bytes))
            .replace('-', "+")
            .replace('_', "/");
        for typed in [
            hex(&bytes),
            hex(&bytes).to_uppercase(),
            base64url::encode(&bytes),
            padded,
            format!(" {}\n", hex(&bytes)),
        ] {
            assert_eq!(decode(&typed).unwrap(), bytes);
        }
        assert_eq!(decode("not a digest").unwrap_err().code, "digest_unreadable");
    }
}
