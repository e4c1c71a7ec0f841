//! Which resource server asks? `client_secret_basic` is the one method that it can be registered with.
//!
//! Spec: RFC 6749 §2.3.1 · RFC 7662 §2.1

use carnet_jose::primitive;
use carnet_oauth::client_auth::AuthMethod;
use carnet_oauth::error_code::ErrorCode;
use http::HeaderMap;

use super::basic;
use super::client::note;
use super::refused::refused;
use crate::app::App;
use crate::audit::Caller;
use crate::http::failure::{Because as _, Failure};
use crate::http::form::Form;
use crate::resource::Resource;

/// The resource server behind a request, proven by `client_secret_basic`: the one method it can be registered with.
pub(crate) async fn authenticate_resource<'a>(
    app: &'a App,
    caller: &Caller,
    headers: &HeaderMap,
    form: &Form,
) -> Result<&'a Resource, Failure> {
    let credentials = basic::read(headers)?.ok_or_else(refused)?;
    // D9: two ways at once, or two names, authenticate nobody.
    if form.optional("client_secret").is_some() || form.optional("client_assertion").is_some() {
        return Err(ErrorCode::InvalidRequest
            .because("one way to authenticate, not two")
            .into());
    }
    if form.optional("client_id").is_some_and(|id| id != credentials.id) {
        return Err(ErrorCode::InvalidRequest
            .because("client_id differs from the Authorization header")
            .into());
    }
    let presented = primitive::sha256(credentials.secret.as_bytes());
    let (mut found, mut known) = (None, false);
    for resource in app.directory.resources() {
        let Some((id, expected)) = &resource.introspection else {
            continue;
        };
        // Every secret is compared, so that the time does not tell which names exist.
        let right_secret = primitive::verify_equal(expected, &presented);
        known |= *id == credentials.id;
        if *id == credentials.id && right_secret {
            found = Some(resource);
        }
    }
    if let Some(resource) = found {
        return Ok(resource);
    }
    tracing::warn!(id = %credentials.id.escape_debug(), known, "a resource server was refused: the secret of its introspection is another");
    let registered = known.then_some(AuthMethod::ClientSecretBasic);
    Box::pin(note(app, caller, &credentials.id, registered)).await?;
    Err(refused().into())
}
