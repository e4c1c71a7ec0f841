//! What a configuration must not be, and how it is told.

use super::*;

mod clients;

fn refused(text: &str) -> ConfigError {
    parse(text, Path::new("carnet.toml"), &[]).expect_err("must be refused")
}

fn with(lines: &str) -> String {
    format!(
        "issuer = \"http://127.0.0.1:8080\"\n{lines}\n[[resources]]\naudience = \"https://api.example.com\"\n"
    )
}

#[test]
fn the_annotated_default_is_the_default() {
    let (config, _) = parse(DEFAULT, Path::new("carnet.toml"), &[]).unwrap();
    let (bare, _) = parse(&with(""), Path::new("carnet.toml"), &[]).unwrap();
    assert_eq!(toml::to_string(&config).unwrap(), toml::to_string(&bare).unwrap());
}

#[test]
fn every_key_is_in_the_annotated_default() {
    let config = [
        include_str!("../settings.rs"),
        include_str!("../pages.rs"),
        include_str!("../resource.rs"),
        include_str!("../trusted_issuer.rs"),
    ];
    let fields = config.iter().flat_map(|text| text.lines()).filter_map(|line| {
        line.trim()
            .strip_prefix("pub ")?
            .split_once(": ")
            .map(|(name, _)| name)
    });
    for field in fields.filter(|field| !field.contains(' ')) {
        let written = [
            format!("{field} ="),
            format!("#{field} ="),
            format!("[{field}]"),
            format!("[{field}."),
            format!("[[{field}]]"),
            format!(".{field}]"),
        ];
        assert!(
            written.iter().any(|spelling| DEFAULT.contains(spelling.as_str())),
            "default.toml does not explain {field}"
        );
    }
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let error = refused(&with("[tokens]\nacces_ttl = \"15m\""));
    assert_eq!(error.place, "carnet.toml:3");
    assert!(error.what.contains("unknown field `acces_ttl`"), "{error}");
}

#[test]
fn the_second_table_of_one_resource_is_the_one_that_is_named() {
    let twice = "[[resources]]\naudience = \"https://b.example.com\"\n".repeat(2);
    let error = refused(&with(&twice));
    assert_eq!(error.place, "carnet.toml:5");
    assert!(error.what.contains("https://b.example.com"), "{error}");
}

#[test]
fn a_bad_duration_is_refused_with_its_line_and_a_good_one() {
    let error = refused(&with("[tokens]\naccess_ttl = \"15 minutes\""));
    assert_eq!(error.place, "carnet.toml:3");
    assert!(error.what.contains("such as \"15m\""), "{error}");
}

#[test]
fn an_issuer_without_https_off_loopback_is_refused_with_its_line() {
    let error = refused("issuer = \"http://auth.example.com\"\n[[resources]]\naudience = \"x\"\n");
    assert_eq!(error.place, "carnet.toml:1");
    assert!(error.what.contains("https://"), "{error}");
}

#[test]
fn a_missing_secret_file_is_refused_with_the_line_of_its_key() {
    let error = refused(&format!(
        "{}signing = \"HS256\"\nsecret_file = \"/nonexistent/secret\"\n",
        with("")
    ));
    assert_eq!(error.place, "carnet.toml:6");
    assert!(error.what.contains("cannot be read"), "{error}");
}

#[test]
fn a_plain_listener_off_loopback_is_refused() {
    let error = refused(&with("[listen]\naddress = \"0.0.0.0:8080\""));
    assert_eq!(error.place, "carnet.toml:3");
    assert!(error.todo.contains("trusted_proxies"), "{error}");
}

#[test]
fn the_environment_wins_and_its_mistakes_are_named() {
    let set = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let (config, _) = parse(
        &with(""),
        Path::new("c"),
        &set("CARNET__TOKENS__ACCESS_TTL", "5m"),
    )
    .unwrap();
    assert_eq!(config.tokens.access_ttl.to_string(), "5m");
    let (config, _) = parse(
        &with(""),
        Path::new("c"),
        &set("CARNET__LISTEN__MAX_CONNECTIONS", "7"),
    )
    .unwrap();
    assert_eq!(config.listen.max_connections, 7);
    let error = parse(&with(""), Path::new("c"), &set("CARNET__TOKENS__NONSENSE", "5m")).unwrap_err();
    assert!(
        error.what.contains("nonsense") && error.place.contains("environment"),
        "{error}"
    );
}

