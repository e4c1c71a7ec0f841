//! The floors: which crate stands on which, and inside `server` and `cli` which module.
//!
//! A row is a floor, the lowest first. Imports go to rows further up in these tables, never within a row, never down the page.

use std::collections::BTreeMap;

use crate::imports::{Imports, Module, name};

/// The crates, by folder.
pub(crate) const CRATES: &[&[&str]] = &[
    &["jose"],
    &["oauth"],
    &["client", "store"],
    &["guard", "listen"],
    &["server", "gateway"],
    &["cli"],
];

/// The modules of `server`. `lib` collects the routes.
pub(crate) const SERVER: &[&[&str]] = &[
    &[
        "clock",
        "email",
        "open_error",
        "redis_keys",
        "service_bundle",
        "trouble",
        "turns",
    ],
    &["config", "master_key"],
    &["assertion", "log", "outbound", "pages", "password", "resource"],
    &["remote_keys"],
    &["client", "trusted_issuer"],
    &["directory", "feed"],
    &["keys"],
    &["app"],
    &["audit"],
    &["http"],
    &["sender"],
    &["migration", "throttle", "token", "wanted"],
    &["client_auth"],
    &["browser", "credentials"],
    &["interaction"],
    // The features. What two of them need moves up this table.
    &[
        "account",
        "auth",
        "authorize",
        "consent",
        "device",
        "discovery",
        "fan_out",
        "front",
        "health",
        "introspection",
        "login",
        "logout",
        "registration",
        "revocation",
        "revocations",
        "service_keys",
        "stylesheet",
        "token_endpoint",
        "tools",
        "upkeep",
        "userinfo",
    ],
    &["lib"],
    &["serve"],
];

/// The modules of `gateway`. `lib` is the life of a request.
pub(crate) const GATEWAY: &[&[&str]] = &[
    &["believed", "metered", "refusal"],
    &["method"],
    &[
        "headers", "hops", "identity", "route", "series", "target", "watch",
    ],
    &["config", "lent", "origins", "trace"],
    &["lines"],
    &["negotiated"],
    &["cables", "trunks"],
    &[
        "balance",
        "certificates",
        "contents",
        "cors",
        "forwarded",
        "limit",
        "load",
        "login",
        "record",
        "upgrade",
    ],
    &["feeds", "metrics", "passing"],
    &["upstream"],
    &["health"],
    &["assertion", "bff", "tokens"],
    &["site"],
    &["caller"],
    &["back", "forward_auth"],
    &["lib"],
    &["admin", "reload"],
    &["serve"],
];

/// The modules of `cli`. `folder::*` makes every child of a folder a module of that floor.
pub(crate) const CLI: &[&[&str]] = &[
    &["failure", "moment", "plain"],
    &["table"],
    &["output"],
    &["input"],
    &["key_file", "login"],
    // What the commands of an operator share, the file of those that take one, and the command that `demo` runs in front of its own.
    &["command::operator"],
    &["command::registry"],
    &["command::administrator"],
    &["command::serve"],
    &["command::*"],
    &["command"],
    &["lib"],
];

/// The `carnet-…` crates that a manifest depends on, tests left out, by folder.
pub(crate) fn house_dependencies(manifest: &str) -> Vec<String> {
    let mut counts = false;
    let mut found = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            counts = section.ends_with("dependencies") && !section.ends_with("dev-dependencies");
            // `[dependencies.carnet-jose]`
            if let Some((table, package)) = section.rsplit_once("dependencies.") {
                found.extend(
                    package
                        .strip_prefix("carnet-")
                        .filter(|_| !table.ends_with("dev-"))
                        .map(str::to_owned),
                );
            }
        } else if counts && let Some(rest) = line.strip_prefix("carnet-") {
            let end = rest
                .find(|char: char| !char.is_alphanumeric() && char != '-')
                .unwrap_or(rest.len());
            found.push(rest[..end].to_owned());
        }
    }
    found
}

/// What is wrong with the dependencies of the crates, given as folder and manifest.
pub(crate) fn crate_breaks(crates: &BTreeMap<String, String>) -> Vec<String> {
    let mut breaks = Vec::new();
    for (folder, manifest) in crates {
        let Some(floor) = floor_of(CRATES, folder) else {
            breaks.push(format!("crates/{folder} has no floor: give it one in floors.rs"));
            continue;
        };
        for other in house_dependencies(manifest) {
            match floor_of(CRATES, &other) {
                Some(below) if below < floor => {}
                _ => breaks.push(format!(
                    "crates/{folder} depends on {other}, which is not below it"
                )),
            }
        }
    }
    breaks
}

