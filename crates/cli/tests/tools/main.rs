//! The developer's tools, as the built binary answers them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what goes wrong in a test must fail it"
)]

mod decode;
mod key_files;
mod keys;
mod more;
mod operator;
mod pin;
mod refusals;
mod small;
mod verify;

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// The token that the articles show; what stands for its signature is no base64url.
pub(crate) const SAMPLE: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJhdXRoLmV4YW1wbGUuY29tIiwic3ViIjoiMTIzNDU2Nzg5MCIsImF1ZCI6\
    ImFwaS5leGFtcGxlLmNvbSIsImV4cCI6MTcxNjIzOTAyMiwiaWF0IjoxNzE2MjM1NDIyLCJqdGkiOiJhMWIyYzNkNCIsInJvbGUiOiJhZG1pbiIsImVtYWlsIjoi\
    YWxpY2VAZXhhbXBsZS5jb20ifQ.signature_placeholder";

pub(crate) struct Answer {
    pub(crate) exit: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.err))
    }

    pub(crate) fn codes(&self) -> Vec<String> {
        let findings = self.json()["findings"].as_array().unwrap().clone();
        findings
            .iter()
            .map(|finding| {
                format!(
                    "{} {}",
                    finding["place"].as_str().unwrap(),
                    finding["code"].as_str().unwrap()
                )
            })
            .collect()
    }

    pub(crate) fn done(self) -> Self {
        assert_eq!(self.exit, 0, "{}", self.err);
        self
    }
}

pub(crate) fn carnet(folder: &Path, arguments: &[&str], stdin: &str) -> Answer {
    let mut child = Command::new(env!("CARGO_BIN_EXE_carnet"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("COLUMNS")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its stdin may be gone by now.
    let _gone = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Answer {
        exit: output.status.code().unwrap(),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// In no folder in particular.
pub(crate) fn run(arguments: &[&str], stdin: &str) -> Answer {
    carnet(Path::new("."), arguments, stdin)
}

pub(crate) fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
