//! What clients may register themselves as: whether the policy makes sense, and gives nothing away that is the operator's.
//!
//! Spec: RFC 7591 §5 · RFC 9700 §4.15

use carnet_oauth::grant_type::GrantType;

use super::client_registration::ClientRegistrationPolicy;
use super::fault::{Fault, fault};
use super::settings::Config;
use carnet_listen::value::Ttl;

pub(super) fn check_client_registration(config: &Config) -> Result<(), Fault> {
    let own = &config.client_registration;
    let key = |name: &str| format!("client_registration.{name}");
    let wrong = |name: &str, what: &str, todo: &str| Err(fault(&key(name), what, todo));
    if own.policy != ClientRegistrationPolicy::Closed && own.audiences.is_empty() {
        return wrong(
            "audiences",
            "is empty: tokens are always for an API",
            "name the audiences of [[resources]] that clients of strangers may ask for",
        );
    }
    let known = |audience: &String| {
        config
            .resources
            .iter()
            .any(|resource| resource.audience == *audience)
    };
    if !own.audiences.iter().all(known) {
        let what = "names an audience that no [[resources]] has";
        return wrong("audiences", what, "add the resource");
    }
    let by_operator = [GrantType::TokenExchange, GrantType::JwtBearer];
    if by_operator.iter().any(|one| own.grant_types.contains(one)) {
        let what = "names token_exchange or jwt_bearer, which are for programs that the operator registers";
        return wrong("grant_types", what, "take it out");
    }
    // RFC 9700 §4.15: whoever registers himself is nobody's administrator.
    let administers = |name: &str| name.split([':', '.', '/']).next() == Some("admin");
    if own.scope.iter().any(administers) {
        let what = "names a scope of administration";
        return wrong("scope", what, "take it out, and register that client yourself");
    }
    for (name, number) in [
        ("max_clients", own.max_clients),
        ("requests_per_address", own.requests_per_address),
    ] {
        if number == 0 {
            return wrong(name, "is 0", "write 1 or more, or policy = \"closed\"");
        }
    }
    if own.forget_unused_after < Ttl::days(1) {
        let what = "is shorter than a day: when a client was last seen is not known to the minute";
        return wrong("forget_unused_after", what, "write \"90d\"");
    }
    Ok(())
}