/// What is wrong with the imports inside a crate.
pub(crate) fn module_breaks(place: &str, floors: &[&[&str]], imports: &Imports) -> Vec<String> {
    let mut breaks = Vec::new();
    for (from, targets) in imports {
        let house = lodging(floors, from);
        let Some(floor) = floor_of(floors, &house) else {
            breaks.push(format!(
                "{place}: module {house} has no floor: give it one in floors.rs"
            ));
            continue;
        };
        for to in targets {
            let other = lodging(floors, to);
            let allowed = other == house || floor_of(floors, &other).is_some_and(|below| below < floor);
            if !allowed {
                breaks.push(format!(
                    "{place}: {} imports {}, which is not below it",
                    name(from),
                    name(to)
                ));
            }
        }
    }
    breaks
}

/// The name under which a module stands in the table: itself up to the first step, or the second inside a `folder::*`.
fn lodging(floors: &[&[&str]], module: &Module) -> String {
    match module.as_slice() {
        [folder, child, ..]
            if floors
                .iter()
                .any(|row| row.contains(&format!("{folder}::*").as_str())) =>
        {
            format!("{folder}::{child}")
        }
        [first, ..] => first.clone(),
        [] => name(module),
    }
}

fn floor_of(floors: &[&[&str]], house: &str) -> Option<usize> {
    let wide = house.split_once("::").map(|(folder, _)| format!("{folder}::*"));
    floors.iter().position(|row| {
        row.iter()
            .any(|name| *name == house || Some(*name) == wide.as_deref())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imports::imports_of;
    use crate::source::Source;

    const FLOORS: &[&[&str]] = &[
        &["config"],
        &["app"],
        &["auth", "token"],
        &["command::*"],
        &["lib"],
    ];

    fn breaks(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<Source> = files
            .iter()
            .map(|(path, text)| Source::new(&format!("crates/x/src/{path}"), text))
            .collect();
        module_breaks("x", FLOORS, &imports_of(&sources.iter().collect::<Vec<_>>()))
    }

    #[test]
    fn imports_that_go_down_are_fine() {
        let files = [
            (
                "lib.rs",
                "mod auth; use crate::auth::login; fn f() { token::g() }",
            ),
            ("token.rs", "use crate::app::App;"),
            ("app.rs", "use crate::config::Config;"),
            ("config.rs", ""),
            (
                "auth/mod.rs",
                "mod login; pub use login::login; use crate::{app::App, config};",
            ),
            ("auth/login.rs", "use crate::auth::answer::Answer;"),
            ("auth/answer.rs", ""),
            (
                "command/jwt/mod.rs",
                "use crate::command::jwt::decode::Decode; use crate::app::App;",
            ),
            ("command/jwt/decode.rs", ""),
        ];
        assert_eq!(breaks(&files), Vec::<String>::new());
    }

    #[test]
    fn imports_that_go_up_or_sideways_are_named() {
        assert_eq!(
            breaks(&[("app.rs", "use crate::auth::A;"), ("auth.rs", "")]).len(),
            1
        );
        assert_eq!(
            breaks(&[("token.rs", "use crate::auth::A;"), ("auth.rs", "")]).len(),
            1
        );
        assert_eq!(
            breaks(&[("auth.rs", "use crate::router;"), ("lib.rs", "")]).len(),
            1
        );
        let commands = [
            ("command/jwt.rs", "use crate::command::jwk::A;"),
            ("command/jwk.rs", ""),
        ];
        assert_eq!(
            breaks(&commands),
            ["x: command::jwt imports command::jwk, which is not below it"]
        );
    }

    #[test]
    fn a_module_without_a_floor_is_named() {
        assert_eq!(
            breaks(&[("extra.rs", "")]),
            ["x: module extra has no floor: give it one in floors.rs"]
        );
    }

    #[test]
    fn crates_depend_downwards_only() {
        let wrong = |folder: &str, manifest: &str| {
            crate_breaks(&BTreeMap::from([(folder.to_owned(), manifest.to_owned())])).len()
        };
        assert_eq!(
            wrong(
                "guard",
                "[dependencies]\ncarnet-client.workspace = true\ncarnet-jose = { path = \"x\" }"
            ),
            0
        );
        assert_eq!(
            wrong("guard", "[dev-dependencies]\ncarnet-server.workspace = true"),
            0
        );
        assert_eq!(
            wrong("guard", "[dependencies]\ncarnet-server.workspace = true"),
            1
        );
        assert_eq!(
            wrong("store", "[build-dependencies]\ncarnet-client.workspace = true"),
            1
        );
        assert_eq!(wrong("jose", "[dependencies.carnet-oauth]\nworkspace = true"), 1);
        assert_eq!(
            wrong("jose", "[dev-dependencies.carnet-oauth]\nworkspace = true"),
            0
        );
        assert_eq!(wrong("novelty", ""), 1);
    }
}
