//! `carnet serve`: the authorization server.

use std::io::{ErrorKind, IsTerminal as _};

use carnet_server::app::App;
use carnet_server::clock::SystemClock;
use carnet_server::serve::Server;
use tokio::signal::unix::{SignalKind, signal};

use super::operator::{ConfigFile, broken};
use crate::failure::Failure;
use crate::output::Output;

/// Run the authorization server
#[derive(clap::Args, Debug)]
#[command(
    after_help = "The first start makes the database and the master key. Stop it with Ctrl-C or SIGTERM: open requests finish. SIGHUP reads certificate and key again."
)]
pub(crate) struct Serve {
    #[command(flatten)]
    config: ConfigFile,
    /// Bring an older database up to date before starting
    #[arg(long)]
    migrate: bool,
}

pub(crate) async fn run(serve: Serve, out: &Output) -> Result<(), Failure> {
    let (config, warnings) = serve.config.load_with_warnings()?;
    warnings.iter().for_each(|warning| out.warn(warning));
    carnet_server::log::install(&config.log).map_err(|error| {
        Failure::usage("config_invalid", error.to_string())
            .because("log.level is no level and no directive")
            .todo("write \"info\"")
    })?;
    App::prepare(&config, serve.migrate).await.map_err(broken)?;
    let app = App::open(config, SystemClock).await.map_err(broken)?;
    let server = Server::bind(app).await.map_err(|error| cannot_listen(&error))?;
    // A terminal that closes takes its program along; under a service manager SIGHUP means: read again.
    let hangup = match std::io::stdin().is_terminal() {
        true => Hangup::Stops,
        false => Hangup::Reloads,
    };
    server.run(asked_to_stop(hangup)).await;
    Ok(())
}

/// The port is taken or not ours to take; or certificate and key cannot be used.
pub(crate) fn cannot_listen(error: &std::io::Error) -> Failure {
    match error.kind() {
        ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable | ErrorKind::PermissionDenied => {
            Failure::conflict("cannot_listen", error.to_string())
                .because("the port is taken, or this user may not take it")
                .todo("stop what listens there, or choose another address in [listen]")
        }
        _ => Failure::usage("cannot_listen", error.to_string())
            .because("nothing can be served there with these files")
            .todo("correct [listen]: address, tls_certificate_file, tls_key_file"),
    }
}

/// What SIGHUP means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hangup {
    /// The terminal is gone.
    Stops,
    /// The listener reads certificate and key again; there is nothing else to do.
    Reloads,
    /// As above, and somebody else reads the configuration again and says so.
    RereadsAll,
}

/// Ready when the terminal or the service manager asks us to stop.
pub(crate) async fn asked_to_stop(hangup: Hangup) {
    let hangups = async {
        loop {
            received(SignalKind::hangup()).await;
            match hangup {
                Hangup::Stops => return,
                Hangup::RereadsAll => {}
                Hangup::Reloads => tracing::info!(
                    "SIGHUP: certificate and key are read again; another configuration needs a restart"
                ),
            }
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = received(SignalKind::terminate()) => {}
        () = hangups => {}
    }
    tracing::info!("asked to stop: no new connections, open requests finish");
}

/// Ready when the signal came; never, where it cannot be listened for.
async fn received(kind: SignalKind) {
    match signal(kind) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}
