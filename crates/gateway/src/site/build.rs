//! From a configuration to a site.

use std::collections::HashMap;
use std::sync::Arc;

use carnet_client::exchange::{Exchange, Wanted};
use carnet_guard::{Clock, Guard};
use carnet_oauth::spiffe;
use tokio::task::JoinSet;

use super::access::Access;
use super::app;
use super::doors;
use super::limits;
use super::names::{self, Names};
use super::pattern::pattern;
use super::{Route, Site};
use crate::assertion::Assertions;
use crate::bff::{self, Bff};
use crate::certificates::Certificates;
use crate::config::{self, Config, Protocol, Token};
use crate::contents::{self, Contents};
use crate::cors::Cors;
use crate::feeds::Feeds;
use crate::load::ConfigError;
use crate::login::Login;
use crate::origins;
use crate::route::Table;
use crate::series::Series;
use crate::tokens::{self, metadata::Published};
use crate::upgrade::Sockets;
use crate::upstream::Upstream;

impl Site {
    /// Checks everything and makes it ready: reads files, begins to fetch keys.
    ///
    /// # Errors
    /// Says which key is wrong. An issuer or a service that is down is no error.
    /// `before` is the site that it will take the place of: services and issuers of which nothing else is said keep their connections and keys.
    pub async fn build(
        config: &Config,
        clock: Arc<dyn Clock>,
        before: Option<&Self>,
    ) -> Result<Self, ConfigError> {
        let https = checked(config, before)?;
        // Until a restart the listeners are what they are, and so is what requests are judged by.
        let running = before.map(|before| (before.https, before.config.listen.clone()));
        let (https, listen) = running.unwrap_or_else(|| (https, config.listen.clone()));
        // Before anything of them is used: what changes while they are read is found at the next look.
        let contents = Contents::of(config);
        let (upstreams, names) = upstreams((config, &contents), &clock, before)?;
        let alike = |before: &Self| {
            let (then, now) = (&before.config.tokens, &config.tokens);
            then.root_certificates_file == now.root_certificates_file
                && contents.agree(&before.contents, contents::of_trust(config))
        };
        let trusting = before.filter(|before| alike(before));
        // Its keys are kept in that folder.
        let followed = trusting.filter(|before| before.config.tokens.key_folder == config.tokens.key_folder);
        let followed = followed.map(|before| (&before.feeds, &before.contents));
        let feeds = Feeds::of((config, &contents), followed)?;
        let known = before.map(|before| tokens::Before {
            config: &before.config,
            feeds: &before.feeds,
            guards: &before.guards,
            same_trust: trusting.is_some(),
            same_files: contents.agree(&before.contents, contents::of_issuers(&config.issuers)),
        });
        let guards = tokens::guards(config, &clock, (&feeds, known)).await?;
        let (table, routes) = routes(config, &names, &guards, before)?;
        let bff = app::app((config, &contents), &clock, (before, trusting.is_some())).await?;
        let mut own_cookies = config.headers.own_cookies.clone();
        own_cookies.extend(bff.iter().map(Bff::cookie_names));
        let identity = names::identity(&config.identity)?;
        let assertions = config
            .assertion
            .as_ref()
            .map(|assertion| Assertions::new(assertion, clock.clone()));
        Ok(Self {
            https,
            trusted_proxies: listen.trusted_proxies.clone(),
            certificates: config.tokens.client_certificates.as_ref().map(Certificates::new),
            failures: limits::failures(config, before)?,
            published: Published::of(guards.values()),
            names: Names::new(&config.headers, &identity)?,
            spoofed: config.headers.spoofed,
            own_cookies,
            bff,
            identity,
            assertions: assertions.transpose()?,
            exchange: exchange((config, &contents), &clock, trusting)?,
            table,
            routes,
            upstreams,
            clock,
            config: Config {
                listen,
                ..config.clone()
            },
            contents,
            guards,
            feeds,
            watching: JoinSet::new(),
        })
    }
}

/// What no part of it says alone. Whether clients are to speak TLS.
fn checked(config: &Config, before: Option<&Site>) -> Result<bool, ConfigError> {
    let todo = "write \"info\", or \"info,carnet_gateway=debug\"";
    let wrong = |what| ConfigError::at("log.level", what, todo);
    carnet_listen::log_filter(&config.log.level).map_err(wrong)?;
    doors::wide(config)?;
    doors::apart(config)?;
    doors::https(config, before.map(|before| &before.config.listen))
}

type Named<'c> = HashMap<&'c str, usize>;

