//! What pages of the app's backend say, in English and German.
//!
//! Spec: RFC 9110 §12.5.4 (Accept-Language) · BCP 47

use http::{HeaderMap, header};

/// The languages that pages speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    English,
    German,
}

/// The same in every language.
#[derive(Clone, Copy)]
pub(super) struct Text {
    en: &'static str,
    de: &'static str,
}

/// What one page says.
#[derive(Clone, Copy)]
pub(super) struct Words {
    /// The stable code; empty where nothing went wrong.
    pub(super) code: &'static str,
    pub(super) title: Text,
    pub(super) help: Text,
}

impl Language {
    /// The one that a browser likes best; English when it likes neither.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let said = headers.get(header::ACCEPT_LANGUAGE);
        let said = said.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut best = (Self::English, 0);
        for range in said.split(',') {
            let (tag, rest) = range.split_once(';').unwrap_or((range, ""));
            let primary = tag.trim().split('-').next().unwrap_or_default();
            let language = match primary.to_ascii_lowercase().as_str() {
                "en" => Self::English,
                "de" => Self::German,
                _ => continue,
            };
            // Of two that it likes alike, the first.
            let weight = weight(rest);
            if weight > best.1 {
                best = (language, weight);
            }
        }
        best.0
    }

    /// As `lang` says it.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }
}

/// §12.4.2, in thousandths.
fn weight(rest: &str) -> u16 {
    let Some(said) = rest.trim().strip_prefix("q=") else {
        return 1000;
    };
    let (whole, part) = said.trim().split_once('.').unwrap_or((said.trim(), ""));
    let part = format!("{part:0<3}");
    match (whole, part.get(..3).and_then(|part| part.parse().ok())) {
        ("0", Some(part)) => part,
        ("1", Some(0)) => 1000,
        _ => 0,
    }
}

impl Text {
    const fn new(en: &'static str, de: &'static str) -> Self {
        Self { en, de }
    }

    pub(super) fn in_language(self, language: Language) -> &'static str {
        match language {
            Language::English => self.en,
            Language::German => self.de,
        }
    }
}

pub(super) const ERROR: Text = Text::new("Error:", "Fehler:");
pub(super) const LOGIN: Text = Text::new("Log in", "Anmelden");
pub(super) const LOGIN_AGAIN: Text = Text::new("Log in once more", "Noch einmal anmelden");
pub(super) const GO_ON: Text = Text::new("Continue", "Weiter");
pub(super) const BACK: Text = Text::new("Back to the app", "Zurück zur App");
pub(super) const ASKS: Text = Text::new("Login", "Anmeldung");
pub(super) const FOR_OPERATOR: Text =
    Text::new("For the operator of this app", "Für die Betreiber dieser App");
pub(super) const HAPPENED: Text = Text::new("What happened", "Was geschehen ist");
pub(super) const CODE: Text = Text::new("Code", "Code");
pub(super) const REFERENCE: Text = Text::new("Reference", "Referenz");

