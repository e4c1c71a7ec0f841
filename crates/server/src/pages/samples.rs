//! What every page is given, in examples: a theme is held against them before anybody comes.

use serde_json::{Value, json};

/// The examples of each template, as many as it takes to see all of it.
pub(super) fn samples() -> Vec<(&'static str, Value)> {
    [account(), asking(), device(), alone(), logout()].concat()
}

/// Whether a page is made of what an example of it is made of. What is nothing in one may be something in the other.
#[cfg(debug_assertions)]
pub(super) fn has(template: &str, content: &Value) -> bool {
    let mut samples = samples().into_iter();
    samples.any(|(name, sample)| name == template && is_alike(&sample, content))
}

#[cfg(debug_assertions)]
fn is_alike(sample: &Value, content: &Value) -> bool {
    match (sample, content) {
        (Value::Object(sample), Value::Object(content)) => {
            let each = |(name, value)| sample.get(name).is_some_and(|sample| is_alike(sample, value));
            sample.len() == content.len() && content.iter().all(each)
        }
        (Value::Array(sample), Value::Array(content)) => match (sample.first(), content.first()) {
            (Some(sample), Some(content)) => is_alike(sample, content),
            _ => true,
        },
        _ => sample.is_object() == content.is_object() || sample.is_null() || content.is_null(),
    }
}

/// `own` beside what its kind of page has.
fn over(common: &Value, own: Value) -> Value {
    let mut all = common.clone();
    if let (Some(all), Value::Object(own)) = (all.as_object_mut(), own) {
        all.extend(own);
    }
    all
}

fn links() -> Value {
    json!([
        { "lang": "en", "label": "English", "url": "/device?lang=en", "current": true },
        { "lang": "de", "label": "Deutsch", "url": "/device?lang=de", "current": false },
    ])
}

fn client(is_unverified: bool) -> Value {
    let link = |path| (!is_unverified).then(|| format!("https://app.example.com/{path}"));
    json!({
        "name": "Northwind Travel", "logo": link("logo.svg"), "host": "app.example.com", "uri": link(""),
        "policy_uri": link("privacy"), "tos_uri": link("terms"), "unverified": is_unverified, "goes_to": "app.example.com",
    })
}

/// The pages that ask on the way to an app.
fn asking() -> Vec<(&'static str, Value)> {
    let user = json!({ "name": "Alice", "email": "alice@example.com", "sub": "s" });
    let common = json!({
        "action": "/login", "csrf": "c", "interaction": "i", "client": client(false), "language_links": links(),
        "apps_url": "/account/apps",
    });
    let stranger = over(&common, json!({ "client": client(true) }));
    let errors = [
        "no_match",
        "too_many",
        "unavailable",
        "username_missing",
        "username_invalid",
        "password_missing",
    ];
    let mut all: Vec<_> = errors
        .into_iter()
        .map(|error| {
            over(
                &common,
                json!({ "login_hint": "alice@example.com", "error": error }),
            )
        })
        .chain([
            over(&stranger, json!({ "login_hint": null, "error": null })),
            over(
                &common,
                json!({ "client": null, "login_hint": null, "error": null }),
            ),
        ])
        .map(|sample| ("login.html", sample))
        .collect();
    let consent = json!({
        "user": { "email": "alice@example.com", "sub": "s" },
        "scopes": [{ "name": "openid", "is_new": false }, { "name": "read:orders", "is_new": true }],
        "claims": [{ "name": "email", "is_new": true }],
        "audience": ["https://api.example.com"],
        "duration_key": "days", "duration_value": 30, "idle_key": "days", "idle_value": 7, "is_tied": true,
        "may_remember": true, "remember": true, "may_switch": true,
    });
    let once = json!({
        "scopes": [], "claims": [], "audience": [], "may_remember": false, "remember": false, "may_switch": false, "duration_key": "day", "duration_value": 1,
        "idle_key": null, "idle_value": null, "is_tied": false,
    });
    let choice = json!({ "user": user, "may_switch": true });
    let nameless =
        json!({ "user": { "name": null, "email": "alice@example.com", "sub": "s" }, "client": null });
    all.extend([
        ("consent.html", over(&common, consent.clone())),
        ("consent.html", over(&stranger, over(&consent, once))),
        ("choose_account.html", over(&common, choice.clone())),
        ("choose_account.html", over(&over(&common, choice), nameless)),
    ]);
    all
}

fn device() -> Vec<(&'static str, Value)> {
    let page = json!({
        "action": "/device", "csrf": "c", "user_code": null, "error": null, "language": "en", "client": null, "language_links": links(),
    });
    let asking = json!({
        "action": "/device/decide", "csrf": "c", "interaction": "i", "client": client(false), "language_links": links(),
        "apps_url": "/account/apps",
    });
    let confirm = over(
        &asking,
        json!({
            "user": { "email": "alice@example.com", "sub": "s" }, "user_code": "BCDF-GHJK",
            "asked_at": "2026-11-21T10:00:00Z", "minutes_ago": 0, "asked_from": "192.0.2.1",
            "scopes": ["openid", "read:orders"], "audience": "https://api.example.com",
            "duration_key": "days", "duration_value": 30, "idle_key": "days", "idle_value": 7, "is_tied": false,
        }),
    );
    let earlier = |minutes| {
        over(
            &confirm,
            json!({
                "client": client(true), "scopes": [], "minutes_ago": minutes, "duration_key": "minutes", "duration_value": 15,
                "idle_key": null, "idle_value": null,
            }),
        )
    };
    let mut all = vec![
        ("device.html", page.clone()),
        ("device_confirm.html", confirm.clone()),
        ("device_confirm.html", earlier(1)),
        ("device_confirm.html", earlier(5)),
        ("device_done.html", over(&asking, json!({ "allowed": true }))),
        ("device_done.html", over(&asking, json!({ "allowed": false }))),
    ];
    for error in ["missing", "unknown", "expired", "used", "too_many"] {
        let typed = json!({ "user_code": "BCDF-GHJK", "error": error });
        all.push(("device.html", over(&page, typed)));
    }
    all
}

