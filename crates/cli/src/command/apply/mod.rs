//! `carnet apply`: the registry becomes what a file says.

mod client;
mod difference;
mod plan;
mod planned;
#[cfg(test)]
mod tests;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use carnet_listen::secret_file;
use carnet_server::clock::{Clock as _, SystemClock};
use carnet_store::{AuditAction, Cut, Reason, RegistryChange, StoreError};
use serde_json::{Value, json};

use self::difference::Action;
use self::planned::Plan;
use super::operator::{ConfigFile, Operator, broken, wait_for_what_was_on_its_way};
use super::registry::rules::{self, ADMINISTRATORS};
use super::registry::{self, RegistryFile};
use crate::failure::Failure;
use crate::input;
use crate::output::Output;

/// Make roles, clients and users as a file says; shows the plan first
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  carnet apply registry.toml\n  carnet apply registry.toml --dry-run || echo differs\n  carnet export | carnet apply - --yes\n\n\
Exit code of --dry-run: 0 when nothing is to be done, 2 when something is.\n\
With --json: {\"changes\":[{\"action\",\"kind\",\"name\",\"differences\":[{\"member\",\"old\",\"new\"}]}],\"applied\",\
\"secrets\":[{\"client_id\",\"client_secret\"}]}."
)]
pub(crate) struct Apply {
    #[command(flatten)]
    config: ConfigFile,
    /// The file, TOML; - for stdin
    file: PathBuf,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Delete what the file does not list, of the kinds that it names
    #[arg(long)]
    prune: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

pub(crate) async fn run(command: Apply, out: &Output) -> Result<(), Failure> {
    let text = input::text_file(&command.file, "a registry file", out)?;
    let name = name_of(&command.file);
    let (file, unread) = registry::read(&text, &name);
    warn_of_secrets(&file, &command.file, out);
    let operator = match command.config.open().await {
        // The file is at hand; what is wrong with it does not wait for the database.
        Err(_) if !unread.is_empty() => return Err(first_of(registry::in_order(unread), out)),
        opened => opened?,
    };
    let mut left = ATTEMPTS;
    loop {
        left -= 1;
        let known = operator.store.registry().await.map_err(broken)?;
        let faults = registry::check(&operator.config, &known, (&file, &unread, name.as_str()));
        if !faults.is_empty() {
            return Err(first_of(faults, out));
        }
        let plan = plan::plan(&file, &known, command.prune)?;
        client::room(&operator.config, &known, &plan)?;
        if plan.changes.is_empty() || command.dry_run {
            return only_show(&plan, out);
        }
        if !out.is_json() {
            show(&plan, out);
        }
        confirm(&command, &plan, out)?;
        match carry_out(&operator, &plan, known.epoch, out).await {
            Ok(()) => return done(&plan, out),
            // Nobody has looked at the plan: another one is as good.
            Err(StoreError::Conflict(code)) if command.yes && left > 0 && code != LAST => {
                out.note("Something was changed meanwhile; here is another plan.");
            }
            Err(error) => return Err(refused(error)),
        }
    }
}

fn name_of(file: &Path) -> String {
    match file == Path::new("-") {
        true => "stdin".to_owned(),
        false => file.display().to_string(),
    }
}

/// Says all but one, and hands that one on.
fn first_of(mut faults: Vec<Failure>, out: &Output) -> Failure {
    let last = faults.pop();
    for fault in &faults {
        out.failure(fault);
    }
    last.unwrap_or_else(|| Failure::broken("a fault without a text"))
}

fn warn_of_secrets(file: &RegistryFile, path: &Path, out: &Output) {
    let mut clients = file.clients.iter().flatten();
    if path != Path::new("-")
        && clients.any(|client| client.own.secret.is_some())
        && let Err(error) = secret_file::check(path)
    {
        out.warn(&format!(
            "{} holds a client's secret, and {}; {}",
            path.display(),
            error.what,
            error.todo
        ));
    }
}

fn only_show(plan: &Plan, out: &Output) -> Result<(), Failure> {
    if out.is_json() {
        out.value(&json!({ "changes": changes(plan), "applied": false, "secrets": [] }));
    } else if plan.changes.is_empty() {
        out.line("Nothing to do: everything is as the file says.");
    } else {
        show(plan, out);
    }
    if !plan.changes.is_empty() {
        out.conclude(THERE_ARE_CHANGES);
    }
    Ok(())
}

fn show(plan: &Plan, out: &Output) {
    for change in &plan.changes {
        change.show(out);
    }
    let count = |action| {
        plan.changes
            .iter()
            .filter(|change| change.action == action)
            .count()
    };
    let deleted = count(Action::Delete);
    out.line(&format!(
        "\n{} to create, {} to change, {deleted} to delete",
        count(Action::Create),
        count(Action::Change)
    ));
    if deleted > 0 {
        out.warn("what is deleted does not come back: names of clients are never given again, and all sessions and tokens end");
    }
}

fn changes(plan: &Plan) -> Vec<Value> {
    plan.changes.iter().map(difference::Change::json).collect()
}

fn confirm(command: &Apply, plan: &Plan, out: &Output) -> Result<(), Failure> {
    if command.yes {
        return Ok(());
    }
    let from_stdin = command.file == Path::new("-");
    if from_stdin || out.is_json() || !std::io::stdin().is_terminal() {
        return Err(
            Failure::usage("confirmation_missing", "nobody is there to say yes")
                .because("the plan is carried out only when somebody has agreed to it; nothing was changed")
                .todo("read it with --dry-run, then add --yes"),
        );
    }
    let question = match plan.changes.len() {
        1 => "Make this change?".to_owned(),
        more => format!("Make these {more} changes?"),
    };
    match out.ask(&question) {
        true => Ok(()),
        false => Err(Failure::refused("not_confirmed", "nothing was changed")
            .because("the answer was not y")
            .todo("correct the file, and apply it again")),
    }
}

/// All of it in one transaction.
async fn carry_out(operator: &Operator, plan: &Plan, epoch: i64, out: &Output) -> Result<(), StoreError> {
    for client in &plan.enabled {
        wait_for_what_was_on_its_way(client.updated_at, out).await;
    }
    let cut = Cut {
        // The person may have thought for a while.
        at: SystemClock.now(),
        ..operator.cut(Reason::Revoked, AuditAction::ClientChange, "")
    };
    let change = RegistryChange {
        epoch,
        cut,
        administrators: ADMINISTRATORS.to_owned(),
        steps: plan.steps.clone(),
    };
    operator.store.change_registry(&change).await
}

fn done(plan: &Plan, out: &Output) -> Result<(), Failure> {
    if out.is_json() {
        let secrets: Vec<Value> = plan
            .made
            .iter()
            .map(|made| json!({ "client_id": made.client_id, "client_secret": made.secret.as_str() }))
            .collect();
        out.value(&json!({ "changes": changes(plan), "applied": true, "secrets": secrets }));
        return Ok(());
    }
    out.line("Done.");
    for made in &plan.made {
        out.line(&format!(
            "\nThe secret of {}, shown this once:\n{}",
            made.client_id,
            made.secret.as_str()
        ));
    }
    out.next("carnet export");
    Ok(())
}

fn refused(error: StoreError) -> Failure {
    match error {
        StoreError::Conflict("registry_changed") => Failure::conflict(
            "registry_changed",
            "something was changed since the plan was made",
        )
        .because("the plan might undo what another command has just done; nothing of it was done")
        .todo("apply the file again, and look at the new plan"),
        StoreError::Conflict(LAST) => rules::last_administrator(plan::KEEP_ONE),
        other => broken(other),
    }
}

/// How often another plan is made when nobody has to look at it: each time somebody else has got on.
const ATTEMPTS: u32 = 20;

/// The store's word for a change that would leave nobody to administer.
const LAST: &str = "last_administrator";

/// What `--dry-run` ends with when something is to be done.
const THERE_ARE_CHANGES: u8 = 2;
