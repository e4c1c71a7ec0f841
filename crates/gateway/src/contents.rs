//! What stands in the files that a configuration names: another content, and what was made of it is made anew.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use carnet_jose::primitive;

use crate::config::{Config, Issuer};

/// Digests of what stood in each of them, before it was read; `None` of what could not be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Contents(HashMap<PathBuf, Option<[u8; 32]>>);

impl Contents {
    /// Of the files that this configuration names.
    pub(crate) fn of(config: &Config) -> Self {
        let digest = |file: &Path| std::fs::read(file).ok().map(|bytes| primitive::sha256(&bytes));
        let all = named(config).map(|file| (file.to_owned(), digest(file)));
        Self(all.collect())
    }

    /// Whether each of these says what it said at the other time.
    pub(crate) fn agree<'f>(&self, other: &Self, files: impl IntoIterator<Item = &'f PathBuf>) -> bool {
        files.into_iter().all(|file| {
            let known = self.0.get(file).copied().flatten();
            known.is_some() && known == other.0.get(file).copied().flatten()
        })
    }
}

/// Every file that is read when the configuration is, and at no other time: certificates that are shown, and their keys, look after themselves.
pub(crate) fn named(config: &Config) -> impl Iterator<Item = &Path> {
    let assertion = config.assertion.iter();
    let assertion = assertion.flat_map(|one| std::iter::once(&one.key_file).chain(&one.other_key_files));
    let followed = config.issuers.iter().filter_map(|one| one.revocations.as_ref());
    let upstreams = config.upstreams.iter();
    of_trust(config)
        .chain(of_issuers(&config.issuers))
        .chain(assertion)
        .chain(of_exchange(config))
        .chain(followed.map(|feed| &feed.client_secret_file))
        .chain(upstreams.filter_map(|upstream| upstream.root_certificates_file.as_ref()))
        .chain(
            config
                .bff
                .iter()
                .flat_map(|bff| bff.secrets().chain(bff.of_store())),
        )
        .map(PathBuf::as_path)
}

/// Those that say who is trusted to be an issuer.
pub(crate) fn of_trust(config: &Config) -> impl Iterator<Item = &PathBuf> {
    config.tokens.root_certificates_file.iter()
}

/// The secret with which tokens are exchanged.
pub(crate) fn of_exchange(config: &Config) -> impl Iterator<Item = &PathBuf> {
    let exchange = config.exchange.iter();
    exchange.map(|exchange| &exchange.client_secret_file)
}

/// Those that guards are made of, beside the feeds.
pub(crate) fn of_issuers(issuers: &[Issuer]) -> impl Iterator<Item = &PathBuf> {
    issuers.iter().flat_map(|issuer| {
        let asked = issuer.introspection.as_ref();
        let secret = asked.map(|asked| &asked.client_secret_file);
        issuer.jwks_file.iter().chain(secret)
    })
}
