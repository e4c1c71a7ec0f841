//! What a file says becomes what is registered, and what is registered becomes a file that changes nothing.

mod names;
mod self_registered;

use std::path::Path;

use carnet_server::config::{self, Config};
use carnet_store::{AuditAction, NewAudit, Registry, Store, StoreConfig};

use super::*;

mod random;

const AUDIENCE: &str = "https://api.example.com";

fn config() -> Config {
    let text = format!(
        "issuer = \"https://auth.example.com\"\n[listen]\ntrusted_proxies = [\"192.0.2.1\"]\n[[resources]]\naudience = {AUDIENCE:?}\n\
         [[clients]]\nid = \"configured\"\n"
    );
    config::parse(&text, Path::new("carnet.toml"), &[]).unwrap().0
}

async fn memory() -> Store {
    Store::open(&StoreConfig::memory()).await.unwrap()
}

/// What is said of a file, line by line.
async fn faults(text: &str) -> Vec<String> {
    let known = memory().await.registry().await.unwrap();
    let (file, unread) = registry::read(text, "f");
    let faults = registry::check(&config(), &known, (&file, &unread, "f"));
    faults.into_iter().map(|fault| fault.what).collect()
}

fn planned(text: &str, known: &Registry, prune: bool) -> Plan {
    let (file, unread) = registry::read(text, "f");
    let faults = registry::check(&config(), known, (&file, &unread, "f"));
    assert_eq!(faults, [], "{text}");
    plan::plan(&file, known, prune).unwrap()
}

async fn apply(store: &Store, text: &str) {
    let known = store.registry().await.unwrap();
    let plan = planned(text, &known, false);
    let change = RegistryChange {
        epoch: known.epoch,
        cut: Cut {
            at: 1_800_000_000_000,
            entry_ttl_ms: 1_000_000,
            reason: Reason::Revoked,
            audit: NewAudit::success("cli", AuditAction::ClientChange, ""),
        },
        administrators: ADMINISTRATORS.to_owned(),
        steps: plan.steps,
    };
    store.change_registry(&change).await.unwrap();
}

fn said(plan: &Plan) -> Vec<String> {
    let line = |change: &difference::Change| {
        let json = change.json();
        let members: Vec<&str> = change.differences.iter().map(|one| one.member.as_str()).collect();
        format!(
            "{} {} {} {}",
            json["action"],
            change.kind,
            change.name,
            members.join(",")
        )
        .replace('"', "")
    };
    plan.changes.iter().map(line).collect()
}

#[tokio::test]
async fn every_fault_of_a_file_is_said_at_once_with_line_and_column() {
    let text = "\
[[roles]]
name = \"edi tor\"
permission = [\"x\"]
audience = 7

[[clients]]
name = \"no id\"

[[groups]]
";
    let found = faults(text).await;
    let expected = [
        "f:2:1: \"edi tor\" is no name",
        "f:3:1: unknown member \"permission\"",
        "f:4:1: audience: invalid type",
        "f:6:1: id is missing",
        "f:9:3: unknown member \"groups\"",
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}");
    }
    // What can be read beside what cannot is held against the rules in the same round.
    let mixed = faults(
        "[[clients]]\nid = \"z\"\ngrant_types = [\"pasword\"]\ncolour = 1\n[[clients]]\nid = \"z\"\naudiences = [\"x\"]\n\
         [[clients]]\nid = \"configured\"\ngrant_types = [\"client_credentials\"]\nauth_method = \"client_secret_basic\"\nscope = 7\n\
         [[users]]\nemail = \"q\"\nroles = [\"nope\"]\nstate = 1\n",
    )
    .await;
    let expected = [
        "f:3:1: grant_types: unknown variant `pasword`",
        "f:4:1: unknown member \"colour\"",
        "f:5:1: id: \"z\" is named twice",
        "f:5:1: grant_types: is empty",
        "f:7:1: audiences: names an audience that no",
        "f:9:1: configured stands in the configuration file",
        "f:12:1: scope: invalid type",
        "f:14:1: \"q\" is no e-mail address",
        "f:15:1: roles: there is no role nope",
        "f:16:1: state: ",
    ];
    assert_eq!(mixed.len(), expected.len(), "{mixed:#?}");
    for (found, expected) in mixed.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}");
    }
    let syntax = faults("a = \nb = ]\n").await;
    assert!(syntax.len() >= 2 && syntax[0].starts_with("f:1:"), "{syntax:?}");
}

