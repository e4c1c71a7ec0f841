//! `carnet completions`: what a shell needs to complete our commands.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::failure::Failure;
use crate::output::Output;

#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  carnet completions bash > /etc/bash_completion.d/carnet
  carnet completions zsh > \"${fpath[1]}/_carnet\"")]
pub(crate) struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    /// `whole` is the command line as a whole.
    pub(crate) fn run(self, mut whole: Command, output: &Output) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut whole, "carnet", &mut script);
        output.line(String::from_utf8_lossy(&script).trim_end());
        Ok(())
    }
}
