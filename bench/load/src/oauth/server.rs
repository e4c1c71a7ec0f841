//! The two servers of a run: how each is started, and where its endpoints are. Everything else is the same for both.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::carnet;
use crate::Outcome;
use crate::client::Connection;
use crate::process::Process;

/// One of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Carnet,
    Peer,
}

/// Where the endpoints of a server are.
#[derive(Clone, Copy)]
pub(super) struct Paths {
    pub(super) authorization: &'static str,
    pub(super) token: &'static str,
    pub(super) introspection: &'static str,
    pub(super) userinfo: &'static str,
    pub(super) jwks: &'static str,
}

/// A running server.
pub(super) struct Server {
    pub(super) which: Which,
    pub(super) process: Process,
    pub(super) address: String,
    pub(super) paths: Paths,
    /// From the start of the process until it answered discovery, in milliseconds.
    pub(super) start_millis: f64,
}

/// What is needed to start one.
pub(super) struct Programs<'a> {
    /// The `carnet` binary.
    pub(super) carnet: &'a str,
    /// The folder of the peer's `server.js`.
    pub(super) peer: &'a str,
    /// What both keep between two starts.
    pub(super) folder: &'a Path,
}

impl Programs<'_> {
    pub(super) async fn start(&self, which: Which) -> Outcome<Server> {
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))?
            .local_addr()?
            .port();
        let address = format!("127.0.0.1:{port}");
        let (command, paths) = match which {
            Which::Carnet => (
                carnet::command(self.carnet, self.folder, &address)?,
                carnet::PATHS,
            ),
            Which::Peer => (self.peer_command(port), PEER_PATHS),
        };
        let started = Instant::now();
        let process = Process::silent(command)?;
        while !answers(&address).await {
            if started.elapsed() > Duration::from_secs(20) {
                return Err(format!("{} did not become ready", which.name()).into());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(Server {
            which,
            process,
            address,
            paths,
            start_millis: started.elapsed().as_secs_f64() * 1_000.0,
        })
    }

    fn peer_command(&self, port: u16) -> Command {
        let mut command = Command::new("node");
        command
            .arg(Path::new(self.peer).join("server.js"))
            .arg(port.to_string())
            .arg(self.folder)
            .env("NODE_ENV", "production");
        command
    }
}

impl Which {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Carnet => "Carnet",
            Self::Peer => "node-oidc-provider",
        }
    }
}

async fn answers(address: &str) -> bool {
    let Ok(mut connection) = Connection::open(address).await else {
        return false;
    };
    connection
        .get("/.well-known/openid-configuration", "")
        .await
        .is_ok_and(|answer| answer.status.is_success())
}

const PEER_PATHS: Paths = Paths {
    authorization: "/auth",
    token: "/token",
    introspection: "/token/introspection",
    userinfo: "/me",
    jwks: "/jwks",
};
