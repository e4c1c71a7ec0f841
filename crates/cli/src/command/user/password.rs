//! A user's password as an operator gives it: typed, hashed already, or made here.

use std::io::Read as _;

use carnet_server::password::{Password, Policy};
use zeroize::Zeroizing;

use crate::command::operator::{Operator, broken, made_password};
use crate::command::registry::rules;
use crate::failure::Failure;

#[derive(clap::Args, Debug)]
#[group(multiple = false)]
pub(super) struct PasswordSource {
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// Read a password hash (argon2, bcrypt, scrypt, PBKDF2) from standard input
    #[arg(long)]
    password_hash_stdin: bool,
}

/// A hash for the store, and the password when it was made here.
pub(super) async fn password_hash(
    operator: &Operator,
    source: &PasswordSource,
    email: &str,
) -> Result<(String, Option<Zeroizing<String>>), Failure> {
    if source.password_hash_stdin {
        let hash = read_stdin()?;
        rules::password_hash(&hash)?;
        return Ok((hash.to_string(), None));
    }
    let config = &operator.config.passwords;
    let policy = Policy::new(config.min_strength, config.breached_list_file.as_deref());
    let policy = policy.map_err(|error| {
        Failure::usage("config_invalid", error.to_string())
            .because("passwords.breached_list_file")
            .todo("name a readable file")
    })?;
    let (typed, made) = if source.password_stdin {
        (read_stdin()?, None)
    } else {
        let made = made_password()?;
        (Zeroizing::new(made.to_string()), Some(made))
    };
    let password: Password = policy.accept(&typed, &[email]).map_err(|refused| {
        Failure::refused(refused.code(), refused.reason())
            .because("the server would not accept it either")
            .todo("let one be made: leave --password-stdin out")
    })?;
    let hasher = carnet_server::app::hasher(&operator.config, 1, 1).map_err(broken)?;
    let hash = hasher
        .hash(password)
        .await
        .map_err(|_| Failure::broken("the password could not be hashed"))?;
    Ok((hash, made))
}

fn read_stdin() -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    std::io::stdin()
        .take(4096)
        .read_to_string(&mut text)
        .map_err(|error| {
            Failure::usage("stdin_unreadable", error.to_string())
                .because("standard input is not text")
                .todo("pipe one line of UTF-8")
        })?;
    Ok(Zeroizing::new(text.trim_end_matches(['\n', '\r']).to_owned()))
}
