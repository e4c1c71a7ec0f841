//! `carnet gateway`: the reverse proxy in front of APIs.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use carnet_gateway::Gateway as Proxy;
use carnet_gateway::config::Config;
use carnet_gateway::load::{ConfigError, load};
use carnet_gateway::reload::Reload;
use carnet_gateway::serve::Server;
use carnet_gateway::site::Site;
use carnet_guard::SystemClock;
use carnet_server::config::{Log, LogFormat};

use super::operator::show as tell;
use super::serve::{Hangup, asked_to_stop, cannot_listen};
use crate::failure::Failure;
use crate::output::Output;

/// Run the gateway: the reverse proxy in front of your APIs
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Stop it with Ctrl-C or SIGTERM: open requests finish. docs/gateway.md has a configuration to begin with."
)]
pub(crate) struct Gateway {
    /// The configuration file of the gateway
    #[arg(
        long,
        value_name = "FILE",
        env = "CARNET_GATEWAY_CONFIG",
        default_value = "gateway.toml"
    )]
    config: PathBuf,
    /// Read and check the configuration, and do no more
    #[arg(long)]
    check: bool,
}

pub(crate) async fn run(gateway: Gateway, out: &Output) -> Result<(), Failure> {
    let config = load(&gateway.config).map_err(invalid)?;
    if gateway.check {
        build(&config, &gateway.config).await?;
        let json = serde_json::json!({ "valid": true });
        tell(out, &json, || format!("{} is valid.", gateway.config.display()));
        return Ok(());
    }
    // Before anything is asked: what goes wrong while it starts stands in the log.
    let log = Log {
        level: config.log.level.clone(),
        format: if config.log.json {
            LogFormat::Json
        } else {
            LogFormat::Text
        },
    };
    carnet_server::log::install(&log).map_err(|error| {
        Failure::usage("config_invalid", error.to_string())
            .because("log.level is no level and no directive")
            .todo("write \"info\"")
    })?;
    let proxy = Proxy::new(build(&config, &gateway.config).await?);
    let server = Server::bind(proxy.clone(), &config)
        .await
        .map_err(|error| cannot_listen(&error))?;
    // A terminal that closes takes its program along; under a service manager SIGHUP means: read again.
    let hangup = match std::io::stdin().is_terminal() {
        true => Hangup::Stops,
        false => Hangup::RereadsAll,
    };
    let reload = Reload::new(proxy, gateway.config, Arc::new(SystemClock));
    server.run(Some(reload), asked_to_stop(hangup)).await;
    Ok(())
}

async fn build(config: &Config, file: &Path) -> Result<Site, Failure> {
    let site = Site::build(config, Arc::new(SystemClock), None).await;
    site.map_err(|error| invalid(error.in_file(file)))
}

fn invalid(error: ConfigError) -> Failure {
    Failure::usage("config_invalid", format!("{}: {}", error.place, error.what))
        .because("the gateway does not start with it")
        .todo(error.todo)
}
