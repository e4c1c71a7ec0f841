//! `carnet jwt`: what a token says, whether it holds, and how to make one.
//!
//! Spec: RFC 7519 · RFC 7515

mod claim_suspicion;
mod decode;
mod exposure;
mod finding;
mod header_suspicion;
mod meaning;
mod pasted;
mod reading;
mod refresh_token;
mod refusal;
mod remote;
mod salvage;
mod segment;
mod sheet;
mod sign;
mod verify;

use clap::Subcommand;

use crate::failure::Failure;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum Jwt {
    /// Explain a token: every claim, its times in words, and what is suspicious. Checks no signature
    Decode(decode::Decode),
    /// Check a token: signature, times, issuer, audience, type
    Verify(verify::Verify),
    /// Make a token
    Sign(sign::Sign),
}

impl Jwt {
    pub(crate) fn run(self, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Decode(decode) => decode.run(output),
            Self::Verify(verify) => verify.run(output),
            Self::Sign(sign) => sign.run(output),
        }
    }
}
