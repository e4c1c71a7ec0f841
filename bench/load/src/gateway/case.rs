//! What is asked of whom: each program in each case, one piece after the other, so that what disturbs the machine disturbs them all.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use carnet_jose::Algorithm;

use super::CONNECTIONS;
use super::proxy::{Program, Proxy};
use super::tokens::Issuer;
use super::wire::Wire;
use crate::Outcome;
use crate::drive::{self, Rate};

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    /// Without a token.
    Plain,
    /// One token again and again, remembered by who can.
    Hit,
    /// A token that was never seen, each time.
    Cold(Algorithm),
}

impl Case {
    pub(super) const ALL: [Self; 4] = [
        Self::Plain,
        Self::Hit,
        Self::Cold(Algorithm::Es256),
        Self::Cold(Algorithm::Rs256),
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain route",
            Self::Hit => "token seen before (ES256)",
            Self::Cold(Algorithm::Es256) => "every token new, ES256",
            Self::Cold(_) => "every token new, RS256",
        }
    }

    /// Whether the program can do it: Caddy has no tokens, HAProxy and nginx remember none.
    pub(super) fn is_for(self, program: Program) -> bool {
        match self {
            Self::Plain => true,
            Self::Hit => matches!(program, Program::Carnet | Program::Envoy),
            Self::Cold(_) => program != Program::Caddy,
        }
    }

    pub(super) fn path(self, program: Program) -> &'static str {
        match self {
            Self::Plain => "/plain/orders",
            Self::Hit if program == Program::Envoy => "/cached/orders",
            _ => "/jwt/orders",
        }
    }
}

/// The tokens of a run.
pub(super) struct Supply {
    one: String,
    other: [String; 2],
    es256: Arc<Vec<String>>,
    rs256: Arc<Vec<String>>,
}

impl Supply {
    pub(super) fn create(issuer: &Issuer, count: usize) -> Outcome<Self> {
        let (es256, rs256) = (Algorithm::Es256, Algorithm::Rs256);
        Ok(Self {
            one: issuer.token(es256, "alice")?,
            other: [issuer.token(es256, "bob")?, issuer.token(rs256, "bob")?],
            es256: issuer.tokens(es256, count)?,
            rs256: issuer.tokens(rs256, count)?,
        })
    }

    /// Tokens that are all different.
    pub(super) fn distinct(&self, algorithm: Algorithm) -> &Arc<Vec<String>> {
        match algorithm {
            Algorithm::Es256 => &self.es256,
            _ => &self.rs256,
        }
    }

    /// The service is told who asks, and nothing that the client says of that.
    async fn check(&self, case: Case, (program, proxy): (Program, &Proxy)) -> Outcome<()> {
        let path = case.path(program);
        let (token, expected) = match case {
            Case::Plain => ("", "nobody"),
            Case::Hit => (self.one.as_str(), "alice"),
            Case::Cold(Algorithm::Es256) => (self.other[0].as_str(), "bob"),
            Case::Cold(_) => (self.other[1].as_str(), "bob"),
        };
        let said = proxy.who(path, token).await?;
        match said == expected {
            true => Ok(()),
            false => Err(format!("{}: the service is told {said}, not {expected}", program.name()).into()),
        }
    }

    /// One piece: as fast as answers come, until the time is over, or the new tokens are used up.
    pub(super) async fn piece(
        &self,
        case: Case,
        (program, proxy): (Program, &Proxy),
        length: Duration,
    ) -> Outcome<Rate> {
        self.check(case, (program, proxy)).await?;
        let next = Arc::new(AtomicUsize::new(0));
        let mut jobs = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut wire = Wire::open(&proxy.address).await?;
            // Connections to the service, and memory, are there before it counts.
            wire.prepare("/plain/orders", "");
            wire.ask().await?;
            let path = case.path(program);
            let fresh = match case {
                Case::Cold(algorithm) => Some((Arc::clone(self.distinct(algorithm)), Arc::clone(&next))),
                Case::Plain => None,
                Case::Hit => {
                    wire.prepare(path, &self.one);
                    None
                }
            };
            if case == Case::Plain {
                wire.prepare(path, "");
            }
            jobs.push(async move {
                let (started, mut done) = (Instant::now(), 0);
                while started.elapsed() < length {
                    if let Some((tokens, next)) = &fresh {
                        let Some(token) = tokens.get(next.fetch_add(1, Relaxed)) else {
                            break;
                        };
                        wire.prepare(path, token);
                    }
                    wire.ask().await?;
                    done += 1;
                }
                Ok(done)
            });
        }
        drive::closed_loop(&proxy.process, jobs).await
    }
}
