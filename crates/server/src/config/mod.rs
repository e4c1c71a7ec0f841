//! The configuration: what an operator may say, and how a mistake is answered.
//!
//! The annotated default is `default.toml` beside this file; `carnet config print` shows it.

mod authorization;
mod check;
mod client;
mod client_id;
mod client_registration;
mod client_tokens;
mod client_uri;
mod device;
mod fault;
mod files;
mod lifetimes;
mod load;
mod logout;
mod pages;
mod parties;
mod redis;
mod registration;
mod registration_policy;
mod resource;
mod revocation_feed;
mod service_clients;
mod service_room;
mod settings;
mod trust;
mod trusted_issuer;
mod unheeded;
mod value;

pub use authorization::Authorization;
pub use carnet_listen::value::{Network, Ttl};
pub use check::Warning;
pub use client::{
    ASSERTION_ALGORITHMS, AssertionAudience, Client, Consent, DpopPolicy, IdTokenClaims, LEAST_SECRET_BYTES,
    RefreshRotation, RefreshTokenIn, one_or_set,
};
pub use client_id::new_id_fault;
pub use client_registration::{ClientRegistration, ClientRegistrationPolicy};
pub use device::Device;
pub use fault::Fault;
pub use load::{ConfigError, DEFAULT, load, parse};
pub use pages::{Color, Colors, Font, Length, Pages};
pub use parties::{check_client, client_faults};
pub use redis::Redis;
pub use registration::{registered, registration_faults};
pub use resource::Resource;
pub use revocation_feed::RevocationFeed;
pub use service_clients::{Services, service_keys};
pub use service_room::{NO_ROOM, clients_fit, services_fit};
pub use settings::{
    Config, Dpop, FirstParty, ForwardedHeader, Keys, Listen, Log, LogFormat, Login, LogoutStrength, Outbound,
    Passwords, Registration, Storage, Tokens,
};
pub use trusted_issuer::{SubjectIs, TrustedIssuer};
pub use unheeded::{client_warnings, reach};
pub use value::{ClaimSource, Issuer};
