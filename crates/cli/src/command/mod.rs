//! The subcommands: a variant here, a file beside it.

mod hash;
mod jwk;
mod jwt;
mod password;

use clap::Subcommand;

use crate::failure::Failure;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read, check and make JSON Web Tokens
    #[command(subcommand)]
    Jwt(jwt::Jwt),
    /// Make keys, and show what they are
    #[command(subcommand)]
    Jwk(jwk::Jwk),
    /// Hash text, stdin or files; with a key, HMAC
    Hash(hash::Hash),
    /// Make a password that nobody can guess
    Password(password::Password),
}

impl Command {
    /// Does what was asked.
    pub(crate) fn run(self, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Jwt(command) => command.run(output),
            Self::Jwk(command) => command.run(output),
            Self::Hash(command) => command.run(output),
            Self::Password(command) => command.run(output),
        }
    }
}
