//! The pages, as any template engine would write them.

use carnet_guard::web::CsrfToken;

pub(crate) fn home(name: Option<&str>, csrf: &CsrfToken) -> String {
    let content = match name {
        Some(name) => format!(
            "<p>Logged in as <strong id=\"who\">{}</strong>.</p><p><a href=\"/notes\">Your notes</a></p>{}",
            escape(name),
            log_out(csrf)
        ),
        None => "<p id=\"nobody\">Nobody is logged in.</p><p><a href=\"/notes\">Your notes</a> · <a href=\"/auth/login\">Log in</a></p>".to_owned(),
    };
    page("Notes", &content)
}

pub(crate) fn notes(name: &str, notes: &[String], csrf: &CsrfToken) -> String {
    let items: String = notes
        .iter()
        .map(|note| format!("<li>{}</li>", escape(note)))
        .collect();
    let content = format!(
        "<p>Notes of <strong id=\"who\">{}</strong></p><ul id=\"notes\">{items}</ul>\
         <form method=\"post\" action=\"/notes\" id=\"add\">{}<label>New note <input name=\"text\" required></label> <button>Add</button></form>{}",
        escape(name),
        csrf.field(),
        log_out(csrf)
    );
    page("Your notes", &content)
}

/// A form, since a link that logs out could be followed from anywhere.
fn log_out(csrf: &CsrfToken) -> String {
    format!(
        "<form method=\"post\" action=\"/auth/logout\" id=\"logout\">{}<button>Log out</button></form>",
        csrf.field()
    )
}

fn page(title: &str, content: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title><main><h1>{title}</h1>{content}</main></html>"
    )
}

fn escape(text: &str) -> String {
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}
