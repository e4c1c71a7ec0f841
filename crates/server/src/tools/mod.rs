//! The developer's tools as pages: decoder, hash, password, keys. Each is one file that works without a network.
//!
//! Spec: CSP 3 §2.3.1 (hashes), §6.1 (directives)

mod fetch;
mod page;

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;

use crate::app::App;
use page::Page;

const SHARED: &str = include_str!("../../assets/tools/shared.js");
const STRICT_JSON: &str = include_str!("../../assets/tools/strict_json.js");
const KEY_TEXT: &str = include_str!("../../assets/tools/key_text.js");

/// The pages in the order of their navigation.
static PAGES: [Page; 4] = [
    Page {
        path: "/tools/jwt",
        title: "JWT decoder",
        command: "carnet jwt decode",
        body: include_str!("../../assets/tools/jwt.html"),
        scripts: &[
            SHARED,
            STRICT_JSON,
            include_str!("../../assets/tools/der.js"),
            KEY_TEXT,
            include_str!("../../assets/tools/rules.js"),
            include_str!("../../assets/tools/key_input.js"),
            include_str!("../../assets/tools/pasted.js"),
            include_str!("../../assets/tools/salvage.js"),
            include_str!("../../assets/tools/exposure.js"),
            include_str!("../../assets/tools/findings.js"),
            include_str!("../../assets/tools/key_set_request.js"),
            include_str!("../../assets/tools/jwt.js"),
        ],
        // Its frame asks for a key set, in a page of its own.
        frames: "'self'",
    },
    Page {
        path: "/tools/hash",
        title: "Hash",
        command: "carnet hash",
        body: include_str!("../../assets/tools/hash.html"),
        scripts: &[SHARED, include_str!("../../assets/tools/hash.js")],
        frames: "'none'",
    },
    Page {
        path: "/tools/password",
        title: "Password",
        command: "carnet password",
        body: include_str!("../../assets/tools/password.html"),
        scripts: &[SHARED, include_str!("../../assets/tools/password.js")],
        frames: "'none'",
    },
    Page {
        path: "/tools/keys",
        title: "Keys",
        command: "carnet jwk generate",
        body: include_str!("../../assets/tools/keys.html"),
        scripts: &[
            SHARED,
            STRICT_JSON,
            KEY_TEXT,
            include_str!("../../assets/tools/keys.js"),
        ],
        frames: "'none'",
    },
];

/// The routes.
pub(crate) fn routes() -> Router<App> {
    let first = || async { Redirect::permanent("/tools/jwt") };
    let routes = Router::new()
        .route("/tools", get(first))
        .route("/tools/fetch", get(fetch::fetch));
    PAGES.iter().fold(routes, |routes, page| {
        let answer = page.answer(&PAGES);
        routes.route(page.path, get(move || async move { answer }))
    })
}
