//! Something about a token that a colleague would point at.

use serde_json::{Value, json};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Broken or dangerous.
    Error,
    /// Should not be so.
    Warning,
    /// Good to know.
    Note,
}

/// One thing to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// How much it matters.
    pub(crate) level: Level,
    /// A stable name.
    pub(crate) code: &'static str,
    /// What it is about: `header.alg`, `claims.exp`, `signature`, `token`.
    pub(crate) place: String,
    /// What it means, in a sentence.
    pub(crate) text: String,
}

impl Finding {
    pub(crate) fn error(code: &'static str, place: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            level: Level::Error,
            code,
            place: place.into(),
            text: text.into(),
        }
    }

    pub(crate) fn warning(code: &'static str, place: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            level: Level::Warning,
            ..Self::error(code, place, text)
        }
    }

    pub(crate) fn note(code: &'static str, place: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            level: Level::Note,
            ..Self::error(code, place, text)
        }
    }

    /// As `--json` shows it.
    pub(crate) fn value(&self) -> Value {
        json!({ "level": self.level.name(), "code": self.code, "place": self.place, "text": self.text })
    }
}

impl Level {
    /// The word for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}
