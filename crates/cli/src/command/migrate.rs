//! `carnet migrate`: brings the database to this version's schema.

use carnet_server::app::App;

use super::operator::{ConfigFile, broken, show as tell};
use crate::failure::Failure;
use crate::output::Output;

/// Bring the database to this version's schema
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Several processes may run it at once: one does the work. Take a backup before a new version."
)]
pub(crate) struct Migrate {
    #[command(flatten)]
    config: ConfigFile,
}

pub(crate) async fn run(migrate: Migrate, out: &Output) -> Result<(), Failure> {
    let report = App::migrate(&migrate.config.load()?).await.map_err(broken)?;
    let json = serde_json::json!({ "applied": report.applied, "new": report.new });
    tell(out, &json, || match report.new.len() {
        0 => "The database is up to date.".to_owned(),
        n => format!(
            "Done: {n} ({}). The database is up to date.",
            report.new.join(", ")
        ),
    });
    Ok(())
}
