//! The APIs that tokens are for, as configured, ready to be asked.

use std::time::Duration;

use carnet_jose::{
    Algorithm, AnySigningKey, AnyVerifyingKey, Error, KeySet, Signer, TokenType, Verifier, primitive,
};

use crate::config::{self, Config};
use carnet_listen::secret_file;

/// How far the clocks of our own nodes may be apart when we check our own tokens.
pub const OWN_LEEWAY: Duration = Duration::from_secs(5);

/// An API that tokens are for.
pub struct Resource {
    /// The `aud` of its tokens.
    pub audience: String,
    /// The algorithm of its tokens.
    signing: Algorithm,
    /// Whether the configuration says which.
    says_signing: bool,
    /// For a resource with a shared secret: what signs and checks its tokens.
    pub shared: Option<SharedSecret>,
    /// For a resource that may introspect: its name and the SHA-256 of its secret.
    pub introspection: Option<(String, [u8; 32])>,
}

/// A secret that one resource and this server share.
pub struct SharedSecret {
    /// Signs tokens for the resource.
    pub signer: Signer,
    /// Checks them when they come back to us.
    pub verifier: Verifier,
}

impl Resource {
    /// Reads the secrets that the configuration names.
    pub(crate) fn load(config: &Config, resource: &config::Resource) -> Result<Self, String> {
        let shared = match &resource.secret_file {
            Some(file) => Some(
                shared_secret(config, resource, &secret_file::read_or_say(file)?)
                    .map_err(|error| format!("{}: {error}", file.display()))?,
            ),
            None => None,
        };
        let introspection = match (&resource.introspection_id, &resource.introspection_secret_file) {
            (Some(id), Some(file)) => Some((id.clone(), primitive::sha256(&secret_file::read_or_say(file)?))),
            _ => None,
        };
        Ok(Self {
            audience: resource.audience.clone(),
            signing: resource.signing(),
            says_signing: resource.signing.is_some(),
            shared,
            introspection,
        })
    }

    /// The algorithm of its tokens for a client that would have this one: who checks a token goes before who asks for it.
    pub fn signing(&self, wished: Option<Algorithm>) -> Algorithm {
        wished.filter(|_| !self.says_signing).unwrap_or(self.signing)
    }
}

/// No `kid`: a thumbprint of the secret would be something to guess against.
fn shared_secret(config: &Config, resource: &config::Resource, secret: &[u8]) -> Result<SharedSecret, Error> {
    let key = AnySigningKey::from_secret(secret, resource.signing())?;
    let keys = KeySet::new(vec![(
        None,
        AnyVerifyingKey::from_secret(secret, resource.signing())?,
    )])?;
    let verifier = Verifier::builder(std::sync::Arc::new(keys))
        .algorithms(&[resource.signing()])
        .token_type(TokenType::AccessToken)
        .issuer(config.issuer.as_str())
        .audience(resource.audience.as_str())
        .leeway(OWN_LEEWAY)
        .build()?;
    Ok(SharedSecret {
        signer: Signer::new(key, TokenType::AccessToken, None)?,
        verifier,
    })
}
