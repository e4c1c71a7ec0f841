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
