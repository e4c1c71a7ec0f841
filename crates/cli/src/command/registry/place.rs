//! Where in a file something stands.

use std::collections::BTreeMap;
use std::ops::Deref;

/// Line and column, both counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// A text, and where its lines begin.
pub(crate) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(crate) fn of(text: &'t str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            text,
            starts: std::iter::once(0).chain(ends).collect(),
        }
    }

    /// The place of a byte of the text.
    pub(crate) fn place(&self, offset: usize) -> Place {
        let offset = offset.min(self.text.len());
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self
            .starts
            .get(line.saturating_sub(1))
            .copied()
            .unwrap_or_default();
        let before = self.text.get(start..offset).unwrap_or_default();
        Place {
            line,
            column: before.chars().count() + 1,
        }
    }
}

/// Something of a file, with its place and those of its members.
pub(crate) struct Placed<T> {
    pub(crate) entry: T,
    pub(crate) at: Place,
    pub(crate) members: BTreeMap<String, Place>,
    /// Members whose value could not be read; the entry has their default.
    pub(crate) unread: Vec<String>,
}

impl<T> Placed<T> {
    /// The place of a member; of the whole when it is not written.
    pub(crate) fn place_of(&self, member: &str) -> Place {
        self.members.get(member).copied().unwrap_or(self.at)
    }
}

impl<T> Deref for Placed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.entry
    }
}

#[test]
fn a_place_counts_lines_and_characters_from_one() {
    let text = "a = 1\nü = 2\n";
    let place = |offset| {
        let place = Lines::of(text).place(offset);
        (place.line, place.column)
    };
    assert_eq!(place(0), (1, 1));
    assert_eq!(place(6), (2, 1));
    assert_eq!(place(9), (2, 3));
    assert_eq!(place(99), (3, 1));
}
