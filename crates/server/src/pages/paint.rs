//! What the operator has chosen of the look, as the last lines of the style sheet.

use std::fmt::{Display, Write as _};

use crate::config::{Color, Colors, Font, Pages};

/// Nothing when nothing was chosen.
pub(super) fn css(chosen: &Pages) -> String {
    let mut shape: Vec<(&str, String)> = Vec::new();
    shape.extend(chosen.radius.iter().map(|it| ("radius", it.to_string())));
    shape.extend(chosen.card_width.iter().map(|it| ("card-width", it.to_string())));
    for (name, fonts) in [("font", &chosen.font), ("mono", &chosen.mono_font)] {
        shape.extend((!fonts.is_empty()).then(|| (name, family(fonts))));
    }
    let ground = chosen.colors_dark.card.unwrap_or(DARK_CARD);
    let dark = chosen.accent.map(|accent| legible_on(accent, ground));
    let mut css = block("", &shape);
    // On paper the sheet prints in black.
    css += &block(
        "screen and (prefers-color-scheme: light)",
        &colors(&chosen.colors, chosen.accent),
    );
    css += &block(
        "screen and (prefers-color-scheme: dark)",
        &colors(&chosen.colors_dark, chosen.accent_dark.or(dark)),
    );
    css
}

fn block(media: &str, variables: &[(&str, impl Display)]) -> String {
    if variables.is_empty() {
        return String::new();
    }
    let mut css = String::from(":root {");
    for (name, value) in variables {
        let _ = write!(css, " --{name}: {value};");
    }
    css += " }";
    match media {
        "" => format!("\n{css}\n"),
        media => format!("\n@media {media} {{ {css} }}\n"),
    }
}

fn colors(chosen: &Colors, accent: Option<Color>) -> Vec<(&'static str, Color)> {
    let all = [
        ("paper", chosen.paper),
        ("card", chosen.card),
        ("ink", chosen.ink),
        ("muted", chosen.muted),
        ("line", chosen.line),
        ("field", chosen.field),
        ("danger", chosen.danger),
        ("ok", chosen.ok),
        ("warn", chosen.warn),
        ("accent", accent),
        ("accent-ink", accent.map(ink_on)),
    ];
    all.into_iter()
        .filter_map(|(name, color)| Some((name, color?)))
        .collect()
}

/// A generic family goes without quotes, and so may any name of small letters but those that would take the place of the whole list.
fn family(fonts: &[Font]) -> String {
    let names = fonts.iter().map(ToString::to_string).map(|name| {
        let is_small = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
        let is_word = name.bytes().all(is_small) && !WITH_QUOTES.contains(&name.as_str());
        if is_word { name } else { format!("\"{name}\"") }
    });
    names.collect::<Vec<_>>().join(", ")
}

/// Words that are no font's name without quotes.
const WITH_QUOTES: [&str; 6] = ["inherit", "initial", "unset", "revert", "revert-layer", "default"];

const WHITE: Color = Color([255; 3]);
const BLACK: Color = Color([0; 3]);
/// As the sheet has it.
const DARK_CARD: Color = Color([0x1a, 0x20, 0x29]);
/// Of text to what is behind it (WCAG 2.2, 1.4.3).
const LEGIBLE: f64 = 4.5;

/// What is written on a button.
fn ink_on(accent: Color) -> Color {
    if contrast(WHITE, accent) >= contrast(BLACK, accent) {
        WHITE
    } else {
        BLACK
    }
}

/// With as much white in it as it takes to read it on dark ground, or black on light.
fn legible_on(color: Color, ground: Color) -> Color {
    let end = ink_on(ground);
    let mixed = |much: u16| {
        let mix = |(from, to): (u8, u8)| (u16::from(from) * (20 - much) + u16::from(to) * much) / 20;
        let [red, green, blue] = [0, 1, 2].map(|at| (color.0[at], end.0[at])).map(mix);
        Color([red, green, blue].map(|channel| u8::try_from(channel).unwrap_or(u8::MAX)))
    };
    let legible = (0..20)
        .map(mixed)
        .find(|mixed| contrast(*mixed, ground) >= LEGIBLE);
    legible.unwrap_or(end)
}

fn contrast(one: Color, other: Color) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

fn luminance(color: Color) -> f64 {
    let [red, green, blue] = color.0.map(|channel| {
        let share = f64::from(channel) / 255.0;
        if share <= 0.04045 {
            share / 12.92
        } else {
            ((share + 0.055) / 1.055).powf(2.4)
        }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fonts_are_a_list_whatever_their_names() {
        let fonts = ["Noto Sans", "inherit", "sans-serif"].map(|name| name.parse().unwrap());
        assert_eq!(family(&fonts), "\"Noto Sans\", \"inherit\", sans-serif");
    }

    #[test]
    fn what_is_written_on_an_accent_and_links_on_dark_ground_can_be_read() {
        for accent in [
            0x0000ff_u32,
            0xffd400,
            0x7a1f5c,
            0x000000,
            0xffffff,
            0x777777,
            0x1f4f8f,
        ] {
            let [_, red, green, blue] = accent.to_be_bytes();
            let accent = Color([red, green, blue]);
            assert!(contrast(ink_on(accent), accent) >= LEGIBLE, "{accent}");
            let dark = legible_on(accent, DARK_CARD);
            assert!(contrast(dark, DARK_CARD) >= LEGIBLE, "{accent} {dark}");
            assert!(contrast(ink_on(dark), dark) >= LEGIBLE, "{accent} {dark}");
        }
        let on_white = legible_on(Color([0xff, 0x8c, 0]), WHITE);
        assert!(contrast(on_white, WHITE) >= LEGIBLE, "{on_white}");
        // What can be read is left as it is.
        let light = Color([0x8a, 0xb8, 0xf5]);
        assert_eq!(legible_on(light, DARK_CARD), light);
    }
}