fn upstreams<'c>(
    (config, contents): (&'c Config, &Contents),
    clock: &Arc<dyn Clock>,
    before: Option<&Site>,
) -> Result<(Vec<Arc<Upstream>>, Named<'c>), ConfigError> {
    let mut upstreams = Vec::new();
    let mut names = HashMap::new();
    for (at, upstream) in config.upstreams.iter().enumerate() {
        let key = |member: &str| format!("upstreams[{at}].{member}");
        if upstream.urls.is_empty() {
            return Err(ConfigError::at(key("urls"), "is empty", "name a server"));
        }
        if names.insert(upstream.name.as_str(), at).is_some() {
            return Err(ConfigError::at(
                key("name"),
                "names two services",
                "give each a name of its own",
            ));
        }
        if upstream.assertion_audience.is_some() && config.assertion.is_none() {
            return Err(ConfigError::at(
                key("assertion_audience"),
                "needs [assertion], which is not there",
                "add [assertion] with issuer and key_file",
            ));
        }
        if upstream.preserve_host && upstream.protocol == Protocol::Http2 {
            // RFC 9113 §8.3.1: a Host beside another :authority is malformed, and the latter says whom we connect to.
            return Err(ConfigError::at(
                key("preserve_host"),
                "is for services over HTTP/1.1, and this one speaks HTTP/2",
                "take it away: X-Forwarded-Host says which host the client asked for; or write protocol = \"http1\"",
            ));
        }
        let same = before.and_then(|before| {
            let at = before
                .config
                .upstreams
                .iter()
                .position(|known| known == upstream)?;
            let trusted = upstream.root_certificates_file.iter();
            let same = contents.agree(&before.contents, trusted);
            before.upstreams.get(at).filter(|_| same)
        });
        if let Some(same) = same {
            upstreams.push(Arc::clone(same));
            continue;
        }
        let made = Upstream::new(upstream, clock);
        upstreams.push(Arc::new(made.map_err(|unmade| unmade.at(at))?));
    }
    Ok((upstreams, names))
}

fn routes(
    config: &Config,
    names: &Named<'_>,
    guards: &HashMap<String, Guard>,
    before: Option<&Site>,
) -> Result<(Table, Vec<Route>), ConfigError> {
    let mut table = Table::default();
    let mut routes = Vec::new();
    for (at, route) in config.routes.iter().enumerate() {
        let key = format!("routes[{at}]");
        let requests = pattern(&key, route)?;
        table
            .add(at, &requests)
            .map_err(|what| ConfigError::at(format!("{key}.path"), what, "take one of the two away"))?;
        let upstream = upstream(&key, route, config, names)?;
        routes.push(Route {
            access: access(&key, route, config, guards)?,
            token: route.token,
            session: bff::mapped(&key, route, config)?,
            exchange: wanted(&key, route, config)?,
            sockets: sockets(&key, route, config)?,
            cors: cors(&key, route)?,
            limit: limits::of_route(&key, (route, &requests), before)?,
            name: Series::of(&route.path),
            at_expiry: route.at_expiry,
            login: login(&key, route, config)?,
            upstream,
        });
    }
    Ok((table, routes))
}

/// Only proxies that ask need no service.
fn upstream(
    key: &str,
    route: &config::Route,
    config: &Config,
    names: &Named<'_>,
) -> Result<Option<usize>, ConfigError> {
    let wrong = |what| ConfigError::at(format!("{key}.upstream"), what, "name one of [[upstreams]]");
    match &route.upstream {
        None if config.forward_auth.is_some() => Ok(None),
        None => Err(wrong("is missing".to_owned())),
        Some(name) => match names.get(name.as_str()) {
            Some(at) => Ok(Some(*at)),
            None => Err(wrong(format!("{name:?} is none of the upstreams"))),
        },
    }
}

fn login(key: &str, route: &config::Route, config: &Config) -> Result<Option<Login>, ConfigError> {
    let Some(text) = &route.login_url else {
        return Ok(None);
    };
    let wrong = |what| {
        let todo = "write \"/login?to={path}\" or \"https://login.example.com/?to={url}\", on a route with a token and, for {url}, with hosts";
        ConfigError::at(format!("{key}.login_url"), what, todo)
    };
    if config.forward_auth.is_none() || route.public {
        return Err(wrong(
            "is for proxies that ask, and for routes that ask for a token",
        ));
    }
    let login = Login::read(text, !route.hosts.is_empty()).map_err(wrong)?;
    Ok(Some(login))
}

fn sockets(key: &str, route: &config::Route, config: &Config) -> Result<Option<Sockets>, ConfigError> {
    if let Some(none) = route.websocket_origins.iter().find(|text| !origins::is_one(text)) {
        return Err(ConfigError::at(
            format!("{key}.websocket_origins"),
            origins::wrong(none),
            origins::ADVICE,
        ));
    }
    let sockets = || Sockets {
        origins: bff::socket_origins(route, config),
    };
    Ok(route.websocket.then(sockets))
}

