//! Which requests a route is for, as the configuration says it.
//!
//! Spec: RFC 9110 §9.1 (methods) · RFC 3986 §3.2.2, §3.3

use http::Method;

use crate::config;
use crate::load::ConfigError;
use crate::method;
use crate::route::Pattern;
use crate::target;

pub(super) fn pattern(key: &str, route: &config::Route) -> Result<Pattern, ConfigError> {
    let path = target::path(&route.path)
        .ok()
        .filter(|path| *path == route.path)
        .ok_or_else(|| {
            let todo = "write it from the root, without dot segments and needless escapes: \"/orders\"";
            ConfigError::at(
                format!("{key}.path"),
                format!("{:?} is not how a path is matched", route.path),
                todo,
            )
        })?;
    let hosts: Result<Vec<_>, _> = route.hosts.iter().map(|host| named_host(key, host)).collect();
    let methods: Result<Vec<_>, _> = route
        .methods
        .iter()
        .map(|method| {
            let known = Method::from_bytes(method.as_bytes()).ok();
            let passes = |method: &Method| !method::is_none(method) && !method::is_never_passed(method);
            known.filter(passes).ok_or_else(|| {
                let what = format!("{method:?} is no method, or one that nothing lets pass");
                ConfigError::at(format!("{key}.methods"), what, "write them as in \"GET\"")
            })
        })
        .collect();
    Ok(Pattern {
        hosts: hosts?,
        path: path.into_owned(),
        exact: route.exact,
        methods: methods?,
    })
}

fn named_host(key: &str, host: &str) -> Result<String, ConfigError> {
    let (star, bare) = match host.strip_prefix("*.") {
        Some(parent) => ("*.", parent),
        None => ("", host),
    };
    match target::host(bare) {
        Ok((name, None)) => Ok(format!("{star}{name}")),
        _ => Err(ConfigError::at(
            format!("{key}.hosts"),
            format!("{host:?} is no host"),
            "write a name without port, or \"*.example.com\"",
        )),
    }
}
