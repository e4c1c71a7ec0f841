//! Which route a request takes: by host, path and method, without patterns that could be read in two ways.
//!
//! Spec: RFC 9110 §15.5.5 (404), §15.5.6 (405)

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use http::{HeaderValue, Method, StatusCode, header};

use crate::method::{MISSPELT, is_misspelt};
use crate::refusal::{METHOD, Refusal};

/// What a route answers to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    /// Hosts in their one spelling, or `*.example.com` for everything below it; every host that no other route names when empty.
    pub hosts: Vec<String>,
    /// A path in its one spelling.
    pub path: String,
    /// This path alone, rather than everything below it as well.
    pub exact: bool,
    /// Every method when empty.
    pub methods: Vec<Method>,
}

impl Pattern {
    /// Whether both are for the same requests, in whatever order they say it, and with or without a slash at the end of what has paths below it.
    pub fn is_same_as(&self, other: &Self) -> bool {
        fn same<T: Eq + Hash>(one: &[T], other: &[T]) -> bool {
            one.iter().collect::<HashSet<_>>() == other.iter().collect()
        }
        (self.base(), self.exact) == (other.base(), other.exact)
            && same(&self.hosts, &other.hosts)
            && same(&self.methods, &other.methods)
    }

    /// The path that counts.
    fn base(&self) -> &str {
        match self.exact {
            true => &self.path,
            false => self.path.trim_end_matches('/'),
        }
    }
}

/// Every route, found by number in the order in which they were added.
///
/// The most specific host that is named decides, then the most specific path, then the method. There is no falling back to a less specific
/// route: what is forbidden in one place is not allowed by another.
#[derive(Debug, Default)]
pub struct Table {
    exact: HashMap<String, Paths>,
    below: HashMap<String, Paths>,
    elsewhere: Paths,
}

#[derive(Debug, Default)]
struct Paths {
    exact: HashMap<String, Vec<Entry>>,
    below: HashMap<String, Vec<Entry>>,
    /// The longest key of `below`.
    longest: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    route: usize,
    methods: Vec<Method>,
}

impl Table {
    /// Adds a route; or says which host is named twice for the same path and method.
    pub fn add(&mut self, route: usize, pattern: &Pattern) -> Result<(), String> {
        if pattern.hosts.is_empty() {
            return self.elsewhere.add(route, pattern);
        }
        for host in &pattern.hosts {
            let paths = match host.strip_prefix("*.") {
                Some(parent) => self.below.entry(parent.to_owned()).or_default(),
                None => self.exact.entry(host.clone()).or_default(),
            };
            paths.add(route, pattern)?;
        }
        Ok(())
    }

    /// The route of a request.
    ///
    /// # Errors
    /// 404 when no route is there, 405 with `Allow` when it is not for this method, 400 when a route names this method in another case.
    pub fn find(&self, host: &str, path: &str, method: &Method) -> Result<usize, Refusal> {
        let entries = self.paths_of(host).find(path).ok_or(UNKNOWN)?;
        let mut named = entries.iter().flat_map(|entry| &entry.methods);
        if named.any(|named| is_misspelt(method, named)) {
            return Err(MISSPELT);
        }
        let fits = |entry: &&Entry| entry.methods.is_empty() || entry.methods.contains(method);
        entries
            .iter()
            .find(fits)
            .map(|entry| entry.route)
            .ok_or_else(|| not_allowed(entries))
    }

    fn paths_of(&self, host: &str) -> &Paths {
        if let Some(paths) = self.exact.get(host) {
            return paths;
        }
        let parents = host.match_indices('.').map(|(at, _)| &host[at + 1..]);
        let mut named = parents.filter_map(|parent| self.below.get(parent));
        named.next().unwrap_or(&self.elsewhere)
    }
}

impl Paths {
    fn add(&mut self, route: usize, pattern: &Pattern) -> Result<(), String> {
        let path = pattern.base();
        let entries = if pattern.exact {
            self.exact.entry(path.to_owned()).or_default()
        } else {
            self.longest = self.longest.max(path.len());
            self.below.entry(path.to_owned()).or_default()
        };
        let both = |entry: &Entry| {
            let any = entry.methods.is_empty() || pattern.methods.is_empty();
            // A route for some methods and one for all others is no doubt; two for the same method are.
            (any && entry.methods.is_empty() == pattern.methods.is_empty())
                || entry
                    .methods
                    .iter()
                    .any(|method| pattern.methods.contains(method))
        };
        if entries.iter().any(both) {
            return Err(format!("{path} is named twice for the same host and method"));
        }
        entries.push(Entry {
            route,
            methods: pattern.methods.clone(),
        });
        // The one for all methods comes last.
        entries.sort_by_key(|entry| entry.methods.is_empty());
        Ok(())
    }

