//! Whether URLs are loaded or a scenario is run: decided by what was typed, then by what lies about.
//!
//! `-f` says scenario. Without it, a URL says URL, and a scenario is run where one is named by a setting, or lies in the
//! current folder under a name that is looked for. A word such as `Shopper` may be either: with a scenario at hand it is a
//! user class, without one a host.

use std::path::{Path, PathBuf};

/// Scenario files that need no naming, in the order in which they are looked for.
const DEFAULT_FILES: [&str; 2] = ["loadfile.toml", "locustfile.py"];

/// What a command line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Urls,
    Scenario,
}

/// What bears on the mode.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Typed<'a> {
    /// `-f`.
    pub(super) locustfile: bool,
    /// `--urls`.
    pub(super) urls_file: bool,
    pub(super) positionals: &'a [String],
}

/// Decides; `scenario_at_hand` says that there is one without its having been typed.
pub(super) fn decide(typed: Typed<'_>, scenario_at_hand: bool) -> Mode {
    let all_classes = typed.positionals.iter().all(|word| is_class_name(word));
    match typed {
        Typed { locustfile: true, .. } => Mode::Scenario,
        Typed { urls_file: true, .. } => Mode::Urls,
        _ if scenario_at_hand && all_classes => Mode::Scenario,
        _ => Mode::Urls,
    }
}

/// The scenario file in `folder` that needs no naming.
pub(super) fn default_file(folder: &Path) -> Option<PathBuf> {
    let found = DEFAULT_FILES.iter().find(|name| folder.join(name).is_file());
    found.map(PathBuf::from)
}

/// A name as programs have them. `localhost` is a host to everybody.
fn is_class_name(word: &str) -> bool {
    let mut letters = word.chars();
    let begins = letters.next().is_some_and(|c| c.is_alphabetic() || c == '_');
    begins && letters.all(|c| c.is_alphanumeric() || c == '_') && word != "localhost"
}

/// Whether the value of `-H` is a host: a header is `Name: value`, and no name of a header is `http`.
pub(super) fn is_host(value: &str) -> bool {
    match value.split_once(':') {
        None => true,
        Some((_, rest)) if rest.starts_with("//") => true,
        Some((_, rest)) => {
            let port = rest.split('/').next().unwrap_or_default();
            port.parse::<u16>().is_ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(words: &str, scenario_at_hand: bool) -> Mode {
        let positionals: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        decide(Typed { positionals: &positionals, ..Typed::default() }, scenario_at_hand)
    }

    #[test]
    fn urls_are_urls_whatever_lies_about() {
        for words in [
            "http://h/",
            "h:80",
            "/path",
            "example.test",
            "127.0.0.1",
            "localhost",
            "Shop http://h/",
        ] {
            assert_eq!(decided(words, true), Mode::Urls, "{words}");
            assert_eq!(decided(words, false), Mode::Urls, "{words}");
        }
    }

    #[test]
    fn names_are_classes_where_there_is_a_scenario() {
        for words in ["", "Shopper", "Shopper _Admin Käufer2"] {
            assert_eq!(decided(words, true), Mode::Scenario, "{words}");
            assert_eq!(decided(words, false), Mode::Urls, "{words}");
        }
    }

    #[test]
    fn what_is_typed_decides() {
        let positionals = ["http://h/".to_owned()];
        let typed = Typed { locustfile: true, positionals: &positionals, urls_file: false };
        assert_eq!(decide(typed, false), Mode::Scenario);
        let typed = Typed { urls_file: true, ..Typed::default() };
        assert_eq!(decide(typed, true), Mode::Urls);
    }

    #[test]
    fn the_folder_is_searched_in_order() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        assert_eq!(default_file(folder.path()), None);
        for name in ["locustfile.py", "loadfile.toml"] {
            std::fs::write(folder.path().join(name), "").expect("a temporary file");
            assert_eq!(default_file(folder.path()), Some(PathBuf::from(name)));
        }
    }

    #[test]
    fn hosts_and_headers_look_different() {
        for host in ["http://h", "https://h:1/x", "h", "h:80", "127.0.0.1:8080/api"] {
            assert!(is_host(host), "{host}");
        }
        for header in ["Accept: text/html", "X-A:b", "x: 80", "X:", "X: /a"] {
            assert!(!is_host(header), "{header}");
        }
    }
}
