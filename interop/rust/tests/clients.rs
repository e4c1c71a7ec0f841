//! The crates `oauth2` and `openidconnect` against `carnet demo`: `CARNET_BIN` names the binary.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use oauth2::basic::{BasicClient, BasicErrorResponseType};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, DeviceAuthorizationUrl, PkceCodeChallenge, RedirectUrl,
    RequestTokenError, RevocationUrl, Scope, StandardDeviceAuthorizationResponse, StandardRevocableToken, TokenResponse as _, TokenUrl,
};
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreProviderMetadata, CoreUserInfoClaims};
use openidconnect::{IssuerUrl, Nonce};
use serde_json::Value;
use url::Url;

const APP: &str = "my-app-client-id";
const CLI: &str = "my-cli-client-id";
const SERVICE: &str = "service-account-id";
const CALLBACK: &str = "http://127.0.0.1/callback";

#[tokio::test]
async fn openidconnect_logs_a_person_in_and_believes_the_id_token() {
    let demo = Demo::start();
    flow("openidconnect", "code + PKCE", openid(&demo)).await;
}

#[tokio::test]
async fn oauth2_asks_for_a_service() {
    let demo = Demo::start();
    flow("oauth2", "client credentials", service(&demo)).await;
}

#[tokio::test]
async fn oauth2_logs_a_person_in_refreshes_and_revokes() {
    let demo = Demo::start();
    flow("oauth2", "code + PKCE", code_flow(&demo)).await;
}

#[tokio::test]
async fn oauth2_connects_a_device() {
    let demo = Demo::start();
    flow("oauth2", "device flow", device(&demo)).await;
}

async fn openid(demo: &Demo) {
    let http = http();
    let issuer = IssuerUrl::new(demo.issuer.clone()).unwrap();
    let metadata = CoreProviderMetadata::discover_async(issuer, &http).await.unwrap();
    let client = CoreClient::from_provider_metadata(metadata, openidconnect::ClientId::new(APP.to_owned()), None)
        .set_redirect_uri(openidconnect::RedirectUrl::new(CALLBACK.to_owned()).unwrap());
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let code = CoreAuthenticationFlow::AuthorizationCode;
    let (url, state, nonce) = client
        .authorize_url(code, CsrfToken::new_random, Nonce::new_random)
        .add_scope(Scope::new("email".to_owned()))
        .set_pkce_challenge(challenge)
        .url();
    let back = demo.browser().through(url.as_str(), "consent-allow").await;
    assert_eq!(parameter(&back, "state"), *state.secret());
    let code = AuthorizationCode::new(parameter(&back, "code"));
    let tokens = client.exchange_code(code).unwrap().set_pkce_verifier(verifier);
    let tokens = tokens.request_async(&http).await.unwrap();
    let id_token = tokens.extra_fields().id_token().unwrap();
    let claims = id_token.claims(&client.id_token_verifier(), &nonce).unwrap();
    assert!(id_token.claims(&client.id_token_verifier(), &Nonce::new_random()).is_err());
    let access_token = tokens.access_token().clone();
    let told: CoreUserInfoClaims = client
        .user_info(access_token, Some(claims.subject().clone()))
        .unwrap()
        .request_async(&http)
        .await
        .unwrap();
    assert_eq!(told.email().map(|email| email.as_str()), Some(demo.email.as_str()));
}

async fn service(demo: &Demo) {
    let client = BasicClient::new(ClientId::new(SERVICE.to_owned()))
        .set_client_secret(ClientSecret::new(demo.service_secret.clone()))
        .set_auth_type(AuthType::RequestBody)
        .set_token_uri(demo.token_url());
    let asked = client.exchange_client_credentials().add_scope(Scope::new("read:metrics".to_owned()));
    let tokens = asked.request_async(&http()).await.unwrap();
    assert_eq!(tokens.scopes().unwrap(), &[Scope::new("read:metrics".to_owned())]);
    assert!(tokens.refresh_token().is_none());
    let wrong = client.set_client_secret(ClientSecret::new("wrong".to_owned()));
    let refused = wrong.exchange_client_credentials().request_async(&http()).await;
    let Err(RequestTokenError::ServerResponse(refused)) = refused else {
        panic!("a wrong secret was not refused");
    };
    assert_eq!(*refused.error(), BasicErrorResponseType::InvalidClient);
}

async fn code_flow(demo: &Demo) {
    let client = BasicClient::new(ClientId::new(APP.to_owned()))
        .set_auth_uri(AuthUrl::new(format!("{}/oauth/authorize", demo.issuer)).unwrap())
        .set_token_uri(demo.token_url())
        .set_redirect_uri(RedirectUrl::new(CALLBACK.to_owned()).unwrap())
        .set_revocation_url(RevocationUrl::new(format!("{}/oauth/revoke", demo.issuer)).unwrap());
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state) = client
        .authorize_url(CsrfToken::new_random)
        .add_scope(Scope::new("offline_access".to_owned()))
        .set_pkce_challenge(challenge)
        .url();
    let back = demo.browser().through(url.as_str(), "consent-allow").await;
    assert_eq!(parameter(&back, "state"), *state.secret());
    let code = AuthorizationCode::new(parameter(&back, "code"));
    let tokens = client.exchange_code(code).set_pkce_verifier(verifier).request_async(&http()).await.unwrap();
    let newer = client
        .exchange_refresh_token(tokens.refresh_token().unwrap())
        .request_async(&http())
        .await
        .unwrap();
    let newest = newer.refresh_token().unwrap();
    assert_ne!(newest.secret(), tokens.refresh_token().unwrap().secret());
    // The crate revokes by https alone: what it would send is sent for it.
    let revocation = client.revoke_token(StandardRevocableToken::RefreshToken(newest.clone()));
    if let Ok(request) = revocation {
        request.request_async(&http()).await.unwrap();
        assert!(client.exchange_refresh_token(newest).request_async(&http()).await.is_err());
    }
}

