//! Which lines go to the log, as operators write it: a level, and other levels for parts of the program.
//!
//! Spec: OWASP ASVS 5.0 §16.2.5 (what is logged)

use std::str::FromStr as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The filter that `log.level` describes: `info`, or `info,carnet_store=debug`.
///
/// # Errors
/// Says what is wrong. A word that is no level would be the name of a part of the program, and all other parts would fall silent, their
/// errors too: a level of everything must be there.
pub fn log_filter(text: &str) -> Result<EnvFilter, String> {
    let mut of_everything = false;
    for directive in text.split(',') {
        let level = match directive.rsplit_once('=') {
            Some((_, level)) => level,
            None => {
                of_everything = true;
                directive
            }
        };
        if level.is_empty()
            || LevelFilter::from_str(level).is_err()
            || directive.contains(char::is_whitespace)
        {
            return Err(format!(
                "{directive:?} is no level, and gives none to a part of the program: levels are error, warn, info, debug, trace and off"
            ));
        }
    }
    if !of_everything {
        return Err(format!(
            "{text:?} says nothing of the rest, whose errors would not be logged"
        ));
    }
    EnvFilter::try_new(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_level_silences_nothing() {
        for text in [
            "warning",
            "verbose",
            "information",
            "",
            "info ",
            " info",
            "info,",
            "info,verbose",
            "carnet_store",
            "info,carnet_store",
            "info, carnet_store=debug",
            "info,carnet_store=",
            "info,carnet_store=verbose",
            "carnet_store=debug",
        ] {
            assert!(log_filter(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn levels_are_taken_alone_and_for_parts_of_the_program() {
        for (text, most) in [
            ("error", LevelFilter::ERROR),
            ("WARN", LevelFilter::WARN),
            ("info", LevelFilter::INFO),
            ("debug", LevelFilter::DEBUG),
            ("trace", LevelFilter::TRACE),
            ("off", LevelFilter::OFF),
            ("info,carnet_store=debug", LevelFilter::DEBUG),
            ("carnet_store=debug,warn", LevelFilter::DEBUG),
            ("info,carnet_guard=off", LevelFilter::INFO),
        ] {
            let filter = log_filter(text).unwrap();
            assert_eq!(filter.max_level_hint(), Some(most), "{text}");
        }
    }
}