/// All is well, and the page opens the next one by itself.
pub(super) const GOING_ON: Words = Words {
    code: "",
    title: Text::new(
        "You will be taken to the app",
        "Sie werden zur App weitergeleitet",
    ),
    help: Text::new(
        "If nothing happens, go on by yourself.",
        "Wenn nichts geschieht, gehen Sie selbst weiter.",
    ),
};
pub(super) const ELSEWHERE: Words = Words {
    code: "",
    title: Text::new(
        "This login has come to its end in another window, or to none",
        "Diese Anmeldung ist in einem anderen Fenster zu Ende gegangen, oder gar nicht",
    ),
    help: Text::new(
        "The app knows whether you are logged in.",
        "Die App weiß, ob Sie angemeldet sind.",
    ),
};
pub(super) const UNKNOWN: Words = Words {
    code: "login_unknown",
    title: Text::new(
        "This login was not begun in this browser, or too long ago",
        "Diese Anmeldung wurde nicht in diesem Browser begonnen, oder vor zu langer Zeit",
    ),
    help: Text::new(
        "Begin anew. If it happens again, allow cookies for this site.",
        "Beginnen Sie von vorn. Geschieht es wieder, erlauben Sie Cookies für diese Website.",
    ),
};
pub(super) const DENIED: Words = Words {
    code: "login_refused",
    title: Text::new("You are not logged in", "Sie sind nicht angemeldet"),
    help: Text::new(
        "The login was not allowed, or it was cancelled. You can begin anew whenever you like.",
        "Die Anmeldung wurde nicht erlaubt oder abgebrochen. Sie können jederzeit von vorn beginnen.",
    ),
};
pub(super) const REFUSED: Words = Words {
    help: Text::new(
        "The login was refused. Begin anew; if it happens again, tell the operator of this app the reference below.",
        "Die Anmeldung wurde abgelehnt. Beginnen Sie von vorn; geschieht es wieder, nennen Sie den Betreibern dieser App die Referenz unten.",
    ),
    ..DENIED
};
pub(super) const TOO_LARGE: Words = Words {
    code: "session_too_large",
    title: DENIED.title,
    help: Text::new(
        "You did nothing wrong: the session does not fit into cookies. Tell the operator of this app the reference below.",
        "Sie haben nichts falsch gemacht: Die Sitzung passt nicht in Cookies. Nennen Sie den Betreibern dieser App die Referenz unten.",
    ),
};
pub(super) const UNUSABLE: Words = Words {
    code: "login_unusable",
    title: DENIED.title,
    help: Text::new(
        "You did nothing wrong: this app cannot use the answer that came. Begin anew; if it happens again, tell its operator the reference below.",
        "Sie haben nichts falsch gemacht: Diese App kann die Antwort nicht verwenden, die kam. Beginnen Sie von vorn; geschieht es wieder, nennen Sie ihren Betreibern die Referenz unten.",
    ),
};
pub(super) const MISCONFIGURED: Words = Words {
    code: "login_misconfigured",
    title: Text::new(
        "Nobody can log in to this app at the moment",
        "Bei dieser App kann sich zurzeit niemand anmelden",
    ),
    help: Text::new(
        "You did nothing wrong: the app and the server that logs people in are configured differently. Tell the operator of this app the reference below.",
        "Sie haben nichts falsch gemacht: Die App und der Server, bei dem Sie sich anmelden, sind verschieden eingerichtet. Nennen Sie den Betreibern dieser App die Referenz unten.",
    ),
};
pub(super) const LOOP: Words = Words {
    code: "login_loop",
    title: Text::new(
        "You were logged in again and again",
        "Sie wurden immer wieder angemeldet",
    ),
    help: Text::new(
        "Three times within a minute, and nothing was asked with the session. Allow cookies for this site. If that does not help, tell the operator of this app what stands below.",
        "Dreimal in einer Minute, und mit der Sitzung wurde nichts gefragt. Erlauben Sie Cookies für diese Website. Hilft das nicht, nennen Sie den Betreibern dieser App, was unten steht.",
    ),
};
/// These say which code by themselves.
pub(super) const DOWN: Words = Words {
    code: "",
    title: Text::new("That is not possible right now", "Das ist gerade nicht möglich"),
    help: Text::new(
        "It is our fault, not yours. Try again in a few minutes.",
        "Das liegt an uns, nicht an Ihnen. Versuchen Sie es in einigen Minuten noch einmal.",
    ),
};
pub(super) const TOO_OFTEN: Words = Words {
    code: "",
    title: Text::new("There were too many requests", "Es gab zu viele Anfragen"),
    help: Text::new(
        "Wait a few minutes and try again.",
        "Warten Sie einige Minuten und versuchen Sie es dann noch einmal.",
    ),
};
pub(super) const NOBODY: Words = Words {
    code: "",
    title: DENIED.title,
    help: Text::new(
        "Nobody is logged in to this app in this browser, or not any more.",
        "In diesem Browser ist bei dieser App niemand angemeldet, oder nicht mehr.",
    ),
};
pub(super) const OTHERWISE: Words = Words {
    code: "",
    title: Text::new(
        "This address leads no further",
        "Diese Adresse führt nicht weiter",
    ),
    help: Text::new(
        "Go back to the app and begin anew. If it happens again, tell its operator the reference below.",
        "Gehen Sie zurück zur App und beginnen Sie von vorn. Geschieht es wieder, nennen Sie ihren Betreibern die Referenz unten.",
    ),
};

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_page_speaks_the_language_that_the_browser_likes_best() {
        for (said, language) in [
            ("de", Language::German),
            ("de-AT,de;q=0.9,en;q=0.8", Language::German),
            ("en-US,en;q=0.9,de;q=0.8", Language::English),
            ("en;q=0.2, de;q=0.7", Language::German),
            ("fr-FR,fr;q=0.9,de;q=0.5", Language::German),
            ("DE;q=1.000", Language::German),
            ("de;q=0", Language::English),
            ("de;q=x", Language::English),
            ("den", Language::English),
            ("fr", Language::English),
            ("*", Language::English),
            ("", Language::English),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, HeaderValue::from_static(said))]);
            assert_eq!(Language::of(&headers), language, "{said}");
        }
        assert_eq!(Language::of(&HeaderMap::new()), Language::English);
    }
}
