//! Links that are right wherever the dashboard is mounted.
//!
//! They are relative: neither a path prefix nor a proxy that takes one away matters to them.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands in a value of a query as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b':');

/// The way from a page to the root of the dashboard, and to what is below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    home: String,
    below: String,
}

impl Root {
    /// The way from the page at `path`, which the browser knows as `asked`; absolute, where a proxy named the prefix that it takes
    /// away.
    pub(crate) fn of(path: &str, asked: &str, prefix: Option<&str>) -> Self {
        let is_bare = path == "/" && !asked.ends_with('/');
        let mount = if is_bare {
            asked
        } else {
            asked.strip_suffix(path).unwrap_or_default()
        };
        // A router that is nested answers at its path without a slash, and not with one.
        let name = mount.rsplit('/').next().unwrap_or_default();
        if let Some(prefix) = prefix.and_then(clean) {
            let below = format!("{prefix}{mount}/");
            let home = if name.is_empty() {
                below.clone()
            } else {
                format!("{prefix}{mount}")
            };
            return Self { home, below };
        }
        if is_bare {
            return Self {
                home: name.to_owned(),
                below: format!("{name}/"),
            };
        }
        let below = "../".repeat(path.matches('/').count().saturating_sub(1));
        let home = match (name, &*below) {
            ("", "") => "./".to_owned(),
            ("", below) => below.to_owned(),
            (name, below) => format!("{below}../{name}"),
        };
        Self { home, below }
    }

    /// A link to `path`, which begins without a slash; to the root, where it is empty.
    pub(crate) fn to(&self, path: &str) -> String {
        if path.is_empty() {
            self.home.clone()
        } else {
            format!("{}{path}", self.below)
        }
    }
}

/// The prefix that a proxy named, without the slash at its end. One that could lead to another site is none.
fn clean(prefix: &str) -> Option<&str> {
    let prefix = prefix.trim_end_matches('/');
    let is_path = prefix.starts_with('/') && !prefix.starts_with("//");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~%".contains(c);
    (is_path && prefix.chars().all(is_plain)).then_some(prefix)
}

/// A text as a value of a query. Names never stand in paths: proxies decode slashes there, and resolve dots.
fn encode(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, PLAIN).into()
}

/// A query of these values, those that are empty left out; with its question mark, unless nothing is left.
pub(crate) fn query(values: &[(&str, &str)]) -> String {
    let mut query = String::new();
    for (name, value) in values.iter().filter(|(_, value)| !value.is_empty()) {
        query.push(if query.is_empty() { '?' } else { '&' });
        query.push_str(name);
        query.push('=');
        query.push_str(&encode(value));
    }
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_back_to_the_root_from_every_depth() {
        let to = |path, asked, prefix| {
            let root = Root::of(path, asked, prefix);
            (root.to("busy"), root.to(""))
        };
        let is = |below: &str, home: &str| (below.to_owned(), home.to_owned());
        assert_eq!(to("/", "/", None), is("busy", "./"));
        assert_eq!(to("/busy", "/busy", None), is("busy", "./"));
        assert_eq!(to("/api/x", "/api/x", None), is("../busy", "../"));
        assert_eq!(to("/busy", "/a/b/busy", None), is("busy", "../b"));
        assert_eq!(to("/x/y", "/a/b/x/y", None), is("../busy", "../../b"));
        assert_eq!(to("/", "/a/b", None), is("b/busy", "b"));
        assert_eq!(to("/", "/a/b/", None), is("busy", "../b"));
        assert_eq!(
            to("/busy", "/busy", Some("/out/")),
            is("/out/busy", "/out/")
        );
        assert_eq!(
            to("/busy", "/in/busy", Some("/out")),
            is("/out/in/busy", "/out/in")
        );
    }

    #[test]
    fn a_prefix_leads_to_no_other_site() {
        for bad in [
            "//evil.example",
            "https://evil.example",
            "/a\"b",
            "/a?b",
            "",
        ] {
            assert_eq!(Root::of("/busy", "/busy", Some(bad)).to("x"), "x", "{bad}");
        }
    }

    #[test]
    fn texts_are_encoded() {
        assert_eq!(encode("a/b?c'\"%|é"), "a%2Fb%3Fc%27%22%25%7C%C3%A9");
        assert_eq!(
            query(&[("q", "a&b"), ("n", ""), ("c", "2")]),
            "?q=a%26b&c=2"
        );
    }
}
