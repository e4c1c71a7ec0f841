//! What people call a device: its browser and its system, as far as the `User-Agent` tells.
//!
//! Spec: RFC 9110 §10.1.5

/// The browser and the system; either may be unknown.
pub(super) fn named(user_agent: &str) -> (Option<&'static str>, Option<&'static str>) {
    (first(&BROWSERS, user_agent), first(&SYSTEMS, user_agent))
}

fn first(table: &[(&str, &'static str)], user_agent: &str) -> Option<&'static str> {
    let found = table.iter().find(|(mark, _)| user_agent.contains(mark));
    found.map(|(_, name)| *name)
}

/// The more special before the more common, which it also names.
const BROWSERS: [(&str, &str); 9] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Version/", "Safari"),
    ("curl/", "curl"),
];

const SYSTEMS: [(&str, &str); 7] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_devices_are_known_and_others_are_not_guessed() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
        assert_eq!(named(chrome), (Some("Chrome"), Some("Linux")));
        let edge = format!("{chrome} Edg/140.0").replace("X11; Linux x86_64", "Windows NT 10.0");
        assert_eq!(named(&edge), (Some("Edge"), Some("Windows")));
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1";
        assert_eq!(named(phone), (Some("Safari"), Some("iPhone")));
        assert_eq!(named("something of its own"), (None, None));
    }
}