    fn find(&self, path: &str) -> Option<&[Entry]> {
        if let Some(entries) = self.exact.get(path) {
            return Some(entries);
        }
        let mut end = path.len();
        loop {
            if end <= self.longest
                && let Some(entries) = self.below.get(&path[..end])
            {
                return Some(entries);
            }
            end = path[..end].rfind('/')?;
        }
    }
}

fn not_allowed(entries: &[Entry]) -> Refusal {
    let methods: Vec<&str> = entries
        .iter()
        .flat_map(|entry| &entry.methods)
        .map(Method::as_str)
        .collect();
    match HeaderValue::from_str(&methods.join(", ")) {
        Ok(allow) => METHOD.with(header::ALLOW, allow),
        Err(_) => METHOD,
    }
}

const UNKNOWN: Refusal = Refusal::new(
    StatusCode::NOT_FOUND,
    "route_unknown",
    "nothing is here: no route has this host and path",
);

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(hosts: &[&str], path: &str, methods: &[Method]) -> Pattern {
        Pattern {
            hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
            path: path.to_owned(),
            exact: false,
            methods: methods.to_vec(),
        }
    }

    fn exact(path: &str) -> Pattern {
        Pattern {
            exact: true,
            ..pattern(&[], path, &[])
        }
    }

    #[test]
    fn a_slash_at_the_end_is_another_path_only_where_that_path_alone_counts() {
        assert!(pattern(&[], "/a", &[]).is_same_as(&pattern(&[], "/a/", &[])));
        assert!(!exact("/a").is_same_as(&exact("/a/")));
        assert!(!exact("/a").is_same_as(&pattern(&[], "/a", &[])));
    }

    fn table(patterns: &[Pattern]) -> Table {
        let mut table = Table::default();
        for (route, pattern) in patterns.iter().enumerate() {
            table.add(route, pattern).unwrap();
        }
        table
    }

    fn get(table: &Table, host: &str, path: &str) -> Result<usize, u16> {
        table
            .find(host, path, &Method::GET)
            .map_err(|refusal| refusal.status().as_u16())
    }

    #[test]
    fn a_prefix_ends_at_a_slash_and_the_longest_wins() {
        let table = table(&[
            pattern(&[], "/a", &[]),
            pattern(&[], "/a/b/", &[]),
            exact("/a/b/c"),
        ]);
        for (path, route) in [
            ("/a", Ok(0)),
            ("/a/", Ok(0)),
            ("/a/x/y", Ok(0)),
            ("/a/b", Ok(1)),
            ("/a/b/x", Ok(1)),
            ("/a/bx", Ok(0)),
            ("/a/b/c", Ok(2)),
            ("/a/b/c/d", Ok(1)),
            ("/ab", Err(404)),
            ("/A", Err(404)),
            ("/", Err(404)),
        ] {
            assert_eq!(get(&table, "x", path), route, "{path}");
        }
    }

    #[test]
    fn a_host_that_is_named_has_its_own_routes_and_no_others() {
        let table = table(&[
            pattern(&["admin.test"], "/admin", &[]),
            pattern(&["*.shop.test"], "/", &[]),
            pattern(&[], "/", &[]),
        ]);
        for (host, path, route) in [
            ("admin.test", "/admin/x", Ok(0)),
            ("admin.test", "/", Err(404)),
            ("a.shop.test", "/", Ok(1)),
            ("a.b.shop.test", "/", Ok(1)),
            ("shop.test", "/x", Ok(2)),
            ("notshop.test", "/x", Ok(2)),
        ] {
            assert_eq!(get(&table, host, path), route, "{host}{path}");
        }
    }

    #[test]
    fn a_method_that_a_path_does_not_take_finds_no_wider_route() {
        let table = table(&[
            pattern(&[], "/admin", &[Method::GET, Method::PUT]),
            pattern(&[], "/", &[]),
        ]);
        let refusal = table.find("x", "/admin/x", &Method::POST).unwrap_err();
        assert_eq!(
            (refusal.status().as_u16(), refusal.code()),
            (405, "method_not_allowed")
        );
        assert_eq!(table.find("x", "/else", &Method::POST), Ok(1));
    }

    #[test]
    fn a_path_may_have_a_route_for_some_methods_and_one_for_the_others() {
        let mut table = table(&[pattern(&[], "/a", &[]), pattern(&[], "/a", &[Method::GET])]);
        assert_eq!(get(&table, "x", "/a"), Ok(1));
        assert_eq!(table.find("x", "/a", &Method::POST), Ok(0));
        assert!(table.add(2, &pattern(&[], "/a", &[Method::GET])).is_err());
        assert!(table.add(2, &pattern(&[], "/a/", &[])).is_err());
    }
}