fn cors(key: &str, route: &config::Route) -> Result<Option<Cors>, ConfigError> {
    let Some(cors) = &route.cors else {
        return Ok(None);
    };
    if route.upstream.is_none() {
        return Err(ConfigError::at(
            format!("{key}.cors"),
            "is for routes with an upstream: behind a proxy that asks, the proxy answers other origins",
            "take it away, and tell the proxy",
        ));
    }
    let methods = pattern(key, route)?.methods;
    let wrong = |(member, what): (&str, String)| {
        let todo = match member {
            "origins" => origins::ADVICE,
            _ => "write names of headers, as in \"X-Total\"",
        };
        ConfigError::at(format!("{key}.cors.{member}"), what, todo)
    };
    Cors::new(cors, &methods).map(Some).map_err(wrong)
}

fn access(
    key: &str,
    route: &config::Route,
    config: &Config,
    guards: &HashMap<String, Guard>,
) -> Result<Access, ConfigError> {
    let rule = tokens::rule::rule(key, route)?;
    if route.public {
        return match (rule, &route.audience, route.callers.is_empty()) {
            (None, None, true) => Ok(Access::Everybody),
            _ => Err(ConfigError::at(
                format!("{key}.public"),
                "lets everybody in, and the route asks for more",
                "take `public` away, or what the route asks for and `audience`",
            )),
        };
    }
    let guard = audience(key, route, config)?
        .and_then(|audience| guards.get(audience))
        .ok_or_else(|| {
            ConfigError::at(
                key,
                "needs a token, but nothing says which: there is no audience",
                "set tokens.audience, or say that everybody may pass: public = true",
            )
        })?;
    let guard = guard.clone();
    let wrong = |member: &str, what| {
        let todo = "write callers = [\"orders\"] beside [services]; `require` and its like are for users: add or_users = true";
        Err(ConfigError::at(format!("{key}.{member}"), what, todo))
    };
    let unknown = unknown_caller(route, config);
    match (route.callers.is_empty(), route.or_users) {
        (true, false) => Ok(Access::Bearer { guard, rule }),
        (true, true) => wrong("or_users", "stands beside `callers`, which are not there"),
        (false, _) if unknown.is_some() => wrong("callers", unknown.unwrap_or_default()),
        (false, _) if route.session => wrong(
            "callers",
            "needs tokens of services, and those of a session are users'",
        ),
        (false, false) if rule.is_some() => {
            wrong("callers", "are services, and the route asks for what users have")
        }
        (false, or_users) => Ok(Access::Services {
            guard,
            names: route.callers.clone(),
            users: or_users.then_some(rule),
        }),
    }
}

/// For whom the tokens of a route must be meant.
fn audience<'c>(
    key: &str,
    route: &'c config::Route,
    config: &'c Config,
) -> Result<Option<&'c String>, ConfigError> {
    let (place, said) = match &route.audience {
        Some(said) => (format!("{key}.audience"), Some(said)),
        None => ("tokens.audience".to_owned(), config.tokens.audience.as_ref()),
    };
    let todo = "write what `aud` of the tokens names, such as \"https://api.example.com\"";
    match said.is_some_and(String::is_empty) {
        true => Err(ConfigError::at(place, "is empty: no token is for nobody", todo)),
        false => Ok(said),
    }
}

/// Why one of the callers can never come.
fn unknown_caller(route: &config::Route, config: &Config) -> Option<&'static str> {
    let domains = config.spiffe.as_ref().map(|spiffe| &spiffe.trust_domains);
    let is_named = |name: &str| domains.is_some_and(|named| named.iter().any(|domain| domain.name == name));
    route
        .callers
        .iter()
        .find_map(|caller| match spiffe::trust_domain_of(caller) {
            Some(domain) if is_named(domain) => None,
            Some(_) => Some("names a workload whose trust domain is none of spiffe.trust_domains"),
            None if caller.starts_with(spiffe::SCHEME) => Some("names no SPIFFE ID of a workload"),
            None if config.services.is_none() => Some("needs [services], which is not there"),
            None => None,
        })
}

/// What was exchanged stays known for as long as the same client asks at the same place.
fn exchange(
    (config, contents): (&Config, &Contents),
    clock: &Arc<dyn Clock>,
    trusting: Option<&Site>,
) -> Result<Option<Arc<Exchange>>, ConfigError> {
    let same = trusting.filter(|before| {
        before.config.exchange == config.exchange
            && contents.agree(&before.contents, contents::of_exchange(config))
    });
    match same {
        Some(before) => Ok(before.exchange.clone()),
        None => Ok(tokens::exchange(config, clock)?.map(Arc::new)),
    }
}

/// What the caller's token is exchanged for.
fn wanted(key: &str, route: &config::Route, config: &Config) -> Result<Option<Wanted>, ConfigError> {
    let Some(exchange) = &route.exchange else {
        return Ok(None);
    };
    if config.exchange.is_none() || route.public || route.token == Token::Forward {
        return Err(ConfigError::at(
            format!("{key}.exchange"),
            "needs [exchange], a route that asks for a token, and no other use of that token",
            "add [exchange]; take `public` and `token` away",
        ));
    }
    Ok(Some(Wanted {
        resource: exchange.resource.clone(),
        scope: exchange.scope.clone(),
    }))
}
