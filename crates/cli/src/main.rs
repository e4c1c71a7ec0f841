//! `carnet`: the one binary.

mod command;
mod failure;
mod input;
mod key_file;
mod login;
mod moment;
mod output;
mod plain;
mod table;

use std::process::ExitCode;

use clap::Parser;

use crate::command::Command;
use crate::output::{Colour, Output};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Issues signed tokens that any service can check alone, and takes them back; and explains other people's.
#[derive(Debug, Parser)]
#[command(
    name = "carnet",
    version,
    arg_required_else_help = true,
    propagate_version = true
)]
#[command(before_help = "\
Examples:
  carnet demo                        a server, a seeded user and a guarded API, ready to be tried
  carnet jwt decode eyJhbGciOi…      what a token says, and what is suspicious about it")]
#[command(after_help = "\
Exit codes: 0 done · 1 refused or invalid · 2 usage · 3 cannot reach · 4 conflict · 70 our fault
With --json, stdout has one JSON value (each command's --help shows its shape); stderr has one JSON object a line: \
{\"warning\":…} or {\"error\":{\"code\",\"what\",\"why\",\"todo\",\"exit\"}}.")]
struct Carnet {
    #[command(subcommand)]
    command: Command,

    /// Write JSON for programs instead of text for people
    #[arg(long, global = true)]
    json: bool,

    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    color: Colour,
}

fn main() -> ExitCode {
    // rustls asks for a provider at the first connection; an error then would come too late. It may only be set once.
    let _already_set = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let Carnet { command, json, color } = match Carnet::try_parse() {
        Ok(carnet) => carnet,
        Err(error) => return refuse(&error),
    };
    let output = Output::new(json, color);
    let done = command.run(&output, <Carnet as clap::CommandFactory>::command);
    match done.and_then(|()| output.finish()) {
        Ok(()) => ExitCode::from(output.conclusion()),
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// A command line that means nothing, or asks for help or the version.
fn refuse(error: &clap::Error) -> ExitCode {
    let mut words = std::env::args_os().skip(1).take_while(|word| word != "--");
    // What was not understood cannot say whether a program reads: its words can.
    if error.exit_code() == 0 || !words.any(|word| word == "--json") {
        error.exit();
    }
    let failure = failure::of_usage(error);
    Output::new(true, Colour::Never).failure(&failure);
    ExitCode::from(failure.exit as u8)
}

#[test]
fn the_command_line_is_well_formed() {
    <Carnet as clap::CommandFactory>::command().debug_assert();
}
