//! Authorization code flow, the client's side: the address to open, and what comes back.
//!
//! Spec: RFC 6749 §4.1.1, §4.1.2 · RFC 7636 §4 · RFC 9126 §2 · RFC 9207 §2.4 · OpenID Connect Core §3.1.2.1

use carnet_jose::{base64url, primitive};
use carnet_oauth::pkce::{Challenge, S256};

use crate::error::ClientError;
use crate::token::{Client, read};

/// A request under way: what must come back, and what only we know.
pub struct Authorization {
    /// Where to send the browser; empty for one that was [resumed](Self::resume).
    pub url: String,
    /// PKCE's verifier, for [`Client::redeem`].
    pub verifier: String,
    /// What the ID token must say, if there is one.
    pub nonce: String,
    state: String,
    issuer: String,
    says_iss: bool,
}

impl Authorization {
    /// Begins one. `fields` may hold `scope`, `resource` and whatever else the server reads.
    pub fn begin(client: &Client, redirect_uri: &str, fields: &[(&str, &str)]) -> Result<Self, ClientError> {
        let metadata = client.metadata();
        let endpoint = metadata.authorization_endpoint.as_ref();
        let endpoint = client.endpoint(endpoint, "authorization_endpoint")?;
        let mut url = url::Url::parse(endpoint).map_err(|_| ClientError::Address(endpoint.to_owned()))?;
        let (verifier, state, nonce) = (random()?, random()?, random()?);
        url.query_pairs_mut()
            .extend_pairs([
                ("response_type", "code"),
                ("client_id", client.id()),
                ("redirect_uri", redirect_uri),
                ("state", &state),
                ("nonce", &nonce),
                ("code_challenge", &Challenge::of(&verifier).to_string()),
                ("code_challenge_method", S256),
            ])
            .extend_pairs(fields);
        Ok(Self {
            url: url.into(),
            verifier,
            nonce,
            state,
            issuer: metadata.issuer.clone(),
            says_iss: metadata.authorization_response_iss_parameter_supported,
        })
    }

    /// One that was begun elsewhere, or before a restart: by its `state`, its nonce and its verifier, as they were kept.
    pub fn resume(client: &Client, (state, nonce, verifier): (&str, &str, &str)) -> Self {
        let metadata = client.metadata();
        Self {
            url: String::new(),
            verifier: verifier.to_owned(),
            nonce: nonce.to_owned(),
            state: state.to_owned(),
            issuer: metadata.issuer.clone(),
            says_iss: metadata.authorization_response_iss_parameter_supported,
        }
    }

    /// The same request, told to the server beforehand, where it takes such (RFC 9126): the browser carries no more than its name.
    pub async fn pushed(mut self, client: &Client) -> Result<Self, ClientError> {
        let Some(url) = &client.metadata().pushed_authorization_request_endpoint else {
            return Ok(self);
        };
        let endpoint = client.endpoint(Some(url), "pushed_authorization_request_endpoint")?;
        let refuse = || ClientError::Address(self.url.clone());
        let whole = url::Url::parse(&self.url).map_err(|_| refuse())?;
        let bare = client.metadata().authorization_endpoint.as_deref();
        let mut address = url::Url::parse(bare.unwrap_or_default()).map_err(|_| refuse())?;
        let own = address.query_pairs().count();
        let all: Vec<_> = whole.query_pairs().skip(own).collect();
        let fields: Vec<_> = all.iter().map(|(name, value)| (&**name, &**value)).collect();
        let pushed: Pushed = read(&client.ask(endpoint, &fields).await?, endpoint)?;
        address
            .query_pairs_mut()
            .append_pair("client_id", client.id())
            .append_pair("request_uri", &pushed.request_uri);
        self.url = address.into();
        Ok(self)
    }

    /// What names the request in the answer.
    pub fn state(&self) -> &str {
        &self.state
    }

    /// The code in the query that came back. `None`: the answer belongs to no request of ours, and says nothing about this one.
    pub fn code(&self, query: &str) -> Option<Result<String, ClientError>> {
        let find = |name: &str| {
            let mut found = url::form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
            let first = found.next().map(|(_, value)| value.into_owned());
            first.filter(|_| found.next().is_none())
        };
        let state = find("state")?;
        if !primitive::verify_equal(state.as_bytes(), self.state.as_bytes()) {
            return None;
        }
        // RFC 9207 §2.4: an answer of another server is a mix-up.
        let iss = find("iss");
        if iss.as_ref().is_some_and(|iss| *iss != self.issuer) || (self.says_iss && iss.is_none()) {
            return None;
        }
        match (find("code"), find("error")) {
            (Some(code), None) => Some(Ok(code)),
            (_, Some(error)) => {
                let why = find("error_description").unwrap_or_default();
                Some(Err(ClientError::Refused(error, why)))
            }
            (None, None) => None,
        }
    }
}

/// RFC 9126 §2.2.
#[derive(serde::Deserialize)]
struct Pushed {
    request_uri: String,
}

