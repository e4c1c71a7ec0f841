//! From a configuration to a running gateway, and down again without cutting anybody off.

use std::future::Future;
use std::io;
use std::time::Duration;

use carnet_listen::value::Address;
use carnet_listen::{ListenConfig, Listener};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::{Config, ForwardAuth, Listen};
use crate::reload::Reload;
use crate::{Gateway, admin};

/// A gateway that is bound and about to answer.
#[derive(Debug)]
pub struct Server {
    gateway: Gateway,
    listener: Listener,
    admin: Option<Listener>,
    /// Where proxies ask.
    side: Option<Listener>,
}

impl Server {
    /// Takes the ports; from here on connections queue.
    pub async fn bind(gateway: Gateway, config: &Config) -> io::Result<Self> {
        let listener = Listener::bind(listen_config(&config.listen)).await?;
        let admin = match &config.admin {
            Some(admin) => {
                let listen = ListenConfig {
                    address: admin.address.clone(),
                    ..ListenConfig::default()
                };
                Some(Listener::bind(listen).await?)
            }
            None => None,
        };
        let side = match &config.forward_auth {
            Some(settings) => Some(Listener::bind(side_config(&config.listen, settings)).await?),
            None => None,
        };
        Ok(Self {
            gateway,
            listener,
            admin,
            side,
        })
    }

    /// Where it listens: the port that was chosen when the configuration says 0.
    pub const fn local_addr(&self) -> &Address {
        self.listener.local_addr()
    }

    /// Where operators reach it.
    pub fn admin_addr(&self) -> Option<&Address> {
        self.admin.as_ref().map(Listener::local_addr)
    }

    /// Where proxies ask.
    pub fn forward_auth_addr(&self) -> Option<&Address> {
        self.side.as_ref().map(Listener::local_addr)
    }

    /// Answers until `shutdown` is ready, then lets open requests finish. `reload` reads the configuration again when it changes.
    pub async fn run(self, reload: Option<Reload>, shutdown: impl Future<Output = ()> + Send + 'static) {
        let Self {
            gateway,
            listener,
            admin,
            side,
        } = self;
        let mut beside = JoinSet::new();
        if let Some(admin) = admin {
            tracing::info!(address = %admin.local_addr(), "metrics and health");
            let router = admin::router(&gateway);
            beside.spawn(async move { admin.serve(router, std::future::pending()).await });
        }
        if let Some(reload) = reload {
            beside.spawn(reload.keep_fresh());
        }
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async {
            shutdown.await;
            drop(stop);
        };
        let asked = async {
            if let Some(side) = side {
                tracing::info!(address = %side.local_addr(), "proxies may ask");
                side.serve(gateway.forward_auth(), async { drop(stopped.await) })
                    .await;
            }
        };
        tracing::info!(address = %listener.local_addr(), "ready");
        tokio::join!(listener.serve(gateway.clone(), shutdown), asked);
        beside.shutdown().await;
        settle(&gateway).await;
        tracing::info!("stopped");
    }
}

/// What the app's backend has begun for requests that are answered: tokens that the issuer gives once would be lost with this process.
async fn settle(gateway: &Gateway) {
    let site = gateway.site();
    let grace = site.config.listen.shutdown_grace.duration();
    if let Some(bff) = &site.bff
        && timeout(grace, bff.settled()).await.is_err()
    {
        tracing::warn!("stopping while the issuer has not answered: some sessions may have to log in again");
    }
}

/// Proxies ask for many people: no cap for each address.
fn side_config(listen: &Listen, settings: &ForwardAuth) -> ListenConfig {
    let config = listen_config(listen);
    ListenConfig {
        address: settings.address.clone(),
        tls: config.tls.filter(|_| settings.tls),
        client_certificates: false,
        trusted_proxies: settings.peers.clone(),
        // A proxy must not find closed what it keeps open for the next request.
        idle_timeout: Duration::from_secs(600),
        extended_connect: false,
        ..config
    }
}

fn listen_config(listen: &Listen) -> ListenConfig {
    ListenConfig {
        address: listen.address.clone(),
        tls: listen.tls(),
        client_certificates: listen.client_certificates,
        trusted_proxies: listen.trusted_proxies.clone(),
        max_connections: listen.max_connections,
        max_connections_per_address: listen.max_connections_per_address,
        head_bytes: listen.max_head_bytes,
        shutdown_grace: listen.shutdown_grace.duration(),
        extended_connect: true,
        ..ListenConfig::default()
    }
}
