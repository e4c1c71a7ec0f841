//! Tables as wide as the terminal, and no wider.

use comfy_table::{Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Table, Width};

use crate::plain::plain;

/// Rows under a heading; cells of strangers' text are made plain.
pub(crate) fn listing(style: Style, headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = empty(style);
    table.set_header(
        headings
            .iter()
            .map(|heading| Cell::new(heading.to_uppercase()).add_attribute(Attribute::Bold)),
    );
    for row in rows {
        table.add_row(row.iter().map(|cell| Cell::new(plain(cell))));
    }
    trimmed(&table)
}

/// A sheet of facts: name, value, and what it means.
pub(crate) fn sheet(style: Style, facts: &[[String; 3]]) -> String {
    let mut table = empty(style);
    for [name, value, meaning] in facts {
        let meaning = Cell::new(plain(meaning)).add_attribute(Attribute::Dim);
        table.add_row([
            Cell::new(plain(name)).add_attribute(Attribute::Bold),
            Cell::new(plain(value)),
            meaning,
        ]);
    }
    if let (Some(width), Some(column)) = (style.width, table.column_mut(1)) {
        // A long value must not press its explanation to a stripe.
        column.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed((width / 2).max(20))));
    }
    trimmed(&table)
}

/// Remarks: a sign in its colour, what it is about, and a sentence.
pub(crate) fn remarks(style: Style, remarks: &[[String; 3]]) -> String {
    let mut table = empty(style);
    for [sign, place, text] in remarks {
        let colour = match sign.as_str() {
            "✗" => Color::Red,
            "!" => Color::Yellow,
            _ => Color::Reset,
        };
        let place = Cell::new(plain(place)).add_attribute(Attribute::Bold);
        table.add_row([Cell::new(sign).fg(colour), place, Cell::new(plain(text))]);
    }
    trimmed(&table)
}

/// How a table is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// Whether to use bold and dim.
    pub(crate) colour: bool,
    /// Columns of the terminal; none when nobody looks, and then nothing is wrapped.
    pub(crate) width: Option<u16>,
}

/// Columns of the terminal that stdout is. One that does not know its width (a bare pty says 0) gets the usual one.
pub(crate) fn terminal_width() -> Option<u16> {
    Table::new()
        .width()
        .map(|width| if width < NARROWEST { 80 } else { width })
}

/// Below this nothing can be laid out.
pub(crate) const NARROWEST: u16 = 20;

fn empty(style: Style) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    match style.width {
        Some(width) => table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    if style.colour {
        table.enforce_styling()
    } else {
        table.force_no_tty()
    };
    table
}

fn trimmed(table: &Table) -> String {
    table
        .to_string()
        .lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_is_no_wider_than_the_terminal() {
        let facts = [[
            "aud".to_owned(),
            "https://api.example.com/".repeat(6),
            "for whom it is ".repeat(4),
        ]];
        let narrow = sheet(
            Style {
                colour: false,
                width: Some(60),
            },
            &facts,
        );
        assert!(
            narrow.lines().count() > 2 && narrow.lines().all(|line| line.chars().count() <= 60),
            "{narrow}"
        );
        assert_eq!(
            sheet(
                Style {
                    colour: false,
                    width: None
                },
                &facts
            )
            .lines()
            .count(),
            1
        );
    }

    #[test]
    fn colour_is_a_choice() {
        let rows = [vec!["x".to_owned()]];
        assert!(
            listing(
                Style {
                    colour: true,
                    width: None
                },
                &["name"],
                &rows
            )
            .contains("\u{1b}[")
        );
        assert_eq!(
            listing(
                Style {
                    colour: false,
                    width: None
                },
                &["name"],
                &rows
            ),
            " NAME\n x"
        );
    }
}
