//! `carnet man`: the manual pages, one for each command.

use std::path::PathBuf;

use clap::{Args, Command};

use crate::failure::Failure;
use crate::output::Output;

#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  carnet man --out /usr/local/share/man/man1
  carnet man --out . && man ./carnet-jwt-verify.1")]
pub(crate) struct Man {
    /// The folder to write them to; made when it is not there
    #[arg(short, long, value_name = "FOLDER")]
    out: PathBuf,
}

impl Man {
    /// `whole` is the command line as a whole.
    pub(crate) fn run(self, whole: Command, output: &Output) -> Result<(), Failure> {
        let written = std::fs::create_dir_all(&self.out);
        let written = written.and_then(|()| clap_mangen::generate_to(whole, &self.out));
        written.map_err(|error| {
            Failure::refused("file_unwritable", format!("{}: {error}", self.out.display()))
                .because("the manual pages are written there")
                .todo("name a folder that you may write to")
        })?;
        output.note(&format!("The manual pages are in {}.", self.out.display()));
        output.next(&format!("man {}", self.out.join("carnet.1").display()));
        Ok(())
    }
}
