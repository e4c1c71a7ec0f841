//! The configuration: what an operator may say, and how a mistake is answered.
//!
//! The annotated default is `default.toml` beside this file; `carnet config print` shows it.

mod check;
mod fault;
mod load;
mod parties;
mod settings;
mod value;

pub use check::Warning;
pub use load::{ConfigError, DEFAULT, load, parse};
pub use settings::{
    Client, Config, FirstParty, ForwardedHeader, Keys, Listen, Log, LogFormat, Login, LogoutStrength,
    Passwords, RefreshTokenIn, Registration, Resource, Storage, Tokens,
};
pub use value::{ClaimSource, Issuer, Network, Ttl};
