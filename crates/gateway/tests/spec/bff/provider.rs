//! An issuer that says yes to everybody, as strictly as the specs ask.

mod answers;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use carnet_guard::Clock as _;
use carnet_guard::testing::TestClock;
use carnet_jose::{Algorithm, AnySigningKey, KeySet, Signer, TokenType};
use carnet_oauth::pkce::Challenge;
use http::StatusCode;
use serde_json::{Value, json};

use answers::answer;

use crate::harness::{AUDIENCE, Running};

/// What an issuer knows.
pub(super) struct Issuer {
    pub(super) clock: TestClock,
    access: Signer,
    id: Signer,
    logout: Signer,
    jwks: Value,
    url: Mutex<String>,
    codes: Mutex<HashMap<String, HashMap<String, String>>>,
    pushed: Mutex<HashMap<String, HashMap<String, String>>>,
    /// The refresh token that is good.
    current: Mutex<String>,
    /// The one before it, and what was answered.
    last: Mutex<(String, Value)>,
    numbers: AtomicU64,
    pub(super) refreshes: AtomicUsize,
    redeemed: AtomicUsize,
    revocations: AtomicUsize,
    gate: tokio::sync::RwLock<()>,
    returns: tokio::sync::RwLock<()>,
    pub(super) revoked: Mutex<Vec<String>>,
    pub(super) manner: Mutex<Manner>,
    /// The credentials that somebody has shown last.
    pub(super) shown: Mutex<String>,
    first: Mutex<u64>,
    messages: Signer,
    /// What its feed of revocations says; none answers while there is nothing.
    taken_back: Mutex<Option<String>>,
}

/// How it behaves.
#[derive(Clone)]
pub(super) struct Manner {
    /// Answers the token endpoint with this instead.
    pub(super) trouble: Option<(u16, &'static str)>,
    /// The token endpoint takes so many seconds, by the clock as well.
    pub(super) slow: u64,
    /// The nonce of ID tokens, when it is not the one that was sent.
    pub(super) nonce: Option<&'static str>,
    /// The `iss` of its answers, when it is not its own.
    pub(super) iss: Option<&'static str>,
    /// Says no.
    pub(super) denies: Option<&'static str>,
    /// Takes requests beforehand.
    pub(super) par: bool,
    pub(super) sub: &'static str,
    /// Says so much of everybody's name.
    pub(super) name_bytes: usize,
    /// Takes the refresh token before the present one as well, and answers as it did then.
    pub(super) grace: bool,
    /// Refuses such requests.
    pub(super) par_refuses: Option<&'static str>,
    /// Answers with this instead when a code is redeemed.
    pub(super) code_trouble: Option<(u16, &'static str)>,
    /// Refreshes are answered with an ID token in which this is another than at the login; `null` takes a claim away.
    pub(super) retold: Option<Value>,
    /// What becomes of such an ID token on its way.
    pub(super) spoils: fn(String) -> String,
    /// Nobody gets its keys.
    pub(super) keyless: bool,
    /// What its metadata does not name.
    pub(super) lacks: &'static [&'static str],
}

impl Issuer {
    pub(super) async fn start(clock: TestClock) -> (Arc<Self>, Running) {
        let keys = || AnySigningKey::generate(Algorithm::Es256).unwrap();
        let (access, id, logout, messages) = (keys(), keys(), keys(), keys());
        let named = |kid: &str, key: &AnySigningKey| (Some(kid.to_owned()), key.verifying_key());
        let set = [
            named("a", &access),
            named("i", &id),
            named("l", &logout),
            named("m", &messages),
        ];
        let set = KeySet::new(set.to_vec()).unwrap();
        let signer = |key, kind, kid: &str| Signer::new(key, kind, Some(kid.to_owned())).unwrap();
        let issuer = Arc::new(Self {
            clock,
            access: signer(access, TokenType::AccessToken, "a"),
            id: signer(id, TokenType::IdToken, "i"),
            logout: signer(logout, TokenType::Other("logout+jwt"), "l"),
            jwks: serde_json::from_str(&set.to_jwks_json().unwrap()).unwrap(),
            messages: signer(messages, TokenType::Other("revocations+jwt"), "m"),
            taken_back: Mutex::default(),
            shown: Mutex::default(),
            first: Mutex::default(),
            url: Mutex::default(),
            codes: Mutex::default(),
            pushed: Mutex::default(),
            current: Mutex::default(),
            last: Mutex::default(),
            numbers: AtomicU64::new(1),
            refreshes: AtomicUsize::new(0),
            redeemed: AtomicUsize::new(0),
            revocations: AtomicUsize::new(0),
            gate: tokio::sync::RwLock::default(),
            returns: tokio::sync::RwLock::default(),
            revoked: Mutex::default(),
            manner: Mutex::new(Manner {
                trouble: None,
                slow: 0,
                nonce: None,
                iss: None,
                denies: None,
                par: false,
                sub: "user_1",
                name_bytes: 5,
                grace: false,
                par_refuses: None,
                code_trouble: None,
                retold: None,
                spoils: |token| token,
                keyless: false,
                lacks: &[],
            }),
        });
        let running = Running::start(Router::new().fallback(answer).with_state(issuer.clone())).await;
        *issuer.url.lock().unwrap() = format!("http://{}", running.address);
        (issuer, running)
    }

