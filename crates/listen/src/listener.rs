//! The accept loop.
//!
//! Spec: RFC 9112 §9.6 (closing)

use std::{future::Future, io, pin::pin, sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, sleep, timeout},
};

use super::{
    answers::Answers,
    config::ListenConfig,
    connection::{Guest, House, attend, http},
    crowd::{Crowd, Seat},
    peer::PeerAddr,
    phase::Phase,
    socket::{Socket, Stream},
    tls::Certificate,
    value::Address,
};

/// A bound address, and the certificate that goes with it.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    local: Address,
    certificate: Option<Arc<Certificate>>,
    config: ListenConfig,
}

impl Listener {
    /// Reads the certificate and takes the port, or the name of the socket; from here on connections queue. A socket is its owner's and its
    /// group's alone (0660), and goes when this one does; what a dead process has left under its name goes before.
    ///
    /// The error says what is wrong with the files, or which address is not free.
    pub async fn bind(config: ListenConfig) -> io::Result<Self> {
        let load = |files| Certificate::load(files, config.client_certificates);
        let certificate = config.tls.clone().map(load).transpose()?;
        let name = |error: io::Error| {
            io::Error::new(
                error.kind(),
                format!("cannot listen on {}: {error}", config.address),
            )
        };
        let (socket, local) = Socket::bind(&config.address).await.map_err(name)?;
        Ok(Self {
            socket,
            local,
            certificate,
            config,
        })
    }

    /// Where it listens: the port that was chosen when 0 was asked for.
    pub const fn local_addr(&self) -> &Address {
        &self.local
    }

    /// Answers until `shutdown` is ready; then takes no more connections, lets open requests finish for as long as
    /// the grace says, and returns.
    pub async fn serve(self, answers: impl Answers, shutdown: impl Future<Output = ()>) {
        let Self {
            socket,
            certificate,
            config,
            ..
        } = self;
        let all = config.max_connections.clamp(1, MOST_CONNECTIONS) as u32;
        let grace = config.shutdown_grace;
        let places = Arc::new(Semaphore::new(all as usize));
        let (phase, watched) = watch::channel(Phase::Open);
        let crowd = Crowd::new(config.max_connections_per_address, config.trusted_proxies.clone());
        let http = http(&config);
        let house = Arc::new(House {
            config,
            answers,
            http,
            certificate: certificate.clone(),
        });
        let entrance = Entrance {
            socket,
            places: Arc::clone(&places),
            crowd,
            house,
            watched,
        };
        tokio::select! {
            biased;
            () = pin!(shutdown) => {}
            () = entrance.welcome() => {}
            () = keep_fresh(certificate) => {}
        }
        drop(entrance);
        phase.send_replace(Phase::Closing);
        // Whoever is inside holds a place.
        if timeout(grace, places.acquire_many(all)).await.is_err() {
            let left = all as usize - places.available_permits();
            tracing::warn!(
                connections = left,
                "closing connections whose requests did not finish in time"
            );
        }
        phase.send_replace(Phase::Closed);
    }
}

async fn keep_fresh(certificate: Option<Arc<Certificate>>) {
    match certificate {
        Some(certificate) => certificate.keep_fresh().await,
        None => std::future::pending().await,
    }
}

/// Where connections come in.
struct Entrance<A> {
    socket: Socket,
    places: Arc<Semaphore>,
    crowd: Arc<Crowd>,
    house: Arc<House<A>>,
    watched: watch::Receiver<Phase>,
}

impl<A: Answers> Entrance<A> {
    /// Never ends.
    async fn welcome(&self) {
        let mut complained = false;
        let mut crowded = Crowded::default();
        loop {
            let arrival = accept(&self.socket, &self.places, &mut complained).await;
            let Some((socket, peer, permit)) = arrival else {
                continue;
            };
            let Some(place) = self.crowd.admit(peer) else {
                crowded.turned_away(&peer, self.house.config.max_connections_per_address);
                continue;
            };
            let guest = Guest {
                peer,
                phase: self.watched.clone(),
                seat: Seat {
                    _place: place,
                    _permit: permit,
                },
            };
            tokio::spawn(attend(socket, guest, Arc::clone(&self.house)));
        }
    }
}

/// Says that an address has its fill, once a minute: whoever is turned away sees nothing but a closed connection.
#[derive(Default)]
struct Crowded {
    said: Option<Instant>,
    /// Turned away since then.
    unsaid: u64,
}

impl Crowded {
    fn turned_away(&mut self, peer: &PeerAddr, limit: usize) {
        self.unsaid += 1;
        if self.said.is_some_and(|said| said.elapsed() < SAY_AGAIN) {
            return;
        }
        tracing::warn!(
            %peer,
            limit,
            turned_away = self.unsaid,
            "an address has as many connections as listen.max_connections_per_address allows; more are closed"
        );
        (self.said, self.unsaid) = (Some(Instant::now()), 0);
    }
}

/// The next connection, or nothing when this one failed.
async fn accept(
    socket: &Socket,
    places: &Arc<Semaphore>,
    complained: &mut bool,
) -> Option<(Stream, PeerAddr, OwnedSemaphorePermit)> {
    // A full house lets connections wait in the system's queue rather than turning them away.
    let permit = Arc::clone(places).acquire_owned().await.ok()?;
    match socket.accept().await {
        Ok((socket, peer)) => {
            *complained = false;
            Some((socket, peer, permit))
        }
        Err(error) if is_the_peers(&error) => None,
        Err(error) => {
            if !*complained {
                tracing::error!(%error, "cannot accept connections; trying again every second");
                *complained = true;
            }
            // Out of file descriptors, most likely: trying at once would only burn a core.
            sleep(Duration::from_secs(1)).await;
            None
        }
    }
}

/// The peer left before it was greeted.
fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

/// Between two words about crowded addresses.
const SAY_AGAIN: Duration = Duration::from_secs(60);
/// Within what a semaphore counts on any machine.
const MOST_CONNECTIONS: usize = 1 << 28;
