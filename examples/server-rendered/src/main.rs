//! A server-rendered axum app: notes, a form, login and logout. No script, and no token that a script could read.

mod pages;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::response::{Html, Redirect};
use axum::routing::get;
use axum::{Form, Router};
use carnet_guard::web::{CsrfToken, WebApp};
use carnet_guard::{Auth, Issuer};

/// The notes of each user, by their `sub`.
type Notes = Arc<Mutex<HashMap<String, Vec<String>>>>;

#[derive(serde::Deserialize)]
struct NewNote {
    text: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or(default.to_owned());
    let origin = setting("ORIGIN", "http://127.0.0.1:8083");
    let issuer = setting("ISSUER", "http://127.0.0.1:8080");

    let web = WebApp::new(&origin, Issuer::discover(issuer))
        .client_secret_file("my-web-client-id", std::env::var("CLIENT_SECRET_FILE")?)?
        .audience("https://api.example.com")
        .scope("openid email read:profile")
        .cookie_name("notes");
    // Strict unless it is asked for: see docs/server-rendered.md.
    let web = match std::env::var("LINKS_FROM_OUTSIDE") {
        Ok(_) => web.links_from_outside(),
        Err(_) => web,
    };
    let web = web.build().await?;

    let app = Router::new()
        .route("/notes", get(show).post(add))
        .layer(web.layer()) // everything above is for people who are logged in
        .merge(Router::new().route("/", get(home)).layer(web.layer_for_all()))
        .merge(web.routes()) // /auth/login, /auth/callback, /auth/logout
        .with_state(Notes::default());

    let address = setting("LISTEN", origin.trim_start_matches("http://"));
    axum::serve(tokio::net::TcpListener::bind(address).await?, app).await?;
    Ok(())
}

async fn home(auth: Option<Auth>, csrf: CsrfToken) -> Html<String> {
    Html(pages::home(auth.as_ref().map(name), &csrf))
}

async fn show(auth: Auth, csrf: CsrfToken, State(notes): State<Notes>) -> Html<String> {
    let notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
    let own = notes.get(auth.sub()).map_or(&[][..], Vec::as_slice);
    Html(pages::notes(name(&auth), own, &csrf))
}

async fn add(auth: Auth, State(notes): State<Notes>, Form(note): Form<NewNote>) -> Redirect {
    let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
    notes.entry(auth.sub().to_owned()).or_default().push(note.text);
    Redirect::to("/notes")
}

fn name(auth: &Auth) -> &str {
    auth.text("email").unwrap_or(auth.sub())
}