    pub(super) fn url(&self) -> String {
        self.url.lock().unwrap().clone()
    }

    pub(super) fn manner(&self, change: impl FnOnce(&mut Manner)) {
        change(&mut self.manner.lock().unwrap());
    }

    pub(super) fn refreshes(&self) -> usize {
        self.refreshes.load(Ordering::SeqCst)
    }

    /// How many times a code was shown.
    pub(super) fn redeemed(&self) -> usize {
        self.redeemed.load(Ordering::SeqCst)
    }

    /// Nothing that is given back is taken until it is dropped.
    pub(super) fn hold_returns(&self) -> tokio::sync::RwLockWriteGuard<'_, ()> {
        self.returns.try_write().unwrap()
    }

    /// Somebody has brought a token back.
    pub(super) async fn until_brought_back(&self) {
        crate::harness::soon(async {
            while self.revocations.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Nobody gets tokens until it is dropped.
    pub(super) fn hold(&self) -> tokio::sync::RwLockWriteGuard<'_, ()> {
        self.gate.try_write().unwrap()
    }

    /// Somebody waits for tokens.
    pub(super) async fn until_held(&self) {
        crate::harness::soon(async {
            while self.redeemed() == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// So many refreshes were asked for.
    pub(super) async fn until_refreshes(&self, count: usize) {
        crate::harness::soon(async {
            while self.refreshes() < count {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    pub(super) fn now(&self) -> u64 {
        self.clock.since_epoch().as_secs()
    }

    /// A logout token with these claims as well; `null` takes one away.
    pub(super) fn logout_token(&self, more: &Value) -> String {
        self.logout.sign(&self.logout_claims(more)).unwrap()
    }

    /// The same claims in a token of another type.
    pub(super) fn mistyped_logout_token(&self) -> String {
        self.id.sign(&self.logout_claims(&json!({}))).unwrap()
    }

    fn logout_claims(&self, more: &Value) -> Value {
        let now = self.now();
        let mut claims = json!({
            "iss": self.url(), "aud": "app", "iat": now, "exp": now + 120, "jti": format!("j{}", self.number()),
            "sub": "user_1", "sid": "sid_1",
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        change(&mut claims, more);
        claims
    }

    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::SeqCst)
    }

    fn metadata(&self) -> Value {
        let url = self.url();
        let mut metadata = json!({
            "issuer": url, "jwks_uri": format!("{url}/jwks"), "authorization_endpoint": format!("{url}/authorize?tenant=1"),
            "token_endpoint": format!("{url}/token"), "revocation_endpoint": format!("{url}/revoke"),
            "end_session_endpoint": format!("{url}/logout"), "authorization_response_iss_parameter_supported": true,
            "response_types_supported": ["code"], "userinfo_endpoint": format!("{url}/userinfo"),
            "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["ES256"],
            "claims_supported": [], "claims_parameter_supported": false, "request_parameter_supported": false,
            "request_uri_parameter_supported": false,
        });
        let manner = self.manner.lock().unwrap().clone();
        if manner.par {
            metadata["pushed_authorization_request_endpoint"] = json!(format!("{url}/par"));
        }
        for name in manner.lacks {
            change(&mut metadata, &json!({ *name: null }));
        }
        metadata
    }

    /// The name of the first access token.
    pub(super) fn first_token(&self) -> String {
        let first = self.first.lock().unwrap();
        format!("at{first}")
    }

    /// From now on its feed says that this is taken back, and nothing else; `null` is nothing at all.
    pub(super) fn takes_back(&self, entry: &Value) {
        let entries: Vec<&Value> = Some(entry).filter(|entry| !entry.is_null()).into_iter().collect();
        let claims = json!({
            "iss": self.url(), "aud": "gateway", "iat": self.now(), "epoch": format!("e{}", self.number()), "since": 0, "cursor": 1,
            "entries": entries,
        });
        *self.taken_back.lock().unwrap() = Some(self.messages.sign(&claims).unwrap());
    }

    /// Where the browser goes after a login at `location`.
    pub(super) fn log_in(&self, location: &str) -> String {
        let url = url::Url::parse(location).unwrap();
        let mut asked: HashMap<String, String> = url.query_pairs().into_owned().collect();
        if let Some(uri) = asked.get("request_uri") {
            asked = self.pushed.lock().unwrap().remove(uri).unwrap();
        }
        for (name, value) in [
            ("response_type", "code"),
            ("client_id", "app"),
            ("code_challenge_method", "S256"),
        ] {
            assert_eq!(asked[name], value);
        }
        let manner = self.manner.lock().unwrap().clone();
        let mut back = url::Url::parse(&asked["redirect_uri"]).unwrap();
        let own = self.url();
        back.query_pairs_mut()
            .append_pair("state", &asked["state"])
            .append_pair("iss", manner.iss.unwrap_or(&own));
        match manner.denies {
            Some(error) => drop(back.query_pairs_mut().append_pair("error", error)),
            None => {
                let code = format!("code{}", self.number());
                back.query_pairs_mut().append_pair("code", &code);
                self.codes.lock().unwrap().insert(code, asked);
            }
        }
        format!("{}?{}", back.path(), back.query().unwrap())
    }

    fn tokens(&self, nonce: Option<&str>) -> Value {
        let (now, number) = (self.now(), self.number());
        let mut first = self.first.lock().unwrap();
        *first = if *first == 0 { number } else { *first };
        drop(first);
        let manner = self.manner.lock().unwrap().clone();
        let claims = json!({
            "iss": self.url(), "aud": AUDIENCE, "sub": manner.sub, "client_id": "app", "jti": format!("at{number}"),
            "iat": now, "exp": now + 600, "sid": "sid_1", "scope": "read:orders", "roles": ["editor"],
        });
        let refresh_token = format!("rt-secret-{number}");
        self.current.lock().unwrap().clone_from(&refresh_token);
        let mut tokens = json!({
            "access_token": self.access.sign(&claims).unwrap(), "token_type": "Bearer", "expires_in": 600,
            "refresh_token": refresh_token,
        });
        let (more, spoils): (_, fn(String) -> String) = match nonce {
            Some(_) => (Some(json!({})), |token| token),
            None => (manner.retold, manner.spoils),
        };
        if let Some(more) = more {
            let mut claims = json!({
                "iss": self.url(), "aud": "app", "sub": manner.sub, "iat": now, "exp": now + 300, "sid": "sid_1", "auth_time": now,
                "name": format!("{:x<1$}", "Alice", manner.name_bytes), "roles": ["editor"], "at_hash": "x",
            });
            if let Some(nonce) = nonce {
                claims["nonce"] = json!(manner.nonce.unwrap_or(nonce));
            }
            change(&mut claims, &more);
            tokens["id_token"] = json!(spoils(self.id.sign(&claims).unwrap()));
        }
        tokens
    }

    async fn token(&self, form: &HashMap<String, String>) -> (StatusCode, Value) {
        let no = |error: &str| (StatusCode::BAD_REQUEST, json!({ "error": error }));
        if form["grant_type"] == "authorization_code" {
            self.redeemed.fetch_add(1, Ordering::SeqCst);
            drop(self.gate.read().await);
            let trouble = self.manner.lock().unwrap().code_trouble;
            if let Some((status, error)) = trouble {
                return (StatusCode::from_u16(status).unwrap(), json!({ "error": error }));
            }
            let asked = self.codes.lock().unwrap().remove(&form["code"]);
            let Some(asked) = asked else {
                return no("invalid_grant");
            };
            let challenge = Challenge::parse(&asked["code_challenge"]).unwrap();
            if !challenge.matches(&form["code_verifier"]) || asked["redirect_uri"] != form["redirect_uri"] {
                return no("invalid_grant");
            }
            return (StatusCode::OK, self.tokens(Some(&asked["nonce"])));
        }
        self.refreshes.fetch_add(1, Ordering::SeqCst);
        let manner = self.manner.lock().unwrap().clone();
        let revoked = self.revoked.lock().unwrap().contains(&form["refresh_token"]);
        drop(self.gate.read().await);
        for _ in 0..manner.slow {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.clock.wait(Duration::from_secs(1));
        }
        if let Some((status, error)) = manner.trouble {
            return (StatusCode::from_u16(status).unwrap(), json!({ "error": error }));
        }
        let token = &form["refresh_token"];
        let (last, answer) = self.last.lock().unwrap().clone();
        if manner.grace && last == *token {
            return (StatusCode::OK, answer);
        }
        let good = *self.current.lock().unwrap() == *token;
        if good && !revoked {
            let answer = self.tokens(None);
            *self.last.lock().unwrap() = (token.clone(), answer.clone());
            (StatusCode::OK, answer)
        } else {
            no("invalid_grant")
        }
    }
}

/// `null` takes a member away.
fn change(object: &mut Value, more: &Value) {
    for (name, value) in more.as_object().unwrap() {
        match value {
            Value::Null => drop(object.as_object_mut().unwrap().remove(name)),
            value => object[name] = value.clone(),
        }
    }
}