/// The pages that stand alone.
fn alone() -> Vec<(&'static str, Value)> {
    let none = json!({ "client": null, "language_links": [] });
    let guide = json!({
        "client_id": "spa", "redirect_uri": "https://app.example.com/cb", "scope": "openid", "response_type": "token", "is_password": false,
        "authorization_endpoint": "https://auth.example.com/oauth/authorize", "token_endpoint": "https://auth.example.com/oauth/token",
    });
    let unknown = json!({ "client_id": null, "redirect_uri": null, "scope": null, "response_type": null, "is_password": true });
    let error = json!({
        "title_key": "redirect", "code": "redirect_uri_mismatch", "reason": "what happened", "request_id": "r",
        "back": { "name": "Northwind Travel", "url": "https://app.example.com" }, "help": "https://auth.example.com/implicit",
    });
    let ours = json!({ "title_key": "unavailable", "code": "server_error", "reason": null, "back": null, "help": null });
    let form = json!({
        "action": "https://app.example.com/cb", "fields": [{ "name": "code", "value": "c" }], "script": "",
    });
    vec![
        (
            "front.html",
            over(&none, json!({ "issuer": "https://auth.example.com" })),
        ),
        ("form_post.html", form),
        ("implicit.html", over(&none, guide.clone())),
        ("implicit.html", over(&none, over(&guide, unknown))),
        ("error.html", over(&none, error.clone())),
        ("error.html", over(&none, over(&error, ours))),
    ]
}

fn logout() -> Vec<(&'static str, Value)> {
    let none = json!({ "client": null, "language_links": [] });
    let frames = json!([{ "src": "https://app.example.com/bye", "origin": "https://app.example.com" }]);
    let asked = json!({
        "action": "/logout", "csrf": "c", "fields": [{ "name": "state", "value": "s" }], "frames": frames,
        "user": { "email": "alice@example.com" },
    });
    let back = |is_unverified: bool| {
        json!({
            "url": "https://app.example.com/bye", "name": "Northwind Travel", "unverified": is_unverified, "goes_to": "app.example.com",
        })
    };
    let gone =
        json!({ "stayed": false, "back": back(false), "goes_on": true, "frames": frames, "script": "" });
    let link = json!({ "back": back(true), "goes_on": false, "frames": [] });
    let stayed = json!({ "stayed": true, "back": null, "goes_on": false, "frames": [] });
    vec![
        ("logout.html", over(&none, asked)),
        ("logged_out.html", over(&none, gone.clone())),
        ("logged_out.html", over(&none, over(&gone, link))),
        ("logged_out.html", over(&none, over(&gone, stayed))),
    ]
}

/// The pages about what is a person's own.
fn account() -> Vec<(&'static str, Value)> {
    let common = json!({
        "action": "/account/sessions", "csrf": "c", "chosen_language": "de", "client": null, "language_links": links(),
        "user": { "name": "Alice", "email": "alice@example.com" }, "sessions_url": "/account/sessions", "apps_url": "/account/apps",
    });
    let ago = |key: &str| json!({ "key": key, "value": 2, "exact": "2026-11-21T10:00:00Z" });
    let session = |here: bool, browser: Option<&str>| {
        json!({
            "app": "Northwind Travel", "apps": ["Northwind Travel", "Fabrikam"], "browser": browser, "system": "Linux",
            "address": "192.0.2.1", "here": here, "began": ago("days"), "seen": ago("now"), "end_url": "/account/sessions/end?session=s",
        })
    };
    let live = json!({
        "browsers": [session(true, Some("Firefox")), session(false, None)], "others": [session(false, None)],
        "end_others_url": "/account/sessions/end-others",
    });
    let here = json!({
        "browsers": [session(true, None)], "others": [], "end_others_url": null, "chosen_language": null,
    });
    let app = json!({
        "name": "Northwind Travel", "id": "northwind", "scopes": ["openid", "read:orders"], "since": ago("day"), "sessions": 2,
        "withdraw_url": "/account/apps/withdraw?app=northwind",
    });
    let confirm = |kind: &str, one: Option<Value>, apps: &[&str]| {
        json!({
            "kind": kind, "one": one, "apps": apps, "ends": 3, "name": "Northwind Travel",
            "fields": [{ "name": "app", "value": "northwind" }], "back_url": "/account/apps",
        })
    };
    let one = Some(session(false, Some("Firefox")));
    vec![
        ("account_sessions.html", over(&common, live)),
        ("account_sessions.html", over(&common, here)),
        ("account_apps.html", over(&common, json!({ "apps": [app] }))),
        ("account_apps.html", over(&common, json!({ "apps": [] }))),
        (
            "account_confirm.html",
            over(&common, confirm("end", one, &["Fabrikam"])),
        ),
        (
            "account_confirm.html",
            over(&common, confirm("others", None, &["Fabrikam", "Northwind"])),
        ),
        (
            "account_confirm.html",
            over(&common, confirm("withdraw", None, &[])),
        ),
    ]
}
