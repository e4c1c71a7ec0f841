//! How a command says no: what is wrong, why, what to do, a stable code, and the exit code.

/// The exit codes of `carnet`, besides 0 for done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Refused or invalid: a token that does not verify, a file that cannot be read as what it should be.
    Refused = 1,
    /// The command was called in a way that it cannot mean.
    Usage = 2,
    /// Something that must be asked cannot be reached.
    Unreachable = 3,
    /// What should be made or changed contradicts what is there.
    Conflict = 4,
    /// Our fault.
    Broken = 70,
}

/// The one error type of all commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What is wrong, with file and line where there is one. Never quotes a secret.
    pub(crate) what: String,
    /// Why it is wrong; may be empty.
    pub(crate) why: String,
    /// What to do about it; may be empty.
    pub(crate) todo: String,
    /// A stable snake_case name that scripts may switch on.
    pub(crate) code: &'static str,
    /// What the process ends with.
    pub(crate) exit: Exit,
}

impl Failure {
    /// Exit 1.
    pub(crate) fn refused(code: &'static str, what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: String::new(),
            todo: String::new(),
            code,
            exit: Exit::Refused,
        }
    }

    /// Exit 2.
    pub(crate) fn usage(code: &'static str, what: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            ..Self::refused(code, what)
        }
    }

    /// Exit 3.
    pub(crate) fn unreachable(code: &'static str, what: impl Into<String>) -> Self {
        Self {
            exit: Exit::Unreachable,
            ..Self::refused(code, what)
        }
    }

    /// Exit 4.
    pub(crate) fn conflict(code: &'static str, what: impl Into<String>) -> Self {
        Self {
            exit: Exit::Conflict,
            ..Self::refused(code, what)
        }
    }

    /// Exit 70.
    pub(crate) fn broken(what: impl Into<String>) -> Self {
        let todo = "this is our fault: please report it with the command that you ran".to_owned();
        Self {
            exit: Exit::Broken,
            todo,
            ..Self::refused("internal", what)
        }
    }

    /// Adds the second line.
    pub(crate) fn because(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    /// Adds the third line.
    pub(crate) fn todo(mut self, todo: impl Into<String>) -> Self {
        self.todo = todo.into();
        self
    }
}

/// What the parser of the command line has to say, taken apart: its first paragraph, how the command is called, and its tips.
pub(crate) fn of_usage(error: &clap::Error) -> Failure {
    const HELP: &str = "carnet --help, or --help behind any command, explains it";
    if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Failure::usage("usage", "no command is named")
            .because("this part of the command line has commands of its own")
            .todo(HELP);
    }
    let text = error.to_string();
    let paragraphs = || {
        text.split("\n\n")
            .map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let what = paragraphs().next().unwrap_or_default();
    let usage = paragraphs().find(|part| part.starts_with("Usage: "));
    let tip = paragraphs().find_map(|part| part.strip_prefix("tip: ").map(str::to_owned));
    Failure::usage("usage", what.strip_prefix("error: ").unwrap_or(&what))
        .because(usage.unwrap_or_else(|| "this is not how the command is called".to_owned()))
        .todo(tip.unwrap_or_else(|| HELP.to_owned()))
}
