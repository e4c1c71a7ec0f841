//! The guide says what is so.

use carnet_gateway::load;

const GUIDE: &str = include_str!("../../../../docs/gateway.md");
/// What an app in the browser needs has a guide of its own.
const APP_GUIDE: &str = include_str!("../../../../docs/bff.md");

fn example() -> &'static str {
    let (_, rest) = GUIDE.split_once("```toml\n").unwrap();
    rest.split_once("```").unwrap().0
}

#[test]
fn the_example_of_the_guide_is_a_configuration() {
    let config = load::parse(example(), "gateway.toml".as_ref()).unwrap();
    assert_eq!(
        (config.routes.len(), config.identity.len(), config.upstreams.len()),
        (4, 3, 1)
    );
    // What is commented out in it can be taken in.
    let all = example().lines().map(|line| match line.strip_prefix('#') {
        Some(key) if !key.starts_with(' ') => format!("{key}\n"),
        _ => format!("{line}\n"),
    });
    let all: String = all.collect();
    assert!(load::parse(&all, "gateway.toml".as_ref()).is_ok());
}

#[test]
fn every_key_stands_in_a_guide() {
    let source = concat!(
        include_str!("../../src/config.rs"),
        include_str!("../../src/config/bff.rs"),
        include_str!("../../src/config/followed.rs"),
        include_str!("../../src/config/forward_auth.rs"),
        include_str!("../../src/config/tokens.rs"),
        include_str!("../../src/config/traffic.rs")
    );
    let keys = source
        .lines()
        .filter_map(|line| line.strip_prefix("    pub ")?.split_once(':'));
    for (key, _) in keys {
        let written = [
            format!("{key} = "),
            format!("[{key}]"),
            format!("[[{key}]]"),
            format!("[routes.{key}]"),
            format!("[tokens.{key}]"),
            format!("[issuers.{key}]"),
        ];
        assert!(
            written
                .iter()
                .any(|form| example().contains(form) || APP_GUIDE.contains(form)),
            "{key} is neither in docs/gateway.md nor in docs/bff.md"
        );
    }
}
