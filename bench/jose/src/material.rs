//! Keys, a token and its claims, the same for everybody.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use carnet_jose::{Algorithm, AnySigningKey, Signer, TokenType};
use serde::{Deserialize, Serialize};

pub const ISSUER: &str = "https://auth.example.com";
pub const AUDIENCE: &str = "https://api.example.com";

/// What an access token usually says.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Claims {
    pub iss: String,
    pub sub: String,
    pub aud: String,
    pub exp: u64,
    pub nbf: u64,
    pub iat: u64,
    pub jti: String,
    pub client_id: String,
    pub scope: String,
    pub roles: Vec<String>,
}

/// Everything that is needed to sign and verify with one algorithm.
pub struct Material {
    pub algorithm: Algorithm,
    /// For HS256.
    pub secret: Option<Vec<u8>>,
    /// PKCS#8, for all others.
    pub private_der: Option<Vec<u8>>,
    pub private_pem: String,
    pub public_pem: String,
    pub claims: Claims,
    pub token: String,
    pub now: u64,
}

impl Material {
    pub fn name(&self) -> &'static str {
        self.algorithm.name()
    }

    /// The key once more: no library shares it with another.
    pub fn key(&self) -> AnySigningKey {
        match (&self.secret, &self.private_der) {
            (Some(secret), _) => AnySigningKey::from_secret(secret, self.algorithm),
            (_, Some(der)) => AnySigningKey::from_pkcs8_der(der, self.algorithm),
            _ => unreachable!("a key is one or the other"),
        }
        .expect("the key can be read")
    }
}

/// Each algorithm with keys of its own; RSA has 2,048 bits, as everybody measures it.
pub fn all() -> Vec<Material> {
    let algorithms = [
        Algorithm::Hs256,
        Algorithm::Rs256,
        Algorithm::Ps256,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Es512,
        Algorithm::Es256k,
        Algorithm::Ed25519,
        Algorithm::MlDsa44,
    ];
    algorithms.into_iter().map(material).collect()
}

fn material(algorithm: Algorithm) -> Material {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    let claims = Claims {
        iss: ISSUER.to_owned(),
        sub: "5f2c1c9e-8d4f-4b0e-9a3e-2b1f7c6d5e4a".to_owned(),
        aud: AUDIENCE.to_owned(),
        exp: now + 86_400,
        nbf: now - 1,
        iat: now - 1,
        jti: "r8Jd0pQ2mKx7Zt4uWv1yEA".to_owned(),
        client_id: "web".to_owned(),
        scope: "read:orders write:orders profile".to_owned(),
        roles: vec!["editor".to_owned(), "reviewer".to_owned()],
    };
    let mut material = Material {
        algorithm,
        secret: algorithm.is_mac().then(|| (0..32).collect()),
        private_der: None,
        private_pem: String::new(),
        public_pem: String::new(),
        claims,
        token: String::new(),
        now,
    };
    if !algorithm.is_mac() {
        material.private_der = Some(private_der(algorithm));
        let key = material.key();
        material.private_pem = key.to_pkcs8_pem().expect("it has a PEM").to_string();
        material.public_pem = key.verifying_key().to_spki_pem().expect("it has a PEM");
    }
    let signer = Signer::new(material.key(), TokenType::Jwt, Some("k1".to_owned())).expect("a header");
    material.token = signer.sign(&material.claims).expect("claims are JSON");
    material
}

fn private_der(algorithm: Algorithm) -> Vec<u8> {
    if algorithm.is_rsa() {
        let key = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = key.as_der().expect("it has a DER");
        return der.as_ref().to_vec();
    }
    let key = AnySigningKey::generate(algorithm).expect("a key");
    key.to_pkcs8_der().expect("it has a DER").to_vec()
}
