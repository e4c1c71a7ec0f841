//! From an App to a running server, and down again without cutting anybody off.

use std::future::Future;

use tokio::task::JoinSet;

use crate::app::App;
use crate::config::Listen;
use crate::logout::back_channel::BackChannel;
use crate::{fan_out, router, upkeep};
use carnet_listen::tls_pair::TlsFiles;
use carnet_listen::value::Address;
use carnet_listen::{ListenConfig, Listener, redirect};

/// A server that is bound and about to answer.
pub struct Server {
    app: App,
    back_channel: BackChannel,
    listener: Listener,
    redirect: Option<Listener>,
}

impl Server {
    /// Takes the ports; from here on connections queue.
    pub async fn bind(app: App) -> std::io::Result<Self> {
        let back_channel = BackChannel::new(app.clone()).map_err(std::io::Error::other)?;
        let listen = &app.config.listen;
        let listener = Listener::bind(listen_config(listen)).await?;
        let redirect = match listen.redirect_address {
            Some(address) => Some(
                Listener::bind(ListenConfig {
                    address: Address::Tcp(address),
                    tls: None,
                    ..listen_config(listen)
                })
                .await?,
            ),
            None => None,
        };
        Ok(Self {
            app,
            back_channel,
            listener,
            redirect,
        })
    }

    /// Where it listens: the port that was chosen when the configuration says 0.
    pub const fn local_addr(&self) -> &Address {
        self.listener.local_addr()
    }

    /// Answers until `shutdown` is ready, then lets open requests finish.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) {
        let Self {
            app,
            back_channel,
            listener,
            redirect,
        } = self;
        let mut beside = JoinSet::new();
        beside.spawn(upkeep::keep_keys(app.clone()));
        beside.spawn(upkeep::sweep(app.clone()));
        beside.spawn(back_channel.clone().run());
        if app.config.redis.url_file.is_some() {
            beside.spawn(fan_out::write_keys(app.clone()));
            beside.spawn(fan_out::listen(app.clone()));
        }
        if let Some(listener) = redirect {
            let router = redirect::router(app.config.issuer.as_str().to_owned());
            beside.spawn(async move { listener.serve(router, std::future::pending()).await });
        }
        tracing::info!(address = %listener.local_addr(), issuer = %app.config.issuer, "ready");
        let feed = app.feed.clone();
        let shutdown = async move {
            shutdown.await;
            // Streams never end by themselves; without a word they would hold the shutdown up.
            feed.close();
        };
        listener.serve(router(app.clone()), shutdown).await;
        beside.shutdown().await;
        if let Err(error) = back_channel.hand_back().await {
            tracing::warn!(%error, "clients that were being told of a logout are told when ten seconds have passed");
        }
        tracing::info!("stopped");
    }
}

fn listen_config(listen: &Listen) -> ListenConfig {
    let tls = listen
        .tls_certificate_file
        .clone()
        .zip(listen.tls_key_file.clone());
    ListenConfig {
        address: listen.address.clone(),
        tls: tls.map(|(certificate, key)| TlsFiles { certificate, key }),
        trusted_proxies: listen.trusted_proxies.clone(),
        max_connections: listen.max_connections,
        max_connections_per_address: listen.max_connections_per_address,
        shutdown_grace: listen.shutdown_grace.duration(),
        ..ListenConfig::default()
    }
}
