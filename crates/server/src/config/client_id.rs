//! Names of clients: what one may be, and what none is given any more.
//!
//! Spec: RFC 6749 §2.2, appendix A.1 · RFC 3986 §3.3, §5.2.4

use super::client::Client;
use super::fault::{Fault, fault};
use super::settings::Config;

/// What is wrong with the name of a client that is to be. One that has it already keeps it.
pub fn new_id_fault(id: &str, key: &dyn Fn(&str) -> String) -> Option<Fault> {
    let bends_a_path = |byte: u8| matches!(byte, b'/' | b'\\' | b'?' | b'#' | b'%');
    if id == "." || id == ".." || id.bytes().any(bends_a_path) {
        let what = "would mean something else in a URL";
        return Some(fault(&key("id"), what, "choose another, without / \\ ? # and %"));
    }
    None
}

/// The same, of every client of the configuration file.
pub(super) fn check_new_ids(config: &Config) -> Result<(), Fault> {
    let mut faults = config.clients.iter().enumerate().filter_map(|(i, client)| {
        let key = |name: &str| format!("clients.{i}.{name}");
        new_id_fault(&client.id, &key)
    });
    faults.next().map_or(Ok(()), Err)
}

pub(super) fn check_id(client: &Client, key: &dyn Fn(&str) -> String) -> Result<(), Fault> {
    if client.id.is_empty() || client.id == "first-party" {
        let what = "is empty, or \"first-party\", which is built in";
        return Err(fault(&key("id"), what, "choose another"));
    }
    if !client.id.bytes().all(|byte| (0x21..=0x7e).contains(&byte)) || client.id.len() > 128 {
        let what = "is not visible ASCII of 128 characters at most";
        return Err(fault(&key("id"), what, "choose another"));
    }
    // TK-09: 22 characters of base64url are how users are named in tokens.
    if client.id.len() == 22 && carnet_jose::base64url::decode(&client.id).is_ok() {
        let what = "has the form of a user's name in tokens";
        return Err(fault(&key("id"), what, "choose another, shorter or longer"));
    }
    Ok(())
}
