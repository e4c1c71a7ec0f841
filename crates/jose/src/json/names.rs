//! The names of one object's members, none of them twice.

use std::borrow::Cow;
use std::collections::HashSet;

/// Names that were seen. The first few are compared one by one, without a byte of heap.
#[derive(Default)]
pub(crate) struct Names<'de> {
    few: [&'de str; FEW],
    count: usize,
    /// The rest, and those whose escapes had to be resolved.
    more: Option<HashSet<Cow<'de, str>>>,
}

/// As many members as a token usually has.
const FEW: usize = 16;

impl<'de> Names<'de> {
    /// Whether the name is new.
    #[expect(
        clippy::ptr_arg,
        reason = "what is kept must borrow from the document, not from here"
    )]
    pub(crate) fn add(&mut self, name: &Cow<'de, str>) -> bool {
        let few = self.few.get(..self.count).unwrap_or_default();
        let more = self.more.as_ref();
        if few.iter().any(|seen| *seen == name.as_ref())
            || more.is_some_and(|more| more.contains(name.as_ref()))
        {
            return false;
        }
        match (name, self.few.get_mut(self.count)) {
            (Cow::Borrowed(name), Some(place)) => {
                *place = name;
                self.count += 1;
            }
            _ => {
                self.more.get_or_insert_default().insert(name.clone());
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_new_once_however_it_is_held_and_however_many_there_are() {
        let names: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let mut seen = Names::default();
        for (n, name) in names.iter().enumerate() {
            let held = if n % 3 == 0 {
                Cow::Owned(name.clone())
            } else {
                Cow::Borrowed(name.as_str())
            };
            assert!(seen.add(&held));
        }
        for name in &names {
            assert!(!seen.add(&Cow::Borrowed(name.as_str())));
            assert!(!seen.add(&Cow::Owned(name.clone())));
        }
    }
}
