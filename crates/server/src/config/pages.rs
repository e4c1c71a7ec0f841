//! `[pages]`: whose the pages are, and how they look.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use carnet_listen::as_string;
use carnet_oauth::plain_uri;
use serde::{Deserialize, Serialize};

use super::fault::{Fault, fault};

/// `[pages]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pages {
    /// The name that people are shown.
    pub name: String,
    /// The address of a logo, https.
    pub logo_url: Option<String>,
    /// A folder whose files replace templates, texts and the style sheet.
    pub theme_folder: Option<PathBuf>,
    /// The colour of buttons and links.
    pub accent: Option<Color>,
    /// The same where the system is dark; lightened from `accent` when only that is given.
    pub accent_dark: Option<Color>,
    /// How round corners are.
    pub radius: Option<Length>,
    /// How wide a card is at most.
    pub card_width: Option<Length>,
    /// Fonts, the dearest first.
    pub font: Vec<Font>,
    /// The same for codes and addresses.
    pub mono_font: Vec<Font>,
    /// The other colours.
    pub colors: Colors,
    /// The same where the system is dark.
    pub colors_dark: Colors,
}

impl Default for Pages {
    fn default() -> Self {
        Self {
            name: "Carnet".to_owned(),
            logo_url: None,
            theme_folder: None,
            accent: None,
            accent_dark: None,
            radius: None,
            card_width: None,
            font: Vec::new(),
            mono_font: Vec::new(),
            colors: Colors::default(),
            colors_dark: Colors::default(),
        }
    }
}

/// `[pages.colors]`, `[pages.colors_dark]`: the variables of the style sheet have the same names.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Colors {
    /// Behind everything.
    pub paper: Option<Color>,
    /// Behind text and fields.
    pub card: Option<Color>,
    /// Text.
    pub ink: Option<Color>,
    /// Text that says less.
    pub muted: Option<Color>,
    /// Lines between things.
    pub line: Option<Color>,
    /// The borders of fields.
    pub field: Option<Color>,
    /// What went wrong.
    pub danger: Option<Color>,
    /// What is well.
    pub ok: Option<Color>,
    /// What to beware of.
    pub warn: Option<Color>,
}

/// `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color(pub [u8; 3]);

impl FromStr for Color {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6);
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let [_, red, green, blue] = number
            .ok_or_else(|| format!("{text:?} is no colour; write one such as \"#1f4f8f\""))?
            .to_be_bytes();
        Ok(Self([red, green, blue]))
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

/// A number of `px`, `em` or `rem`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Length(String);

impl FromStr for Length {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = ["px", "rem", "em"]
            .into_iter()
            .find_map(|unit| text.strip_suffix(unit));
        let is_number = |number: &&str| {
            let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
            let mut digits = [whole, part].into_iter();
            digits.all(|some| (1..=4).contains(&some.len()) && some.bytes().all(|byte| byte.is_ascii_digit()))
        };
        match number.filter(is_number) {
            Some(_) => Ok(Self(text.to_owned())),
            None => Err(format!(
                "{text:?} is no length; write one such as \"10px\" or \"26rem\""
            )),
        }
    }
}

impl Length {
    /// As many pixels of CSS as it has where nobody has changed the size of letters.
    fn pixels(&self) -> f64 {
        let number = self
            .0
            .trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
        let number: f64 = number.parse().unwrap_or_default();
        if self.0.ends_with("px") {
            number
        } else {
            number * 16.0
        }
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a font.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Font(String);

impl FromStr for Font {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_plain = |letter: char| letter.is_alphanumeric() || letter == ' ' || letter == '-';
        match !text.trim().is_empty() && text.chars().all(is_plain) {
            true => Ok(Self(text.to_owned())),
            false => Err(format!(
                "{text:?} is no font; write names such as [\"Segoe UI\", \"sans-serif\"]"
            )),
        }
    }
}

impl fmt::Display for Font {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

as_string!(Color, Length, Font);

/// Of a card, in pixels of CSS.
const NARROWEST: f64 = 240.0;

pub(super) fn check_pages(pages: &Pages) -> Result<(), Fault> {
    if pages.name.trim().is_empty() {
        return Err(fault(
            "pages.name",
            "is empty, and every page shows it",
            "write the name that people know you by",
        ));
    }
    if let Some(width) = pages
        .card_width
        .as_ref()
        .filter(|width| width.pixels() < NARROWEST)
    {
        let what = format!("\"{width}\" is too narrow for a form");
        return Err(fault("pages.card_width", what, "write 240px (15rem) or more"));
    }
    // The policy of our pages shows no picture that came over plain http.
    let is_shown = |uri: &str| plain_uri::read_link(uri).is_some() || uri.starts_with("data:image/");
    match &pages.logo_url {
        Some(uri) if !is_shown(uri) => {
            let what = format!("{uri:?} is no https URL of a picture");
            Err(fault("pages.logo_url", what, "write https://…"))
        }
        _ => Ok(()),
    }
}
