//! Which new passwords are strong enough.
//!
//! Spec: NIST SP 800-63B §3.1.1.2 · OWASP ASVS 5.0 §6.2

use std::{io, path::Path};

use zxcvbn::{Score, feedback::Warning, zxcvbn};

use super::{breached::BreachedList, refused::PasswordRefused, typed::Password};

/// What a new password must pass.
#[derive(Debug)]
pub struct Policy {
    min_score: u8,
    breached: Option<BreachedList>,
}

impl Policy {
    /// At least this zxcvbn score, 0 (anything) to 4 (very hard to guess), and not in this file ([`BreachedList`]).
    pub fn new(min_score: u8, breached_list: Option<&Path>) -> io::Result<Self> {
        let load = |path: &Path| {
            BreachedList::load(path)
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
        };
        Ok(Self {
            min_score,
            breached: breached_list.map(load).transpose()?,
        })
    }

    /// A password that somebody wants to set: long enough, hard enough to guess, not known as breached.
    ///
    /// `about` is what the account says of its owner (e-mail, name): a password made of it is weak.
    pub fn accept(&self, typed: &str, about: &[&str]) -> Result<Password, PasswordRefused> {
        let password = Password::to_verify(typed)?;
        if password.text().len() < MIN_BYTES {
            return Err(PasswordRefused::TooShort);
        }
        if self
            .breached
            .as_ref()
            .is_some_and(|list| list.contains(password.text()))
        {
            return Err(PasswordRefused::Breached);
        }
        // zxcvbn's time grows faster than its input: what follows the first characters only adds strength.
        let head = first_chars(password.text(), SCORED_CHARS);
        let known = words_of(about);
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let estimate = zxcvbn(head, &known);
        if score(estimate.score()) < self.min_score {
            let warning = estimate.feedback().and_then(|feedback| feedback.warning());
            return Err(PasswordRefused::TooWeak {
                suggestion: suggestion(warning),
            });
        }
        Ok(password)
    }
}

/// Each text about the owner, whole and in its words: `alice.smith@example.com` also forbids `smith`.
fn words_of(about: &[&str]) -> Vec<String> {
    let mut words = Vec::new();
    for text in about.iter().take(ABOUT_TEXTS) {
        let text = first_chars(text, SCORED_CHARS).to_lowercase();
        words.extend(
            text.split(|c: char| !c.is_alphanumeric())
                .filter(|word| word.len() > 2)
                .map(str::to_owned),
        );
        words.push(text);
    }
    words
}

fn first_chars(text: &str, count: usize) -> &str {
    text.char_indices()
        .nth(count)
        .map_or(text, |(end, _)| text.split_at(end).0)
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

fn suggestion(warning: Option<Warning>) -> &'static str {
    use Warning::{
        AWordByItselfIsEasyToGuess, CommonNamesAndSurnamesAreEasyToGuess, DatesAreOftenEasyToGuess,
        NamesAndSurnamesByThemselvesAreEasyToGuess, RecentYearsAreEasyToGuess, RepeatsLikeAaaAreEasyToGuess,
        RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess, SequencesLikeAbcAreEasyToGuess,
        ShortKeyboardPatternsAreEasyToGuess, StraightRowsOfKeysAreEasyToGuess,
    };
    match warning {
        Some(StraightRowsOfKeysAreEasyToGuess | ShortKeyboardPatternsAreEasyToGuess) => {
            "the password is easy to guess: keys in a row are tried first; use a few uncommon words"
        }
        Some(
            RepeatsLikeAaaAreEasyToGuess
            | RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess
            | SequencesLikeAbcAreEasyToGuess,
        ) => "the password is easy to guess: repeats and sequences add little; use a few uncommon words",
        Some(RecentYearsAreEasyToGuess | DatesAreOftenEasyToGuess) => {
            "the password is easy to guess: years and dates are tried first; use a few uncommon words"
        }
        Some(
            AWordByItselfIsEasyToGuess
            | NamesAndSurnamesByThemselvesAreEasyToGuess
            | CommonNamesAndSurnamesAreEasyToGuess,
        ) => "the password is easy to guess: one word or name is not enough; add a few uncommon words",
        Some(_) => {
            "the password is easy to guess: it is, or resembles, a common one; use a few uncommon words"
        }
        None => "the password is easy to guess: add another word or two, uncommon words are better",
    }
}

const MIN_BYTES: usize = 8;
const SCORED_CHARS: usize = 64;
const ABOUT_TEXTS: usize = 8;
