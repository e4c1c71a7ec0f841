//! The life of a listener, as its connections hear of it.
//!
//! Spec: RFC 9112 §9.6 · RFC 9113 §6.8 · RFC 6455 §7.4.1 (1001)

use tokio::sync::watch;

/// The life of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) enum Phase {
    /// Requests are answered.
    Open,
    /// Requests that are here are answered, others are not.
    Closing,
    /// Nothing is answered.
    Closed,
}

/// Waits until the listener is in this phase or a later one.
pub(super) async fn reached(mut phase: watch::Receiver<Phase>, at_least: Phase) {
    let _ = phase.wait_for(|phase| *phase >= at_least).await;
}

/// In the extensions of an answer: it has no end of its own, and ends, as a whole one does, when the listener takes no more connections.
#[derive(Clone, Copy, Debug)]
pub struct Endless;

/// In the extensions of a request that may switch to another protocol: the word that it is time to go, which nobody else tells what is no HTTP any more.
#[derive(Clone, Debug)]
pub struct Closing(pub(super) watch::Receiver<Phase>);

impl Closing {
    /// Waits until the listener takes no more connections.
    pub async fn reached(self) {
        reached(self.0, Phase::Closing).await;
    }
}
