//! What a person or a program reads: results on stdout, everything else on stderr.

use std::cell::{Cell, RefCell};
use std::io::{IsTerminal as _, Write as _};

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::plain::plain;
use crate::table::{self, Style};

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How this run talks.
#[derive(Debug)]
pub(crate) struct Output {
    /// Why something could not be written to stdout.
    unwritten: RefCell<Option<std::io::Error>>,
    /// What the process ends with when nothing fails.
    conclusion: Cell<u8>,
    json: bool,
    stdout: Style,
    colour_on_stderr: bool,
}

/// The few ways to write something in colour; the words say the same without it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ink {
    Strong,
    Quiet,
    Good,
    Careful,
    Bad,
    /// White on black, whatever the terminal's own colours are; without colour it is as the terminal has it.
    Screen,
}

impl Output {
    /// Decides colour and width for this terminal, or for no terminal.
    pub(crate) fn new(json: bool, colour: Colour) -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let paints = |is_terminal: bool| match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => is_terminal && !unwanted,
        };
        let told = std::env::var("COLUMNS")
            .ok()
            .and_then(|columns| columns.parse().ok())
            .filter(|width| *width >= table::NARROWEST);
        let terminal = std::io::stdout().is_terminal();
        let stdout = Style {
            colour: paints(terminal),
            width: told.or_else(|| table::terminal_width().filter(|_| terminal)),
        };
        Self {
            unwritten: RefCell::new(None),
            conclusion: Cell::new(0),
            json,
            stdout,
            colour_on_stderr: paints(std::io::stderr().is_terminal()),
        }
    }

    /// Whether a program reads.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// A result for programs: one JSON value, on one line.
    pub(crate) fn value(&self, value: &Value) {
        self.write_out(&format!("{value}\n"));
    }

    /// Result text for people, or a bare value that both can use.
    pub(crate) fn line(&self, text: &str) {
        self.write_out(&format!("{text}\n"));
    }

    /// A result as bytes.
    pub(crate) fn bytes(&self, bytes: &[u8]) {
        let mut stdout = std::io::stdout().lock();
        let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
        match written {
            // A reader that has gone (`| head`) has what it wanted.
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                self.unwritten.borrow_mut().get_or_insert(error);
            }
            _ => {}
        }
    }

    /// Lets the process end with this code although nothing fails: the result is an answer other than yes.
    pub(crate) fn conclude(&self, code: u8) {
        self.conclusion.set(code);
    }

    /// What the process ends with when nothing fails.
    pub(crate) fn conclusion(&self) -> u8 {
        self.conclusion.get()
    }

    /// Whether everything could be written. A key that went nowhere is no success.
    pub(crate) fn finish(&self) -> Result<(), Failure> {
        match self.unwritten.take() {
            None => Ok(()),
            Some(error) => Err(Failure::refused(
                "output_unwritable",
                "the result could not be written to stdout",
            )
            .because(error.to_string())
            .todo("make room, or write somewhere else, and run the command again")),
        }
    }

    fn write_out(&self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// A heading of a result.
    pub(crate) fn heading(&self, text: &str) {
        self.line(&format!("\n{}", self.ink(Ink::Strong, text)));
    }

    /// A sheet of facts: name, value, and what it means.
    pub(crate) fn sheet(&self, facts: &[[String; 3]]) {
        self.line(&table::sheet(self.stdout, facts));
    }

    /// Remarks: a sign, what it is about, and a sentence.
    pub(crate) fn remarks(&self, remarks: &[[String; 3]]) {
        self.line(&table::remarks(self.stdout, remarks));
    }

    /// Rows under headings.
    pub(crate) fn listing(&self, headings: &[&str], rows: &[Vec<String>]) {
        self.line(&table::listing(self.stdout, headings, rows));
    }

    /// Text in colour, where stdout has colour.
    pub(crate) fn ink(&self, ink: Ink, text: &str) -> String {
        paint(self.stdout.colour, ink, text)
    }

    /// What somebody is to do now, on stderr.
    pub(crate) fn say(&self, text: &str) {
        eprint_line(&plain(text));
    }

    /// The same for a program: one JSON object on one line.
    pub(crate) fn event(&self, value: &Value) {
        eprint_line(&value.to_string());
    }

    /// Something to look at, on stderr, light on dark as it is drawn.
    pub(crate) fn picture(&self, drawn: &str) {
        for line in drawn.lines() {
            eprint_line(&paint(self.colour_on_stderr, Ink::Screen, line));
        }
    }

    /// Something worth knowing, on stderr.
    pub(crate) fn note(&self, text: &str) {
        if !self.json {
            eprint_line(&paint(self.colour_on_stderr, Ink::Quiet, &plain(text)));
        }
    }

    /// Something to be careful about, on stderr.
    pub(crate) fn warn(&self, text: &str) {
        if self.json {
            eprint_line(&json!({ "warning": text }).to_string());
            return;
        }
        let word = paint(self.colour_on_stderr, Ink::Careful, "Warning:");
        eprint_line(&format!("{word} {}", plain(text)));
    }

    /// Asks a person, on stderr; no answer is a no.
    pub(crate) fn ask(&self, question: &str) -> bool {
        let word = paint(self.colour_on_stderr, Ink::Strong, &plain(question));
        let _gone = write!(std::io::stderr().lock(), "{word} [y/N] ");
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
    }

    /// The next likely command, after success.
    pub(crate) fn next(&self, command: &str) {
        self.note(&format!("Next: {command}"));
    }

    /// How far long work is, on one line of a terminal; an empty text takes the line away.
    pub(crate) fn progress(&self, text: &str) {
        if !self.json && std::io::stderr().is_terminal() {
            let _gone = write!(std::io::stderr().lock(), "\r\u{1b}[K{text}");
        }
    }

    /// The three lines of an error and its code; with `--json` one object.
    pub(crate) fn failure(&self, failure: &Failure) {
        if self.json {
            eprint_line(&json!({ "error": failure_value(failure) }).to_string());
            return;
        }
        let code = format!("({}; exit code {})", failure.code, failure.exit as u8);
        let word = paint(self.colour_on_stderr, Ink::Bad, "Error:");
        eprint_line(&format!("{word} {}", plain(&failure.what)));
        for (name, text) in [("Why:  ", &failure.why), ("To do:", &failure.todo)] {
            if !text.is_empty() {
                eprint_line(&format!(
                    "{} {}",
                    paint(self.colour_on_stderr, Ink::Strong, name),
                    plain(text)
                ));
            }
        }
        eprint_line(&paint(self.colour_on_stderr, Ink::Quiet, &code));
    }
}

/// A failure as `--json` shows it.
pub(crate) fn failure_value(failure: &Failure) -> Value {
    let Failure {
        what,
        why,
        todo,
        code,
        exit,
    } = failure;
    json!({ "code": code, "what": what, "why": why, "todo": todo, "exit": *exit as u8 })
}

fn paint(colour: bool, ink: Ink, text: &str) -> String {
    let code = match ink {
        Ink::Strong => "1",
        Ink::Quiet => "2",
        Ink::Good => "32",
        Ink::Careful => "33",
        Ink::Bad => "31",
        Ink::Screen => "38;5;231;48;5;16",
    };
    if colour && !text.is_empty() {
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

fn eprint_line(text: &str) {
    let _gone = writeln!(std::io::stderr().lock(), "{text}");
}