async fn device(demo: &Demo) {
    let client = BasicClient::new(ClientId::new(CLI.to_owned()))
        .set_auth_type(AuthType::RequestBody)
        .set_device_authorization_url(
            DeviceAuthorizationUrl::new(format!("{}/oauth/device_authorization", demo.issuer)).unwrap(),
        )
        .set_token_uri(demo.token_url());
    let asked: StandardDeviceAuthorizationResponse = client
        .exchange_device_code()
        .add_scope(Scope::new("openid".to_owned()))
        .request_async(&http())
        .await
        .unwrap();
    let browser = demo.browser();
    let page = browser.open(asked.verification_uri_complete().unwrap().secret()).await;
    let page = browser.press(&page, &[("user_code", asked.user_code().secret())]).await;
    let page = browser.log_in(&page).await;
    browser.press(&page, &[("decision", "allow")]).await;
    let waiting = client.exchange_device_access_token(&asked);
    let tokens = waiting.request_async(&http(), tokio::time::sleep, None).await.unwrap();
    assert!(tokens.refresh_token().is_some());
}

/// Notes one cell of the matrix in the file that `MATRIX` names.
async fn flow(client: &str, name: &str, test: impl Future<Output = ()>) {
    let note = |outcome: &str| {
        if let Some(file) = std::env::var_os("MATRIX") {
            let mut file = std::fs::OpenOptions::new().append(true).open(file).unwrap();
            writeln!(file, "{client}\t{name}\t{outcome}").unwrap();
        }
    };
    struct Failed<F: Fn(&str)>(F, bool);
    impl<F: Fn(&str)> Drop for Failed<F> {
        fn drop(&mut self) {
            self.0(if self.1 { "ok" } else { "FAILED" });
        }
    }
    let mut outcome = Failed(note, false);
    test.await;
    outcome.1 = true;
}

/// A server with a user in it; stopped when it is dropped.
struct Demo {
    child: Child,
    issuer: String,
    email: String,
    password: String,
    service_secret: String,
}

impl Demo {
    fn start() -> Self {
        let binary = std::env::var_os("CARNET_BIN").expect("CARNET_BIN names no binary");
        let mut child = Command::new(binary)
            .args(["demo", "--json", "--port", "0", "--api-port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| said[name].as_str().unwrap().to_owned();
        let (_, secret) = line.split_once("client_secret=").unwrap();
        let secret = secret.split(' ').next().unwrap().to_owned();
        Self { child, issuer: text("issuer"), email: text("email"), password: text("password"), service_secret: secret }
    }

    fn token_url(&self) -> TokenUrl {
        TokenUrl::new(format!("{}/oauth/token", self.issuer)).unwrap()
    }

    fn browser(&self) -> Browser<'_> {
        let builder = reqwest::Client::builder().cookie_store(true);
        Browser { demo: self, http: builder.redirect(reqwest::redirect::Policy::none()).build().unwrap() }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// A person's browser, as far as it follows redirects and fills in forms.
struct Browser<'a> {
    demo: &'a Demo,
    http: reqwest::Client,
}

impl Browser<'_> {
    /// Logs in, presses the button and ends where the browser is sent.
    async fn through(&self, url: &str, button: &str) -> Url {
        let page = self.open(url).await;
        let page = self.log_in(&page).await;
        assert!(page.1.contains(button), "{}", page.1);
        self.press(&page, &[("decision", "allow")]).await.0
    }

    async fn log_in(&self, page: &(Url, String)) -> (Url, String) {
        let Demo { email, password, .. } = self.demo;
        self.press(page, &[("username", email), ("password", password), ("decision", "login")]).await
    }

    async fn open(&self, url: &str) -> (Url, String) {
        self.follow(self.http.get(url).send().await.unwrap()).await
    }

    async fn press(&self, (url, html): &(Url, String), typed: &[(&str, &str)]) -> (Url, String) {
        let form = html.split("<form").nth(1).unwrap_or_else(|| panic!("no form: {html}"));
        let attribute = |tag: &str, name: &str| {
            let (_, rest) = tag.split_once(&format!(" {name}=\"")).unwrap();
            rest.split('"').next().unwrap().replace("&#x2f;", "/")
        };
        let hidden = form.split("<input type=\"hidden\"").skip(1);
        let mut fields: Vec<(String, String)> =
            hidden.map(|tag| (attribute(tag, "name"), attribute(tag, "value"))).collect();
        fields.extend(typed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
        let call = self.http.post(url.join(&attribute(form, "action")).unwrap());
        let call = call.header("content-type", "application/x-www-form-urlencoded").body(body);
        self.follow(call.send().await.unwrap()).await
    }

    /// Follows redirects as long as they stay here.
    async fn follow(&self, mut reply: reqwest::Response) -> (Url, String) {
        loop {
            let here = reply.url().clone();
            let Some(location) = reply.headers().get("location") else {
                return (here, reply.text().await.unwrap());
            };
            let next = here.join(location.to_str().unwrap()).unwrap();
            if next.origin() != here.origin() {
                return (next, String::new());
            }
            reply = self.http.get(next).send().await.unwrap();
        }
    }
}

fn parameter(url: &Url, name: &str) -> String {
    let found = url.query_pairs().find(|(key, _)| key == name);
    found.unwrap_or_else(|| panic!("no {name}: {url}")).1.into_owned()
}