#[test]
fn a_claim_mapping_cannot_decide_about_access_nor_carry_secrets() {
    for line in [
        "sub = \"email\"",
        "roles = \"attributes.roles\"",
        "role = \"attributes.role\"",
        "password = \"attributes.p\"",
        "x = \"attributes.card_number\"",
    ] {
        let error = refused(&with(&format!("[tokens.claims]\n{line}")));
        assert_eq!(error.place, "carnet.toml:3", "{line}: {error}");
    }
    let (_, warnings) = parse(
        &with("[tokens.claims]\nemail = \"email\"\nrole = \"role\""),
        Path::new("c"),
        &[],
    )
    .unwrap();
    assert_eq!(warnings.len(), 1);
}

#[test]
fn an_unnamed_tls_proxy_is_warned_of() {
    let warnings = |listen: &str| {
        let text = format!(
            "issuer = \"https://a.example\"\n{listen}\n[[resources]]\naudience = \"https://api.example\""
        );
        parse(&text, Path::new("c"), &[]).unwrap().1
    };
    let unnamed = warnings("");
    assert!(
        unnamed.len() == 1 && unnamed[0].starts_with("listen.trusted_proxies"),
        "{unnamed:?}"
    );
    assert!(warnings("[listen]\ntrusted_proxies = [\"127.0.0.1\"]").is_empty());
}

#[test]
fn a_proxy_that_is_everybody_is_refused() {
    let error = refused(&with("[listen]\ntrusted_proxies = [\"0.0.0.0/0\"]"));
    assert_eq!(error.place, "carnet.toml:3", "{error}");
    assert!(error.what.contains("wider than"), "{error}");
}

#[test]
fn a_certificate_is_tried_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        carnet_listen::secret_file::create(&folder.path().join(name), text.as_bytes()).unwrap();
    };
    let own = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
    write("a.pem", &own.cert.pem());
    write("a.key", &own.signing_key.serialize_pem());
    write("b.key", &other.signing_key.serialize_pem());
    write("junk.pem", "junk");
    let check = |certificate: &str, key: &str| {
        let text = format!(
            "issuer = \"https://a.example\"\n[listen]\ntls_certificate_file = \"{certificate}\"\ntls_key_file = \"{key}\"\n\
             [[resources]]\naudience = \"https://api.example\""
        );
        parse(&text, &folder.path().join("carnet.toml"), &[])
    };
    assert!(check("a.pem", "a.key").is_ok());
    for (certificate, key, line, why) in [
        ("junk.pem", "a.key", ":3", "holds no certificate"),
        ("a.pem", "junk.pem", ":4", "holds no private key"),
        ("a.pem", "b.key", ":4", "is not the key of the certificate"),
    ] {
        let error = check(certificate, key).unwrap_err();
        assert!(error.place.ends_with(line) && error.what.contains(why), "{error}");
    }
}

#[test]
fn a_wrong_variable_is_named() {
    let overlay = [("CARNET__TOKENS__ACCESS_TTL".to_owned(), "xx".to_owned())];
    let error = parse(&with(""), Path::new("c"), &overlay).unwrap_err();
    assert_eq!(error.place, "environment variable CARNET__TOKENS__ACCESS_TTL");
    let overlay = [("CARNET__TOKENS__CLAIMS__SUB".to_owned(), "email".to_owned())];
    let error = parse(&with(""), Path::new("c"), &overlay).unwrap_err();
    assert_eq!(error.place, "environment variable CARNET__TOKENS__CLAIMS__SUB");
}

#[test]
fn what_would_switch_protection_off_or_keep_everybody_out_is_refused() {
    for lines in [
        "[login]\nthrottle_window = \"0s\"",
        "[login]\nattempts_per_address = 0",
        "[login]\nattempts_per_account = 0",
        "[login]\nattempts_per_account_and_address = 0",
        "[listen]\ntrusted_proxies = [\"0.0.0.0/1\", \"128.0.0.0/1\"]",
        "[passwords]\nmemory_kib = 4294967295",
        "[passwords]\nthreads = 100000",
        "[passwords]\nmemory_kib = 4194303",
        "[passwords]\nqueue = 0",
        "[device]\nwrong_codes = 0",
        "[listen]\nmax_connections = 0",
        "[storage]\npostgres_pool = 0",
        "[log]\nlevel = \"bogus=x=y\"",
        // Taken for the name of a part of the program it would silence all others.
        "[log]\nlevel = \"warning\"",
        "[log]\nlevel = \"info \"",
        "[log]\nlevel = \"\"",
    ] {
        let error = refused(&with(lines));
        assert!(
            error.place == "carnet.toml:2" || error.place == "carnet.toml:3",
            "{lines}: {error}"
        );
    }
}

