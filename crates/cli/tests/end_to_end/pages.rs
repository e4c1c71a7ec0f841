//! A browser that fills in forms, as far as the built binary's pages need one.

pub(crate) fn browser() -> reqwest::Client {
    // Redirects to the app are looked at, not followed: there is no app.
    let stay_here = reqwest::redirect::Policy::custom(|attempt| match attempt.url().host_str() {
        Some("127.0.0.1") => attempt.follow(),
        _ => attempt.stop(),
    });
    reqwest::Client::builder()
        .cookie_store(true)
        .redirect(stay_here)
        .build()
        .unwrap()
}

pub(crate) async fn page(browser: &reqwest::Client, url: &str) -> (String, String) {
    let reply = browser.get(url).send().await.unwrap();
    assert_eq!(reply.status(), 200, "{}", reply.url());
    (
        reply.url().origin().ascii_serialization(),
        reply.text().await.unwrap(),
    )
}

/// Fills in the form of a page: the next page, or where the browser is sent.
pub(crate) async fn submit(
    browser: &reqwest::Client,
    (origin, html): &(String, String),
    fields: &[(&str, &str)],
) -> (String, String) {
    let attribute = |tag: &str, name: &str| {
        let value = tag.split_once(&format!("{name}=\""))?.1.split('"').next()?;
        Some(value.replace("&#x2f;", "/"))
    };
    let form = html
        .split("<form")
        .nth(1)
        .unwrap_or_else(|| panic!("no form: {html}"));
    let action = attribute(form, "action").unwrap();
    let hidden = form.split("type=\"hidden\"").skip(1);
    let mut all: Vec<(String, String)> = hidden
        .map(|tag| (attribute(tag, "name").unwrap(), attribute(tag, "value").unwrap()))
        .collect();
    all.extend(
        fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    let reply = browser
        .post(format!("{origin}{action}"))
        .form(&all)
        .send()
        .await
        .unwrap();
    let location = reply
        .headers()
        .get("location")
        .map(|value| value.to_str().unwrap().to_owned());
    let origin = reply.url().origin().ascii_serialization();
    (location.unwrap_or(origin), reply.text().await.unwrap())
}

pub(crate) fn parameter((location, page): &(String, String), name: &str) -> String {
    let url = url::Url::parse(location).unwrap();
    let found = url.query_pairs().find(|(key, _)| key == name);
    found
        .unwrap_or_else(|| panic!("{location}\n{page}"))
        .1
        .into_owned()
}
