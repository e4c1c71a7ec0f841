//! Any text: what is decoded has one spelling, and another strict decoder reads the same.

#![no_main]

use carnet_jose::base64url::{decode, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let other = data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).ok();
    let ours = decode(text).ok();
    assert_eq!(ours, other);
    if let Some(bytes) = ours {
        assert_eq!(encode(&bytes), text);
    }
});