/// The key that is said to be wrong.
fn wrong_key(lines: &str) -> String {
    let what = refused(&with(lines)).what;
    what.split(':').next().unwrap().to_owned()
}

#[test]
fn what_is_wrong_with_outbound_names_its_key_wherever_it_was_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("carnet.toml");
    std::fs::write(folder.path().join("ca.pem"), "no certificate\n").unwrap();
    let set = |name: &str, value: &str| vec![(format!("CARNET__{name}"), value.to_owned())];
    let networks = with("[outbound]\nallowed_networks = [\"10.0.0.0/99\"]");
    let certificates = with("[outbound]\nroot_certificates_file = \"ca.pem\"");
    let place = |line: usize| format!("{}:{line}", file.display());
    // A variable that is about something else is not to blame.
    let other = set("LOG__LEVEL", "debug");
    for (text, overlay, at, key) in [
        (
            networks.as_str(),
            &[][..],
            place(3),
            "outbound.allowed_networks: ",
        ),
        (&networks, &other, place(3), "outbound.allowed_networks: "),
        (
            &certificates,
            &other,
            place(3),
            "outbound.root_certificates_file: ",
        ),
        (
            &with(""),
            &set("OUTBOUND__ALLOWED_NETWORKS", "[\"x\"]"),
            "environment variable CARNET__OUTBOUND__ALLOWED_NETWORKS".to_owned(),
            "outbound.allowed_networks: ",
        ),
        (
            &with(""),
            &set("OUTBOUND__ROOT_CERTIFICATES_FILE", "ca.pem"),
            "environment variable CARNET__OUTBOUND__ROOT_CERTIFICATES_FILE".to_owned(),
            "outbound.root_certificates_file: ",
        ),
    ] {
        let error = parse(text, &file, overlay).unwrap_err();
        assert!(error.place == at && error.what.starts_with(key), "{error}");
    }
    // A variable puts it right.
    assert!(parse(&networks, &file, &set("OUTBOUND__ALLOWED_NETWORKS", "[]")).is_ok());
}

#[test]
fn a_look_that_is_none_is_refused_with_its_line() {
    for (lines, line, what) in [
        ("[pages]\nname = \" \"", 3, "pages.name: is empty"),
        (
            "[pages]\nlogo_url = \"http://cdn.example.com/logo.svg\"",
            3,
            "pages.logo_url: \"http://cdn",
        ),
        (
            "[pages]\nlogo_url = \"logo.svg\"",
            3,
            "pages.logo_url: \"logo.svg\"",
        ),
        ("[pages]\naccent = \"red\"", 3, "\"red\" is no colour"),
        ("[pages]\naccent_dark = \"#12345\"", 3, "\"#12345\" is no colour"),
        ("[pages]\naccent = \"#1234567\"", 3, "is no colour"),
        ("[pages]\naccent = \"#+12345\"", 3, "is no colour"),
        (
            "[pages]\nradius = \"1px; } body { display: none\"",
            3,
            "is no length",
        ),
        ("[pages]\nradius = \"10\"", 3, "is no length"),
        ("[pages]\ncard_width = \"1.rem\"", 3, "is no length"),
        (
            "[pages]\ncard_width = \"10px\"",
            3,
            "pages.card_width: \"10px\" is too narrow",
        ),
        ("[pages]\ncard_width = \"14.9em\"", 3, "is too narrow"),
        ("[pages]\nfont = [\"a\\\"; }\"]", 3, "is no font"),
        ("[pages.colors]\npaper = \"#fffffg\"", 3, "is no colour"),
        (
            "[pages.colors_dark]\naccent = \"#ffffff\"",
            3,
            "unknown field `accent`",
        ),
    ] {
        let error = refused(&with(lines));
        assert_eq!(error.place, format!("carnet.toml:{line}"), "{lines} {error}");
        assert!(error.what.contains(what), "{error}");
    }
    let sound = "[pages]\nlogo_url = \"https://cdn.example.com/l.svg?v=2\"\naccent = \"#AABBCC\"\nradius = \"0.5rem\"\nfont = [\"Noto Sans\"]";
    parse(&with(sound), Path::new("carnet.toml"), &[]).unwrap();
}
