//! The app of a site, which outlives the configuration that it was made of.
//!
//! Spec: RFC 10017 §6.1

use std::sync::Arc;

use carnet_guard::Clock;

use super::Site;
use crate::bff::Bff;
use crate::config::Config;
use crate::contents::Contents;
use crate::load::ConfigError;

/// The app. Its sessions may be in memory, and what ends them is: they go on while they are kept in the same place, whatever else is another by now.
pub(super) async fn app(
    (config, contents): (&Config, &Contents),
    clock: &Arc<dyn Clock>,
    (before, same_trust): (Option<&Site>, bool),
) -> Result<Option<Bff>, ConfigError> {
    let Some(told) = &config.bff else {
        return Ok(None);
    };
    let of_app = |before: &&Site| contents.agree(&before.contents, told.of_store());
    let before = before.filter(of_app);
    let same = |before: &&Site| {
        same_trust
            && before.config.bff.as_ref() == Some(told)
            && before.config.tokens.leeway == config.tokens.leeway
            && contents.agree(&before.contents, told.secrets())
    };
    if let Some(same) = before.filter(same) {
        return Ok(same.bff.clone());
    }
    let keeps = |before: &&Site| before.config.bff.as_ref().is_some_and(|bff| bff.keeps_as(told));
    let kept = before.filter(keeps).and_then(|before| before.bff.as_ref());
    Bff::of((config, told), clock, kept).await.map(Some)
}