/// What a link of an app may wish of a login, out of its query: fields for [`Authorization::begin`], and no others. The server would refuse what it does
/// not know, and nobody could tell whose mistake it was. `None` for a wish that is there twice, or that OpenID Connect Core §3.1.2.1 does not know.
///
/// ```
/// use carnet_client::authorize::wishes;
///
/// let link = [("return_to", "/pay"), ("max_age", "300"), ("acr_values", "mfa")];
/// assert_eq!(wishes(&link), Some(vec![("acr_values", "mfa"), ("max_age", "300")]));
/// assert_eq!(wishes(&[("prompt", "nonsense")]), None);
/// ```
pub fn wishes<T: AsRef<str>>(query: &[(T, T)]) -> Option<Vec<(&'static str, &str)>> {
    let mut wishes = Vec::new();
    for name in WISHES {
        let mut values = query.iter().filter(|(key, _)| key.as_ref() == name);
        let value = values.next().map_or("", |(_, value)| value.as_ref());
        if values.next().is_some() || !is_known(name, value) {
            return None;
        }
        if !value.is_empty() {
            wishes.push((name, value));
        }
    }
    Some(wishes)
}

fn is_known(name: &str, value: &str) -> bool {
    let words: Vec<_> = value.split(' ').collect();
    let visible = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic());
    let alone = words.len() == 1 || !words.contains(&"none");
    match name {
        _ if value.is_empty() => true,
        _ if value.len() > LONGEST_WISH => false,
        "prompt" => alone && words.iter().all(|word| PROMPTS.contains(word)),
        // Seconds: as many as a hundred years have.
        "max_age" => value.len() <= 10 && value.bytes().all(|byte| byte.is_ascii_digit()),
        "login_hint" => !value.chars().any(char::is_control),
        _ => words.iter().all(visible),
    }
}

const WISHES: [&str; 5] = ["prompt", "acr_values", "max_age", "login_hint", "ui_locales"];
/// OpenID Connect Core §3.1.2.1, Initiating User Registration §3.
const PROMPTS: [&str; 5] = ["none", "login", "consent", "select_account", "create"];
const LONGEST_WISH: usize = 512;

fn random() -> Result<String, ClientError> {
    let mut bytes = [0; 32];
    primitive::fill_random(&mut bytes).map_err(|error| ClientError::Invalid(error.to_string()))?;
    Ok(base64url::encode(&bytes))
}

#[cfg(test)]
mod tests {
    use carnet_oauth::metadata::Metadata;

    use super::*;
    use crate::http::HttpClient;

    fn begun() -> Authorization {
        let metadata = Metadata {
            issuer: "https://a.test".to_owned(),
            authorization_endpoint: Some("https://a.test/authorize?tenant=1".to_owned()),
            authorization_response_iss_parameter_supported: true,
            ..Metadata::default()
        };
        let client = Client::public(HttpClient::new().unwrap(), metadata, "cli");
        Authorization::begin(&client, "http://127.0.0.1:7/cb", &[("scope", "openid")]).unwrap()
    }

    #[test]
    fn the_address_has_everything_and_keeps_what_it_had() {
        let begun = begun();
        let url = url::Url::parse(&begun.url).unwrap();
        let names: Vec<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
        let all = "tenant response_type client_id redirect_uri state nonce code_challenge code_challenge_method scope";
        assert_eq!(names.join(" "), all);
        let challenge = url
            .query_pairs()
            .find(|(name, _)| name == "code_challenge")
            .unwrap()
            .1;
        assert!(Challenge::parse(&challenge).unwrap().matches(&begun.verifier));
    }

    #[test]
    fn a_wish_is_one_that_openid_connect_knows_and_there_once() {
        for (name, value) in [
            ("prompt", "login consent"),
            ("prompt", "none"),
            ("acr_values", "urn:mfa pwd"),
            ("max_age", "0"),
            ("login_hint", "Zoë Ångström"),
            ("ui_locales", "de-CH fr"),
        ] {
            assert_eq!(wishes(&[(name, value)]), Some(vec![(name, value)]), "{name}");
            assert_eq!(wishes(&[(name, value), (name, value)]), None, "{name}");
            assert_eq!(wishes(&[(name, "")]), Some(vec![]), "{name}");
            assert_eq!(wishes(&[(name, "a\nb")]), None, "{name}");
            assert_eq!(wishes(&[(name, "1".repeat(513).as_str())]), None, "{name}");
        }
        for (name, value) in [
            ("prompt", "none login"),
            ("prompt", " login"),
            ("max_age", "-1"),
            ("max_age", "+1"),
            ("max_age", "1.5"),
            ("max_age", "12345678901"),
            ("ui_locales", "de  fr"),
        ] {
            assert_eq!(wishes(&[(name, value)]), None, "{name}={value}");
        }
        assert_eq!(wishes(&[("scope", "admin"), ("claims", "{}")]), Some(vec![]));
    }

    #[test]
    fn az_09_only_the_answer_of_this_server_to_this_request_counts() {
        let begun = begun();
        let state = &begun.state;
        let good = format!("code=c&state={state}&iss=https://a.test");
        assert_eq!(begun.code(&good), Some(Ok("c".to_owned())));
        for query in [
            format!("code=c&state={state}"),
            format!("code=c&state={state}&iss=https://evil.test"),
            "code=c&state=other&iss=https://a.test".to_owned(),
            "code=c&iss=https://a.test".to_owned(),
            format!("{good}&state=other"),
            format!("state={state}&iss=https://a.test"),
            String::new(),
        ] {
            assert_eq!(begun.code(&query), None, "{query}");
        }
        let denied = format!("error=access_denied&state={state}&iss=https://a.test");
        assert!(
            matches!(begun.code(&denied), Some(Err(ClientError::Refused(error, _))) if error == "access_denied")
        );
    }
}
