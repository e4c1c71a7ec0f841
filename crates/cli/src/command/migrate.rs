//! `carnet migrate`: brings the database to this version's schema.

use carnet_server::app::App;
use carnet_store::AuditAction;

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
    /// The database was restored from a backup: whoever follows the revocation feed takes everything anew
    #[arg(long)]
    restored: bool,
}

pub(crate) async fn run(migrate: Migrate, out: &Output) -> Result<(), Failure> {
    let report = App::migrate(&migrate.config.load()?).await.map_err(broken)?;
    if migrate.restored {
        let operator = migrate.config.open().await?;
        let audit = operator.did(AuditAction::BackupRestore, "");
        let renewed = operator.store.renew_revocation_epoch(operator.now, &audit);
        renewed.await.map_err(broken)?;
        out.warn(
            "what was taken back after the backup was made is good again until it expires: take it back once more where it matters",
        );
    }
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
