//! Back-channel logout: tells clients, server to server, that a session has ended. What is still to be told lies in the store.
//!
//! Spec: OpenID Connect Back-Channel Logout 1.0 §2.4, §2.5, §2.7, §2.8

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use carnet_client::error::ClientError;
use carnet_client::http::HttpClient;
use carnet_jose::{base64url, primitive};
use carnet_oauth::logout_token::{LogoutEvents, LogoutTokenClaims};
use carnet_store::{AuditAction, LogoutNotice, NewAudit, Outcome, RegisteredBy, StoreError};
use http::HeaderMap;
use serde_json::json;
use tokio::task::JoinSet;

use crate::app::App;
use crate::client::Client;
use crate::outbound;
use crate::token::id_token;
use crate::trouble::Trouble;

/// How soon a notice is looked for. With what the client takes to answer, it knows within two seconds.
const ROUND: Duration = Duration::from_millis(500);
/// So many are told at the same time of the operator's clients, and as many of those that registered themselves: whatever strangers do, it
/// takes nothing from the others.
const AT_ONCE: usize = 256;
/// Whoever has taken a notice has this long for it: longer than any answer may take. What a process that was killed had taken waits for so long.
const LEASE_MS: i64 = 10_000;
/// When a notice is tried again after each failure; after the last of these it is given up: seven attempts in about seven hours.
const WAITS_MS: [i64; 6] = [5_000, 30_000, 120_000, 600_000, 3_600_000, 21_600_000];
/// §2.4 recommends two minutes at most.
const TOKEN_SECONDS: u64 = 120;

/// Tells clients what has ended. Any number of processes may do so beside each other.
#[derive(Clone)]
pub struct BackChannel {
    app: App,
    http: HttpClient,
    taken: Arc<Mutex<HashMap<String, LogoutNotice>>>,
}

/// A notice, and the client that wants it.
struct Due {
    notice: LogoutNotice,
    client: Arc<Client>,
    uri: String,
}

impl BackChannel {
    /// Asks what the configuration allows.
    pub fn new(app: App) -> Result<Self, ClientError> {
        let http = outbound::http_client(&app.config)?;
        Ok(Self {
            app,
            http,
            taken: Arc::default(),
        })
    }

    /// Tells clients until the future is dropped. A client that is slow holds up no other.
    pub(crate) async fn run(self) {
        tokio::join!(
            self.run_for(RegisteredBy::Operator),
            self.run_for(RegisteredBy::Themselves)
        );
    }

