//! `carnet explain`: what a stable code means. Its texts are the page `docs/codes.md`.

use clap::Args;
use serde_json::json;

use crate::failure::Failure;
use crate::output::{Ink, Output};

#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  carnet explain token_expired
  carnet explain                       every code")]
#[command(after_help = "JSON: {\"code\",\"meaning\",\"causes\",\"todo\"}; without CODE {\"codes\":[…]}")]
pub(crate) struct Explain {
    /// The code, as an error shows it
    code: Option<String>,
}

/// The page that people read as well.
const PAGE: &str = include_str!("../../../../docs/codes.md");

/// One entry of the page.
#[derive(Clone, Copy, Debug)]
struct Entry {
    code: &'static str,
    meaning: &'static str,
    causes: &'static str,
    todo: &'static str,
}

impl Explain {
    pub(crate) fn run(self, output: &Output) -> Result<(), Failure> {
        let Some(code) = self.code else {
            list(output);
            return Ok(());
        };
        let code = code
            .trim()
            .trim_matches(['(', ')', '"', '`', ';'])
            .to_ascii_lowercase();
        let entry = entries()
            .find(|entry| entry.code == code)
            .ok_or_else(|| unknown(&code))?;
        if output.is_json() {
            output.value(&json!({
                "code": entry.code, "meaning": entry.meaning, "causes": entry.causes, "todo": entry.todo,
            }));
            return Ok(());
        }
        output.line(&format!(
            "{}: {}",
            output.ink(Ink::Strong, entry.code),
            entry.meaning
        ));
        output.line(&format!("Causes: {}", entry.causes));
        output.line(&format!("To do:  {}", entry.todo));
        Ok(())
    }
}

fn list(output: &Output) {
    if output.is_json() {
        let codes: Vec<_> = entries().map(|entry| entry.code).collect();
        return output.value(&json!({ "codes": codes }));
    }
    let rows: Vec<Vec<String>> = entries()
        .map(|entry| vec![entry.code.to_owned(), entry.meaning.to_owned()])
        .collect();
    output.listing(&["code", "meaning"], &rows);
}

fn entries() -> impl Iterator<Item = Entry> {
    PAGE.split("\n## ").skip(1).filter_map(|text| {
        let mut lines = text.lines();
        let code = lines.next()?.trim();
        let meaning = lines.next()?;
        let causes = lines.next()?.strip_prefix("- Causes: ")?;
        let todo = lines.next()?.strip_prefix("- To do: ")?;
        Some(Entry {
            code,
            meaning,
            causes,
            todo,
        })
    })
}

/// Of all codes the one that shares most with what was typed: for whoever cuts one off or mistypes it.
fn unknown(typed: &str) -> Failure {
    let pairs = |text: &str| -> Vec<(char, char)> { text.chars().zip(text.chars().skip(1)).collect() };
    let wanted = pairs(typed);
    let shared = |entry: &Entry| {
        let own = pairs(entry.code);
        let both = wanted.iter().filter(|pair| own.contains(pair)).count();
        both * 1000 / (own.len() + wanted.len()).max(1)
    };
    let nearest = entries().max_by_key(shared).filter(|entry| shared(entry) > 250);
    let todo = match nearest {
        Some(entry) => format!("perhaps: carnet explain {}", entry.code),
        None => "list them: carnet explain".to_owned(),
    };
    Failure::usage("code_unknown", format!("there is no code {typed:?}"))
        .because("codes are the words in brackets under an error")
        .todo(todo)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_of_the_page_is_whole_and_in_order() {
        let codes: Vec<_> = entries().map(|entry| entry.code).collect();
        assert_eq!(
            codes.len(),
            PAGE.matches("\n## ").count(),
            "an entry lacks a line"
        );
        assert!(codes.is_sorted(), "the page is in alphabetical order");
        assert!(entries().all(|entry| !entry.meaning.is_empty() && !entry.todo.is_empty()));
    }

    #[test]
    fn every_code_of_the_library_is_explained() {
        for error in carnet_jose::Error::ALL {
            assert!(
                entries().any(|entry| entry.code == error.code()),
                "{}",
                error.code()
            );
        }
    }

    #[test]
    fn a_mistyped_code_finds_the_right_one() {
        assert_eq!(
            unknown("token_expird").todo,
            "perhaps: carnet explain token_expired"
        );
        assert_eq!(unknown("xyzzy").todo, "list them: carnet explain");
    }
}
