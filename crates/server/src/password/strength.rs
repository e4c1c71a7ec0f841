//! Which new passwords are refused, and what to tell their author.
//!
//! Spec: NIST SP 800-63B §3.1.1.2 · OWASP ASVS 5.0 §6.2

use std::sync::Arc;

use thiserror::Error;
use zxcvbn::{Score, feedback::Feedback, zxcvbn};

use super::breached::BreachedList;

/// What a new password must pass.
#[derive(Clone, Debug)]
pub struct PasswordPolicy {
    /// The least zxcvbn score, 0 (anything) to 4 (very hard to guess).
    pub min_score: u8,
    /// Passwords nobody may use.
    pub breached: Option<Arc<BreachedList>>,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self { min_score: 3, breached: None }
    }
}

/// Why a password cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PasswordRefused {
    /// Fewer than 8 bytes.
    #[error("the password is shorter than 8 bytes")]
    TooShort,
    /// More than 1,024 bytes; nothing is ever cut off.
    #[error("the password is longer than 1024 bytes")]
    TooLong,
    /// zxcvbn scores it below the policy.
    #[error("the password is too easy to guess: {suggestion}")]
    TooWeak {
        /// Fixed English text that quotes nothing of the password.
        suggestion: String,
    },
    /// It is in the list of breached passwords.
    #[error("the password is in a list of passwords known to attackers")]
    Breached,
}

impl PasswordRefused {
    /// The stable code of this refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooShort => "password_too_short",
            Self::TooLong => "password_too_long",
            Self::TooWeak { .. } => "password_too_weak",
            Self::Breached => "password_breached",
        }
    }
}

impl PasswordPolicy {
    pub(super) fn judge(&self, password: &str, about: &[&str]) -> Result<(), PasswordRefused> {
        if self.breached.as_ref().is_some_and(|list| list.contains(password)) {
            return Err(PasswordRefused::Breached);
        }
        // zxcvbn's time grows faster than its input: what follows the first characters only adds strength.
        let head = first_chars(password, SCORED_CHARS);
        let known = words_of(about);
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let estimate = zxcvbn(head, &known);
        if score(estimate.score()) < self.min_score {
            return Err(PasswordRefused::TooWeak { suggestion: suggestion(estimate.feedback()) });
        }
        Ok(())
    }
}

/// Each text about the owner, whole and in its words: `alice.smith@example.com` also forbids `smith`.
fn words_of(about: &[&str]) -> Vec<String> {
    let mut words = Vec::new();
    for text in about.iter().take(ABOUT_TEXTS) {
        let text = first_chars(text, SCORED_CHARS).to_lowercase();
        words.extend(text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 2).map(str::to_owned));
        words.push(text);
    }
    words
}

fn first_chars(text: &str, count: usize) -> &str {
    text.char_indices().nth(count).map_or(text, |(end, _)| text.split_at(end).0)
}

fn score(score: Score) -> u8 {
    match score {
        Score::Zero => 0,
        Score::One => 1,
        Score::Two => 2,
        Score::Three => 3,
        _ => 4,
    }
}

fn suggestion(feedback: Option<&Feedback>) -> String {
    let warning = feedback.and_then(Feedback::warning).map(|warning| warning.to_string());
    let advice = feedback.and_then(|feedback| feedback.suggestions().first()).map(ToString::to_string);
    match (warning, advice) {
        (Some(warning), Some(advice)) => format!("{warning} {advice}"),
        (Some(text), None) | (None, Some(text)) => text,
        (None, None) => "Add another word or two. Uncommon words are better.".to_owned(),
    }
}

const SCORED_CHARS: usize = 100;
const ABOUT_TEXTS: usize = 8;
