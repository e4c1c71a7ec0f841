//! `carnet config`: the annotated default, and a check without starting.

use carnet_server::app::App;
use carnet_server::clock::SystemClock;
use clap::Subcommand;

use super::operator::{ConfigFile, broken, show as tell};
use crate::failure::Failure;
use crate::output::Output;

/// Show the annotated default configuration, or check yours
#[derive(clap::Args, Debug)]
pub(crate) struct ConfigCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Print every key with its default and its meaning: carnet config print > carnet.toml
    Print,
    /// Read the file, and the files that it names, as the server would, and say what is wrong
    Check {
        #[command(flatten)]
        config: ConfigFile,
    },
}

pub(crate) fn run(command: ConfigCommand, out: &Output) -> Result<(), Failure> {
    match command.action {
        Action::Print => out.line(carnet_server::config::DEFAULT),
        Action::Check { config } => {
            let (checked, warnings) = config.load_with_warnings()?;
            App::rehearse(&checked, SystemClock).map_err(broken)?;
            warnings.iter().for_each(|warning| out.warn(warning));
            let json =
                serde_json::json!({ "valid": true, "issuer": checked.issuer.as_str(), "warnings": warnings });
            tell(out, &json, || format!("{} is valid.", config.config.display()));
            out.next("carnet serve --config FILE");
        }
    }
    Ok(())
}
