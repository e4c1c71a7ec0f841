//! What `carnet client add` says of a client's own tokens and assertions.
//!
//! Spec: RFC 9700 §4.14.2 (rotation) · OpenID Connect Core §9 (the audience of assertions)

use carnet_jose::Algorithm;
use carnet_server::config::{self, AssertionAudience, RefreshRotation, Ttl};
use clap::builder::PossibleValuesParser;

#[derive(clap::Args, Debug)]
pub(super) struct Tokens {
    /// Life of its access tokens
    #[arg(long, value_name = "TIME")]
    access_ttl: Option<Ttl>,
    /// The algorithm of its access tokens, for APIs that have no signing of their own
    #[arg(long, value_name = "ALG", value_parser = algorithm)]
    access_token_signing: Option<Algorithm>,
    /// How long its refresh tokens may rest
    #[arg(long, value_name = "TIME")]
    refresh_idle: Option<Ttl>,
    /// When its refresh tokens end, whatever happens
    #[arg(long, value_name = "TIME")]
    refresh_absolute: Option<Ttl>,
    /// For how long a spent refresh token is believed to be an honest retry
    #[arg(long, value_name = "TIME")]
    refresh_grace: Option<Ttl>,
    /// Whether a refresh token is replaced when it is used; off only for a client that proves who it is and has --dpop required
    #[arg(long, value_name = "WHETHER", default_value = "on", value_parser = PossibleValuesParser::new(["on", "off"]))]
    refresh_rotation: String,
    /// For whom its assertions may be meant: the issuer alone, or the URL of the token endpoint as well
    #[arg(long, value_name = "WHOM", default_value = "issuer", value_parser = PossibleValuesParser::new(["issuer", "token_endpoint"]))]
    assertion_audience: String,
}

impl Tokens {
    /// The client with these settings.
    pub(super) fn given(self, client: config::Client) -> config::Client {
        config::Client {
            access_ttl: self.access_ttl,
            access_token_signing: self.access_token_signing,
            refresh_idle: self.refresh_idle,
            refresh_absolute: self.refresh_absolute,
            refresh_grace: self.refresh_grace,
            refresh_rotation: match self.refresh_rotation.as_str() {
                "off" => RefreshRotation::Off,
                _ => RefreshRotation::On,
            },
            assertion_audience: match self.assertion_audience.as_str() {
                "token_endpoint" => AssertionAudience::TokenEndpoint,
                _ => AssertionAudience::Issuer,
            },
            ..client
        }
    }
}

fn algorithm(name: &str) -> Result<Algorithm, String> {
    Algorithm::from_name(name).ok_or_else(|| format!("{name:?} is no algorithm; write one such as ES256"))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        tokens: Tokens,
    }

    #[test]
    fn what_is_typed_is_what_is_registered_and_the_rest_is_the_default() {
        let given = |words: &[&str]| {
            let line = Line::try_parse_from([&["add"], words].concat()).unwrap();
            line.tokens.given(config::Client::named("a"))
        };
        assert_eq!(given(&[]), config::Client::named("a"));
        let all = "--access-ttl 5m --access-token-signing Ed25519 --refresh-idle 1d --refresh-absolute 2d --refresh-grace 1h \
                   --refresh-rotation off --assertion-audience token_endpoint";
        let time = |text: &str| Some(text.parse::<Ttl>().unwrap());
        let expected = config::Client {
            access_ttl: time("5m"),
            access_token_signing: Some(Algorithm::Ed25519),
            refresh_idle: time("1d"),
            refresh_absolute: time("2d"),
            refresh_grace: time("1h"),
            refresh_rotation: RefreshRotation::Off,
            assertion_audience: AssertionAudience::TokenEndpoint,
            ..config::Client::named("a")
        };
        assert_eq!(given(&all.split_whitespace().collect::<Vec<_>>()), expected);
        assert!(Line::try_parse_from(["add", "--access-token-signing", "none"]).is_err());
    }
}
