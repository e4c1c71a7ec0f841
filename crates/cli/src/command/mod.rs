//! The subcommands: a variant here, a file beside it.

mod administrator;
mod apply;
mod client;
mod completions;
mod config;
mod demo;
mod dpop;
mod explain;
mod export;
mod gateway;
mod hash;
mod jwk;
mod jwt;
mod key;
mod login;
mod logout;
mod man;
mod migrate;
mod operator;
mod password;
mod pkce;
mod registry;
mod revoke;
mod role;
mod serve;
mod service_token;
mod session;
mod tls;
mod token;
mod user;

use clap::Subcommand;

use crate::failure::Failure;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the authorization server
    Serve(serve::Serve),
    /// Run the gateway: the reverse proxy in front of your APIs
    Gateway(gateway::Gateway),
    /// A server, a user and a guarded API to try, with lines to copy
    Demo(demo::Demo),
    /// Show the annotated default configuration, or check yours
    Config(config::ConfigCommand),
    /// Bring the database to this version's schema
    Migrate(migrate::Migrate),
    /// Add, list and disable users; set passwords and roles
    User(user::UserCommand),
    /// Register, list, change and disable clients of the OAuth endpoints
    Client(client::ClientCommand),
    /// Add, list and remove roles
    Role(role::RoleCommand),
    /// Make roles, clients and users as a file says; shows the plan first
    Apply(apply::Apply),
    /// Write roles, clients and users as a file that `carnet apply` reads
    Export(export::Export),
    /// Take back all tokens of a user, a session, or one token
    Revoke(revoke::Revoke),
    /// List and end the sessions of a user
    Session(session::SessionCommand),
    /// List, rotate, revoke and export signing keys
    Key(key::KeyCommand),
    Login(login::LogIn),
    Token(token::Token),
    Logout(logout::LogOut),
    /// Read, check and make JSON Web Tokens
    #[command(subcommand)]
    Jwt(jwt::Jwt),
    /// Make keys, and show what they are
    #[command(subcommand)]
    Jwk(jwk::Jwk),
    /// Make the two values of PKCE (RFC 7636)
    Pkce(pkce::Pkce),
    /// Prove possession of a key to a server, for requests by hand (DPoP, RFC 9449)
    Dpop(dpop::Dpop),
    /// Make the header by which a service calls another one, for requests by hand
    ServiceToken(service_token::ServiceToken),
    /// What a server's certificates are known by
    #[command(subcommand)]
    Tls(tls::Tls),
    /// Hash text, stdin or files; with a key, HMAC
    Hash(hash::Hash),
    /// Make a password that nobody can guess
    Password(password::Password),
    /// What a stable code means, what causes it, and what to do
    Explain(explain::Explain),
    /// Print a script that completes commands in your shell
    Completions(completions::Completions),
    /// Write the manual pages
    Man(man::Man),
}

impl Command {
    /// Does what was asked. `whole` is the command line as a whole, for commands that are about it.
    pub(crate) fn run(self, output: &Output, whole: fn() -> clap::Command) -> Result<(), Failure> {
        match self {
            Self::Serve(command) => wait(serve::run(command, output)),
            Self::Gateway(command) => wait(gateway::run(command, output)),
            Self::Demo(command) => wait(demo::run(command, output)),
            Self::Config(command) => config::run(command, output),
            Self::Migrate(command) => wait(migrate::run(command, output)),
            Self::User(command) => wait(user::run(command, output)),
            Self::Client(command) => wait(client::run(command, output)),
            Self::Role(command) => wait(role::run(command, output)),
            Self::Apply(command) => wait(apply::run(command, output)),
            Self::Export(command) => wait(export::run(command, output)),
            Self::Revoke(command) => wait(revoke::run(command, output)),
            Self::Session(command) => wait(session::run(command, output)),
            Self::Key(command) => wait(key::run(command, output)),
            Self::Login(command) => wait(login::run(command, output)),
            Self::Token(command) => wait(token::run(command, output)),
            Self::Logout(command) => wait(logout::run(command, output)),
            Self::Jwt(command) => command.run(output),
            Self::Jwk(command) => command.run(output),
            Self::Tls(command) => wait(tls::run(command, output)),
            Self::Hash(command) => command.run(output),
            Self::Password(command) => command.run(output),
            Self::Pkce(command) => command.run(output),
            Self::Dpop(command) => command.run(output),
            Self::ServiceToken(command) => command.run(output),
            Self::Explain(command) => command.run(output),
            Self::Completions(command) => command.run(whole(), output),
            Self::Man(command) => command.run(whole(), output),
        }
    }
}

/// Runs what waits for sockets and databases.
fn wait(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime
        .map_err(|error| Failure::broken(error.to_string()))?
        .block_on(work)
}
