//! Random registries: what is exported of one changes nothing when it is applied.

use proptest::prelude::*;

use super::*;

fn word() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9:_.-]{0,12}"
}

fn prose() -> impl Strategy<Value = String> {
    "[A-Za-zäß\"'\\\\ 中🙂#=\\[\\]{}]{0,20}".prop_map(|text| format!("x{text}"))
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn role() -> impl Strategy<Value = String> {
    (prose(), prop::collection::vec(word(), 0..4), any::<bool>()).prop_map(|(text, permissions, bound)| {
        let audience = if bound {
            format!("audience = {AUDIENCE:?}\n")
        } else {
            String::new()
        };
        format!(
            "description = {}\npermissions = {permissions:?}\n{audience}",
            quoted(&text)
        )
    })
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Public,
    Secret,
    Key,
}

/// The key of RFC 8037, appendix A.2.
const KEY: &str = "grant_types = [\"client_credentials\", \"jwt_bearer\"]\nauth_method = \"private_key_jwt\"\n\
    assertion_audience = \"token_endpoint\"\n\
    jwks = { keys = [{ kty = \"OKP\", crv = \"Ed25519\", x = \"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\" }] }\n";

const OF_TOKENS: [&str; 3] = [
    "refresh_idle = \"12h\"\n",
    "refresh_absolute = \"10d\"\n",
    "access_token_signing = \"ES256\"\n",
];

fn client() -> impl Strategy<Value = String> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let of_tokens = prop::sample::subsequence(OF_TOKENS.to_vec(), 0..=OF_TOKENS.len());
    let kind = prop::sample::select(vec![Kind::Public, Kind::Secret, Kind::Key]);
    (
        prose(),
        prop::collection::vec(word(), 0..4),
        kind,
        of_tokens,
        flags,
    )
        .prop_map(|(name, scope, kind, of_tokens, (bound, disabled, ttl))| {
            let mut text = format!("name = {}\nscope = {:?}\n", quoted(&name), scope.join(" "));
            text.push_str(match kind {
                Kind::Public => {
                    "grant_types = [\"authorization_code\"]\nredirect_uris = [\"https://a.example/cb\"]\n"
                }
                Kind::Secret => {
                    "grant_types = [\"client_credentials\"]\nauth_method = \"client_secret_basic\"\n"
                }
                Kind::Key => KEY,
            });
            text.push_str(if bound { "dpop = \"required\"\n" } else { "" });
            text.extend(of_tokens);
            // Only for whom a thief could not use it.
            if bound && kind != Kind::Public {
                text.push_str("refresh_rotation = \"off\"\nrefresh_grace = \"2h\"\n");
            }
            text.push_str(if disabled { "state = \"disabled\"\n" } else { "" });
            text.push_str(if ttl { "access_ttl = \"5m\"\n" } else { "" });
            text
        })
}

fn user() -> impl Strategy<Value = String> {
    let flags = (any::<bool>(), any::<bool>());
    let told = (prose(), any::<i64>(), any::<i16>());
    (prose(), told, flags).prop_map(|(name, (text, whole, part), (verified, disabled))| {
        let state = if disabled { "state = \"disabled\"\n" } else { "" };
        let part = toml::Value::Float(f64::from(part) / 8.0);
        let attributes = toml::Table::from_iter([(text.clone(), part), ("whole".to_owned(), toml::Value::Integer(whole))]);
        let (name, text, attributes) = (quoted(&name), quoted(&text), toml::Value::Table(attributes));
        format!(
            "name = {name}\nemail_verified = {verified}\n{state}claims = {{ locale = {text}, deep = {{ list = [{whole}, {whole}] }} }}\n\
             attributes = {attributes}\n"
        )
    })
}

fn any_registry() -> impl Strategy<Value = String> {
    let named = |kind: &'static str, name: &'static str, ending: &'static str| {
        move |(key, body): (&String, &String)| format!("[[{kind}]]\n{name} = \"{key}{ending}\"\n{body}")
    };
    let some = 0..4_usize;
    (
        prop::collection::btree_map(word(), role(), some.clone()),
        prop::collection::btree_map(word(), client(), some.clone()),
        prop::collection::btree_map("[a-z]{1,8}", user(), some),
    )
        .prop_map(move |(roles, clients, users)| {
            let mut text: String = roles.iter().map(named("roles", "name", "")).collect();
            text.extend(clients.iter().map(named("clients", "id", "-c")));
            text.extend(users.iter().map(named("users", "email", "@example.com")));
            text
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_exported_changes_nothing_when_it_is_applied(text in any_registry(), with_hashes in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = memory().await;
            apply(&store, &text).await;
            let known = store.registry().await.unwrap();
            let exported = registry::exported(&known, with_hashes).unwrap();
            let written = registry::text(&exported).unwrap();
            let plan = planned(&written, &known, true);
            assert_eq!(said(&plan), Vec::<String>::new(), "{text}\n---\n{written}");
            // And in an empty registry it makes the same once more.
            let other = memory().await;
            apply(&other, &written).await;
            let again = registry::exported(&other.registry().await.unwrap(), false).unwrap();
            assert_eq!(again, registry::exported(&known, false).unwrap());
        });
    }
}
