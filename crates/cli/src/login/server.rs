//! The authorization server of a login: found, asked, and its refusals said in our words.
//!
//! Spec: RFC 8414 §3 · OpenID Connect Core §3.1.3.7 (ID token), §5.3 (userinfo)

use carnet_client::discovery::discover;
use carnet_client::error::ClientError;
use carnet_client::http::HttpClient;
use carnet_client::token::Client;
use carnet_jose::{Algorithm, KeySet, TokenType, Verifier};
use carnet_oauth::id_token::IdTokenClaims;
use carnet_oauth::token_response::TokenResponse;
use http::HeaderMap;
use serde_json::Value;

use crate::failure::Failure;
use crate::moment;

/// Finds the server and asks there as this client.
pub(crate) async fn connect(issuer: &str, client_id: &str) -> Result<Client, Failure> {
    let http = HttpClient::new().map_err(failure)?;
    let metadata = discover(&http, issuer).await.map_err(failure)?;
    Ok(Client::public(http, metadata, client_id))
}

/// What a server says no with, and what to do about it.
pub(crate) fn failure(error: ClientError) -> Failure {
    match error {
        ClientError::Refused(code, why) => {
            let todo = match code.as_str() {
                "invalid_dpop_proof" | "use_dpop_nonce" => "log in again: carnet login --dpop",
                "access_denied" => "log in again, and allow it",
                "expired_token" => "log in again, and type the code within its time",
                "invalid_client" | "unauthorized_client" | "invalid_scope" | "invalid_target" => {
                    "register it as a public client with this scope: carnet client add ID --public --grant-type device_code --grant-type refresh_token"
                }
                _ => "log in again: carnet login",
            };
            Failure::refused("login_refused", format!("the server refuses: {code}"))
                .because(why)
                .todo(todo)
        }
        ClientError::Invalid(what) => Failure::refused("server_unusable", what)
            .because("this is not how an authorization server answers")
            .todo("check --issuer: it is the URL that tokens have as their iss"),
        other => Failure::unreachable("unreachable", other.to_string())
            .because("the authorization server has to be asked")
            .todo("check --issuer, and try its /.well-known/openid-configuration with curl"),
    }
}

/// Who has logged in, as far as the tokens say. An ID token that is not for us is an error.
pub(crate) async fn whose(
    client: &Client,
    tokens: &TokenResponse,
    nonce: Option<&str>,
) -> Result<Option<String>, Failure> {
    let Some(id_token) = &tokens.id_token else {
        return Ok(None);
    };
    let claims = verified(client, id_token).await?;
    if claims.nonce.as_deref() != nonce {
        return Err(unfit("its nonce is another"));
    }
    let told = told(client, &tokens.access_token).await.unwrap_or_default();
    // §5.3.2: what is told of somebody else is not used.
    let own = told.get("sub").and_then(Value::as_str) == Some(&claims.sub);
    let named = ["email", "name"].map(|claim| told.get(claim).and_then(Value::as_str));
    let name = named.into_iter().flatten().next().filter(|_| own);
    Ok(Some(name.map_or(claims.sub, str::to_owned)))
}

async fn verified(client: &Client, id_token: &str) -> Result<IdTokenClaims, Failure> {
    let metadata = client.metadata();
    let url = metadata.jwks_uri.as_ref();
    let url = url.ok_or_else(|| unfit("the server names no jwks_uri"))?;
    let http = HttpClient::new().map_err(failure)?;
    let answer = http.get(url, HeaderMap::new()).await.map_err(failure)?;
    let body = answer.ok(url).map_err(failure)?;
    let every: Vec<Algorithm> = Algorithm::ALL
        .iter()
        .copied()
        .filter(|one| !one.is_mac())
        .collect();
    let keys = KeySet::from_jwks_json(&body, &every).map_err(|error| unfit(&error.to_string()))?;
    let verifier = Verifier::builder(std::sync::Arc::new(keys.set))
        .algorithms(&every)
        .token_type(TokenType::IdToken)
        .issuer(&metadata.issuer)
        .audience(client.id())
        .build()
        .map_err(|error| unfit(&error.to_string()))?;
    let now = u64::try_from(moment::now()).unwrap_or_default();
    let verified = verifier.verify_owned::<IdTokenClaims>(id_token, now);
    verified
        .map(|verified| verified.claims)
        .map_err(|error| unfit(&error.to_string()))
}

async fn told(client: &Client, access_token: &str) -> Option<Value> {
    let url = client.metadata().openid.as_ref()?.userinfo_endpoint.as_ref()?;
    let answer = client.get(url, access_token).await.ok()?;
    serde_json::from_slice(&answer.ok(url).ok()?).ok()
}

fn unfit(why: &str) -> Failure {
    Failure::refused("id_token_invalid", "the server's ID token cannot be believed")
        .because(why)
        .todo("do not use this login; tell the people who run the server")
}
