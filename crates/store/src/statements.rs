//! Every SQL text of the house in one list, so that a test can prepare each on both engines.

use crate::database::Statement;
use crate::{
    administrator, audit, bff_session, browser, client, client_registration, configured_client, credential,
    ended_session, family, family_record, grant, initial_access_token, live_session, logout_notice,
    migration, registry, registry_change, revocation, role, rotation, session, settings, signing_key, store,
    sweep, throttle, ticket, token_life, user, withdrawal,
};

/// Every statement that a method of the store sends.
pub fn statements() -> Vec<&'static Statement> {
    let lists: [&[&'static Statement]; 31] = [
        &administrator::STATEMENTS,
        &audit::STATEMENTS,
        &bff_session::STATEMENTS,
        &browser::STATEMENTS,
        &client::STATEMENTS,
        &client_registration::STATEMENTS,
        &configured_client::STATEMENTS,
        &credential::STATEMENTS,
        &ended_session::STATEMENTS,
        &family::STATEMENTS,
        &family_record::STATEMENTS,
        &grant::STATEMENTS,
        &initial_access_token::STATEMENTS,
        &live_session::STATEMENTS,
        &logout_notice::STATEMENTS,
        &migration::STATEMENTS,
        &registry::STATEMENTS,
        &registry_change::STATEMENTS,
        &revocation::STATEMENTS,
        &role::STATEMENTS,
        &rotation::STATEMENTS,
        &session::STATEMENTS,
        &settings::STATEMENTS,
        &signing_key::STATEMENTS,
        &store::STATEMENTS,
        &sweep::STATEMENTS,
        &throttle::STATEMENTS,
        &ticket::STATEMENTS,
        &token_life::STATEMENTS,
        &user::STATEMENTS,
        &withdrawal::STATEMENTS,
    ];
    lists.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_of_the_sources_is_in_the_list_once() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let written: usize = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| std::fs::read_to_string(path).unwrap())
            .map(|source| source.matches(": Statement =").count())
            .sum();
        let mut names: Vec<&str> = statements().iter().map(|statement| statement.name).collect();
        names.sort_unstable();
        names.dedup();
        // One of the matches is this test's own.
        assert_eq!(names.len(), written - 1);
    }
}
