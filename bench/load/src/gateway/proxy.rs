//! The gateways that are compared, each with one thread on the first core, and its configuration of `bench/gateway`.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::wire::Wire;
use crate::Outcome;
use crate::process::Process;

/// A program that passes requests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    Carnet,
    Nginx,
    Haproxy,
    Caddy,
    Envoy,
}

/// What they are started with.
pub(super) struct Programs<'a> {
    pub(super) carnet: &'a str,
    /// The folder of their configurations.
    pub(super) peers: &'a Path,
    /// Where the keys are, and what a program writes.
    pub(super) folder: &'a Path,
    /// Where the service listens.
    pub(super) service: &'a str,
}

/// A program that runs.
pub(super) struct Proxy {
    pub(super) process: Process,
    pub(super) address: String,
}

impl Program {
    pub(super) const ALL: [Self; 5] = [Self::Carnet, Self::Nginx, Self::Haproxy, Self::Caddy, Self::Envoy];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Carnet => "Carnet",
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
            Self::Caddy => "Caddy",
            Self::Envoy => "Envoy",
        }
    }

    fn configuration(self) -> &'static str {
        match self {
            Self::Carnet => "gateway.toml",
            Self::Nginx => "nginx.conf",
            Self::Haproxy => "haproxy.cfg",
            Self::Caddy => "Caddyfile",
            Self::Envoy => "envoy.yaml",
        }
    }

    fn command(self, carnet: &str) -> Vec<String> {
        let words: &[&str] = match self {
            Self::Carnet => &[carnet, "gateway", "--config"],
            Self::Nginx => &["nginx", "-c"],
            Self::Haproxy => &["haproxy", "-db", "-f"],
            Self::Caddy => &["caddy", "run", "--adapter", "caddyfile", "--config"],
            Self::Envoy => &[
                "ENVOY",
                "--disable-hot-restart",
                "--concurrency",
                "1",
                "-l",
                "error",
                "-c",
            ],
        };
        let envoy = |word: &&str| match *word {
            "ENVOY" => std::env::var("ENVOY").unwrap_or_else(|_| "envoy".to_owned()),
            word => word.to_owned(),
        };
        words.iter().map(envoy).collect()
    }
}

impl Programs<'_> {
    /// Starts one, on a port of its own, and waits until it passes requests on.
    pub(super) async fn start(&self, program: Program) -> Outcome<Proxy> {
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))?
            .local_addr()?
            .port();
        let address = format!("127.0.0.1:{port}");
        let config = self.write(program, port)?;
        let mut command = Command::new("taskset");
        command
            .args(["-c", "0"])
            .args(program.command(self.carnet))
            .arg(config);
        // One thread of Go runs Go; Carnet and Envoy count the cores they may use.
        command.env("GOMAXPROCS", "1").env("HOME", self.folder);
        let proxy = Proxy {
            process: Process::silent(command)?,
            address,
        };
        let started = Instant::now();
        while let Err(error) = proxy.answers().await {
            if started.elapsed() > Duration::from_secs(20) {
                return Err(format!("{} does not pass requests on: {error}", program.name()).into());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(proxy)
    }

    fn write(&self, program: Program, port: u16) -> Outcome<std::path::PathBuf> {
        let text = std::fs::read_to_string(self.peers.join(program.configuration()))?;
        let (host, service_port) = self.service.split_once(':').ok_or("no port")?;
        let here = std::fs::canonicalize(self.peers)?;
        let text = text
            .replace("@ADDRESS@", &format!("127.0.0.1:{port}"))
            .replace("@HOST@", "127.0.0.1")
            .replace("@PORT@", &port.to_string())
            .replace("@SERVICE@", self.service)
            .replace("@SERVICE_HOST@", host)
            .replace("@SERVICE_PORT@", service_port)
            .replace("@HERE@", &here.display().to_string())
            .replace("@FOLDER@", &self.folder.display().to_string());
        let file = self.folder.join(program.configuration());
        std::fs::write(&file, text)?;
        Ok(file)
    }
}

impl Proxy {
    async fn answers(&self) -> Outcome<()> {
        let mut wire = Wire::open(&self.address).await?;
        wire.prepare("/plain/orders", "");
        wire.ask().await
    }

    /// Asks the service who the caller is said to be.
    pub(super) async fn who(&self, path: &str, token: &str) -> Outcome<String> {
        let mut wire = Wire::open(&self.address).await?;
        wire.prepare(&format!("{path}/who"), token);
        Ok(String::from_utf8(wire.body().await?.to_vec())?)
    }
}