#[tokio::test]
async fn a_secret_of_the_wrong_kind_is_not_quoted() {
    let found =
        faults("[[clients]]\nid = \"a\"\nsecret_sha256 = \"hunter2\"\nsecret = [\"hunter2\"]\n").await;
    assert_eq!(
        found,
        [
            "f:3:1: secret_sha256: the value is of another kind",
            "f:4:1: secret: the value is of another kind"
        ]
    );
}

#[tokio::test]
async fn every_rule_that_is_broken_is_said_at_once_where_it_is_broken() {
    let text = "\
[[roles]]
name = \"edi tor\"
audience = \"https://other.example\"

[[clients]]
id = \"configured\"
redirect_uris = [\"http://shop.example\"]
secret = \"short\"
secret_file = \"x\"

[[users]]
email = \"no address\"
password_hash = \"plain\"
roles = [\"nobody\"]

[[users]]
email = \"a@example.com\"

[[users]]
email = \"A@example.com\"
sub = \"short\"
";
    let found = faults(text).await;
    for expected in [
        "f:2:1: \"edi tor\" is no name",
        "f:3:1: no resource has the audience",
        "f:6:1: configured stands in the configuration file",
        "f:7:1: redirect_uris: ",
        "f:8:1: secret: the auth_method takes none",
        "f:8:1: secret: has fewer than 32 bytes",
        "f:9:1: secret_file: ",
        "f:12:1: \"no address\" is no e-mail address",
        "f:13:1: this hash cannot be used",
        "f:14:1: roles: there is no role nobody",
        "f:21:1: sub: \"short\"",
        "f:20:1: email: A@example.com is named twice",
    ] {
        assert!(
            found.iter().any(|fault| fault.starts_with(expected)),
            "{expected}: {found:#?}"
        );
    }
}

#[tokio::test]
async fn what_is_not_known_to_json_and_what_is_named_twice_is_refused() {
    let found = faults("[[users]]\nemail = \"a@b.example\"\nclaims = { birthdate = 1999-01-02 }\n").await;
    assert!(found[0].starts_with("f:3:1: claims: 1999-01-02"), "{found:?}");
    let found = faults("[[roles]]\nname = \"a\"\n[[roles]]\nname = \"a\"\n").await;
    assert!(
        found[0].starts_with("f:3:1: name: \"a\" is named twice"),
        "{found:?}"
    );
    let found = faults("[[resources]]\naudience = \"x\"\n").await;
    assert_eq!(found, ["f:1:3: resources cannot be applied"]);
    assert!(faults("roles = 1\n").await[0].starts_with("f:1:1: roles is no list"));
}

#[tokio::test]
async fn what_a_file_leaves_out_of_a_user_stays_and_of_a_client_is_the_default() {
    let store = memory().await;
    let first = "\
[[roles]]
name = \"editor\"
[[clients]]
id = \"svc\"
grant_types = [\"client_credentials\"]
auth_method = \"client_secret_basic\"
scope = \"a b\"
state = \"disabled\"
[[users]]
email = \"a@example.com\"
name = \"Alice\"
roles = [\"editor\"]
state = \"disabled\"
";
    apply(&store, first).await;
    let known = store.registry().await.unwrap();
    let second = "\
[[clients]]
id = \"svc\"
grant_types = [\"client_credentials\"]
auth_method = \"client_secret_basic\"
[[users]]
email = \"A@EXAMPLE.com\"
";
    // Who was disabled in a hurry stays so.
    assert_eq!(
        said(&planned(second, &known, false)),
        ["change client svc scope", "change user A@EXAMPLE.com email"]
    );
    // Kinds that are not named are not pruned.
    let pruned = planned("users = []\n", &known, true);
    assert_eq!(said(&pruned), ["delete user a@example.com "]);
    assert_eq!(said(&planned("", &known, true)), Vec::<String>::new());
}

#[tokio::test]
async fn a_password_is_given_once_and_belongs_to_the_user_from_then_on() {
    let store = memory().await;
    let with = |hash: &str| format!("[[users]]\nemail = \"a@example.com\"\npassword_hash = {hash:?}\n");
    let hash = "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";
    apply(&store, "[[users]]\nemail = \"a@example.com\"\n").await;
    apply(&store, &with(hash)).await;
    let known = store.registry().await.unwrap();
    assert_eq!(known.users[0].password_hash.as_deref(), Some(hash));
    let other = "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGyad68LJZdL17lhWy";
    assert_eq!(said(&planned(&with(other), &known, false)), Vec::<String>::new());
}

#[tokio::test]
async fn secrets_are_the_ones_of_the_file_and_without_any_they_stay() {
    let store = memory().await;
    let client = |more: &str| {
        format!(
            "[[clients]]\nid = \"svc\"\ngrant_types = [\"client_credentials\"]\nauth_method = \"client_secret_post\"\n{more}"
        )
    };
    let known = store.registry().await.unwrap();
    let made = planned(&client(""), &known, false).made;
    assert_eq!(made.len(), 1, "one that has none is given one");
    let secret = "a secret that is long enough for a client";
    apply(&store, &client(&format!("secret = {secret:?}\n"))).await;
    let known = store.registry().await.unwrap();
    let digest = carnet_jose::primitive::sha256(secret.as_bytes());
    assert_eq!(known.secrets[0].digest, digest);
    let hex: String = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    for same in [
        String::new(),
        format!("secret = {secret:?}\n"),
        format!("secret_sha256 = [{hex:?}]\n"),
    ] {
        let plan = planned(&client(&same), &known, false);
        assert_eq!((said(&plan), plan.made.len()), (Vec::new(), 0), "{same}");
    }
    let other = client("secret = \"another secret that is long enough too\"\n");
    let plan = planned(&other, &known, false);
    assert_eq!(said(&plan), ["change client svc secrets"]);
    let shown = plan.changes[0].json().to_string();
    assert!(
        !shown.contains("long enough") && !shown.contains(&hex.to_lowercase()),
        "{shown}"
    );
}

#[tokio::test]
async fn nobody_loses_the_last_administrator() {
    let store = memory().await;
    let two = "\
[[roles]]
name = \"admin\"
[[users]]
email = \"a@example.com\"
roles = [\"admin\"]
[[users]]
email = \"b@example.com\"
roles = [\"admin\"]
";
    apply(&store, two).await;
    let known = store.registry().await.unwrap();
    let refused = |text: &str, prune| {
        let file = registry::read(text, "f").0;
        plan::plan(&file, &known, prune).err().map(|failure| failure.code)
    };
    assert_eq!(refused("users = []\n", true), Some("last_administrator"));
    assert_eq!(refused("roles = []\n", true), Some("last_administrator"));
    let disabled = "[[users]]\nemail = \"a@example.com\"\nstate = \"disabled\"\n";
    assert_eq!(refused(disabled, false), None);
    assert_eq!(refused(disabled, true), Some("last_administrator"));
}

/// Services that fill the bundle, but for a few.
async fn nearly_too_many() -> (Store, String) {
    let store = memory().await;
    let service = |id: &str| {
        let calls = vec!["x".repeat(64); 100];
        format!(
            "[[clients]]\nid = {id:?}\ngrant_types = [\"client_credentials\"]\nauth_method = \"private_key_jwt\"\nservice = true\n\
             calls = {calls:?}\njwks = {{ keys = [{{ kty = \"EC\", crv = \"P-256\", kid = \"k\", \
             x = \"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\", y = \"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\" }}] }}\n"
        )
    };
    let all: String = (0..1_190)
        .map(|number| service(&format!("service-{number}")))
        .collect();
    apply(&store, &all).await;
    (
        store,
        (0..30).map(|number| service(&format!("more-{number}"))).collect(),
    )
}

#[tokio::test]
async fn more_services_than_the_bundle_holds_are_not_applied() {
    let (store, more) = nearly_too_many().await;
    let known = store.registry().await.unwrap();
    let code = |plan: &Plan| {
        client::room(&config(), &known, plan)
            .err()
            .map(|failure| failure.code)
    };
    assert_eq!(code(&planned(&more, &known, false)), Some("too_many_services"));
    let one = more.split_inclusive("}\n").next().unwrap();
    assert_eq!(code(&planned(one, &known, false)), None);
    // In the place of the others.
    assert_eq!(code(&planned(&more, &known, true)), None);
    let mut fuller = config();
    fuller.clients = registry::read(&more, "f")
        .0
        .clients
        .unwrap()
        .into_iter()
        .map(|client| client.entry.registered)
        .collect();
    let plan = planned(&one.replace("more-0", "one"), &known, false);
    let refused = client::room(&fuller, &known, &plan)
        .err()
        .map(|failure| failure.code);
    assert_eq!(refused, Some("too_many_services"), "those of the file count");
}
