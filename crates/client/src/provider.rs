//! An authorization server as one client knows it: found when it is first needed, and looked at again once an hour.
//!
//! Spec: RFC 8414 §3 · OpenID Connect RP-Initiated Logout §2.1

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use url::Url;

use crate::clock::Clock;
use crate::credentials::Credentials;
use crate::discovery::discover;
use crate::error::ClientError;
use crate::flight::Flight;
use crate::http::HttpClient;
use crate::token::Client;

/// Who issues the tokens of a client, and who that client is there.
pub struct Provider {
    http: HttpClient,
    issuer: String,
    id: String,
    credentials: Credentials,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    client: Option<(Duration, Arc<Client>)>,
    /// The look that was begun last, and when.
    look: Option<(Duration, Flight<Looked>)>,
}

type Looked = Result<Arc<Client>, ClientError>;

/// What was known before, and the look to wait for.
type Looking = (Option<Arc<Client>>, Flight<Looked>);

impl Provider {
    /// The client `id` at `issuer`. Nothing is asked yet: a server that is down is no error here.
    pub fn new(
        http: HttpClient,
        issuer: impl Into<String>,
        (id, credentials): (&str, Credentials),
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            http,
            issuer: issuer.into(),
            id: id.to_owned(),
            credentials,
            clock,
            known: Mutex::default(),
        }
    }

    /// The client, with the endpoints of its server. What was known goes on while the server does not answer.
    pub async fn client(&self) -> Looked {
        let (known, flight) = match self.look() {
            Ok(client) => return Ok(client),
            Err(look) => look,
        };
        let gone = || ClientError::Unreachable(format!("{}: nobody asks any more", self.issuer));
        let looked = flight.wait().await.unwrap_or_else(|| Err(gone()));
        if let Ok(client) = &looked {
            let now = self.clock.since_epoch();
            self.known.lock().unwrap_or_else(PoisonError::into_inner).client = Some((now, client.clone()));
        }
        looked.or_else(|error| known.ok_or(error))
    }

    /// Where the issuer ends a login itself, for this client (OpenID Connect RP-Initiated Logout §2.1); `None`, and a line in the log, when it has no such
    /// address or does not answer.
    pub async fn end_session(&self) -> Option<Url> {
        let found = self.end_session_url().await;
        let told =
            |why: &String| tracing::warn!(%why, "a logout does not reach the issuer: its own login goes on");
        found.inspect_err(told).ok()
    }

    async fn end_session_url(&self) -> Result<Url, String> {
        let client = self.client().await.map_err(|error| error.to_string())?;
        let endpoint = client.metadata().end_session_endpoint();
        let endpoint = endpoint.ok_or("its metadata names no end_session_endpoint")?;
        let mut url = Url::parse(endpoint).map_err(|_| "its end_session_endpoint is no URL")?;
        url.query_pairs_mut().append_pair("client_id", client.id());
        Ok(url)
    }

    /// What is known and fresh.
    fn look(&self) -> Result<Arc<Client>, Looking> {
        let now = self.clock.since_epoch();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, client)) = &known.client
            && (*at..*at + FRESH).contains(&now)
        {
            return Ok(client.clone());
        }
        let old = known.client.as_ref().map(|(_, client)| client.clone());
        // A look that has failed is not repeated at once: everybody would wait for a server that does not answer.
        if let Some((at, flight)) = &known.look
            && (*at..*at + PAUSE).contains(&now)
            && !matches!(flight.answer(), Some(Ok(_)))
        {
            return Err((old, flight.clone()));
        }
        let flight = Flight::start(self.found());
        known.look = Some((now, flight.clone()));
        Err((old, flight))
    }

    fn found(&self) -> impl Future<Output = Looked> + Send + 'static {
        let (http, issuer) = (self.http.clone(), self.issuer.clone());
        let (id, credentials) = (self.id.clone(), self.credentials.clone());
        async move {
            let metadata = discover(&http, &issuer).await?;
            Ok(Arc::new(Client::confidential(http, metadata, &id, credentials)))
        }
    }
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider")
            .field("issuer", &self.issuer)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

const FRESH: Duration = Duration::from_secs(3600);
/// How long a server that did not answer is left alone.
pub(crate) const PAUSE: Duration = Duration::from_secs(3);