    async fn run_for(&self, registered_by: RegisteredBy) {
        let mut rounds = tokio::time::interval(ROUND);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut under_way, mut trouble) = (JoinSet::new(), Trouble::default());
        let mut rest = Duration::ZERO;
        loop {
            // Whoever answers soon is told the next thing at once.
            tokio::select! {
                _ = rounds.tick() => {}
                Some(_) = under_way.join_next() => {}
            }
            // Where much is to be told a look takes long: we rest for as long as it took, up to a round.
            tokio::time::sleep(rest).await;
            while under_way.try_join_next().is_some() {}
            let free = AT_ONCE.saturating_sub(under_way.len());
            let began = Instant::now();
            let due = self.due((registered_by, free)).await;
            rest = began.elapsed().min(ROUND);
            match due {
                Ok(due) => {
                    if trouble.ends() {
                        tracing::info!("logout notices are read again");
                    }
                    for due in due {
                        let channel = self.clone();
                        under_way.spawn(async move { channel.tell(due).await });
                    }
                }
                Err(error) if trouble.is_told(Instant::now()) => {
                    tracing::warn!(%error, "logout notices could not be read; tried again until it works");
                }
                Err(_) => {}
            }
        }
    }

    /// Everything that is due at this moment, once; how many clients were asked.
    pub async fn round(&self) -> Result<usize, StoreError> {
        let mut under_way = JoinSet::new();
        for registered_by in [RegisteredBy::Operator, RegisteredBy::Themselves] {
            for due in self.due((registered_by, AT_ONCE)).await? {
                let channel = self.clone();
                under_way.spawn(async move { channel.tell(due).await });
            }
        }
        Ok(under_way.join_all().await.len())
    }

    /// What was under way when the future was dropped is due at once, for whoever tells clients next.
    pub async fn hand_back(&self) -> Result<(), StoreError> {
        let notices = std::mem::take(&mut *self.taken());
        let now = self.app.now();
        let back = notices
            .values()
            .map(|notice| self.app.store.postpone_logout_notice(notice, now));
        // One that cannot be handed back keeps no other.
        let told = futures_util::future::join_all(back).await;
        told.into_iter().collect()
    }

    /// So many notices that somebody wants, ours for the lease. Those that nobody wants are dropped on the way.
    async fn due(&self, (registered_by, most): (RegisteredBy, usize)) -> Result<Vec<Due>, StoreError> {
        let app = &self.app;
        let batch = i64::try_from(most).unwrap_or(i64::MAX);
        loop {
            let claimed = match most {
                0 => Vec::new(),
                _ => {
                    app.store
                        .claim_logout_notices((app.now(), LEASE_MS), (registered_by, batch))
                        .await?
                }
            };
            let all = claimed.len();
            let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
            for notice in claimed {
                let client = app.client(&notice.client_id).await?;
                let uri = client
                    .as_ref()
                    .and_then(|client| client.backchannel_logout_uri.clone());
                match client.zip(uri) {
                    Some((client, uri)) => wanted.push(Due { notice, client, uri }),
                    None => unwanted.push(notice.sid),
                }
            }
            if !unwanted.is_empty() {
                app.store.drop_logout_notices(&unwanted).await?;
            }
            if !wanted.is_empty() || all == 0 {
                let named = wanted
                    .iter()
                    .map(|due| (due.notice.sid.clone(), due.notice.clone()));
                self.taken().extend(named);
                return Ok(wanted);
            }
        }
    }

    async fn tell(&self, due: Due) {
        let told = self.post(&due).await;
        if let Err(why) = &told {
            tracing::info!(client_id = %due.client.id, attempts = due.notice.attempts, %why, "a client could not be told of a logout");
        }
        if let Err(error) = self.note(&due.notice, told).await {
            // It comes back when its lease has ended.
            tracing::warn!(%error, client_id = %due.client.id, "what came of a logout notice could not be written down");
        }
        self.taken().remove(&due.notice.sid);
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<String, LogoutNotice>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// §2.5: the token in a form. §2.8: 200 means that it is done; 204 is what some frameworks make of it.
    async fn post(&self, due: &Due) -> Result<(), String> {
        let token = self.token(due)?;
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("logout_token", &token)
            .finish();
        let status = self.http.status_of_form(&due.uri, HeaderMap::new(), form).await;
        match status.map_err(|error| error.to_string())?.as_u16() {
            200 | 204 => Ok(()),
            status => Err(format!("{} answered {status}", due.uri)),
        }
    }

    /// A new one for each attempt: it lives two minutes and counts once.
    fn token(&self, due: &Due) -> Result<String, String> {
        let (app, client) = (&self.app, &due.client);
        let algorithm = id_token::algorithm(app, client).ok_or("no key is kept that could sign")?;
        let signer = app.keys.logout_token_signer(algorithm);
        let signer = signer.ok_or("there is no active signing key")?;
        let mut jti = [0; 16];
        primitive::fill_random(&mut jti).map_err(|error| error.to_string())?;
        let now = app.now_seconds();
        let claims = LogoutTokenClaims {
            iss: app.config.issuer.as_str().to_owned(),
            aud: client.id.clone(),
            sub: due.notice.sub.clone(),
            sid: due.notice.sid.clone(),
            iat: now,
            exp: now.saturating_add(TOKEN_SECONDS),
            jti: base64url::encode(&jti),
            events: LogoutEvents::default(),
        };
        signer.sign(&claims).map_err(|error| error.to_string())
    }

    async fn note(&self, notice: &LogoutNotice, told: Result<(), String>) -> Result<(), StoreError> {
        let (store, now) = (&self.app.store, self.app.now());
        let wait = usize::try_from(notice.attempts - 1)
            .ok()
            .and_then(|n| WAITS_MS.get(n));
        let outcome = match (&told, wait) {
            (Ok(()), _) => Outcome::Success,
            (Err(_), Some(wait)) => {
                return store
                    .postpone_logout_notice(notice, now.saturating_add(*wait))
                    .await;
            }
            (Err(_), None) => Outcome::Failed,
        };
        if let Err(why) = told {
            tracing::warn!(client_id = %notice.client_id, attempts = notice.attempts, %why, "a client was never told of a logout: given up");
        }
        let audit = NewAudit {
            outcome,
            code: if outcome == Outcome::Success {
                ""
            } else {
                "logout_not_delivered"
            }
            .to_owned(),
            session: notice.sid.clone(),
            details: json!({ "attempts": notice.attempts }).to_string(),
            ..NewAudit::success("system", AuditAction::LogoutNotice, notice.client_id.as_str())
        };
        store.finish_logout_notice(notice, (now, &audit)).await
    }
}
