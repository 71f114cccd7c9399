//! Spellings of earlier Locusts, rewritten to today's with a one-line notice each.
//!
//! | Typed | Existed in Locust | Means |
//! |---|---|---|
//! | `-c`, `--clients` | 0.4 to 0.14.6 | `--users` |
//! | `--no-web` | 0.5 to 0.14.6 | `--headless` |
//! | `--hatch-rate` | until 2.32.5 | `--spawn-rate` |
//! | `--num-request`, `--num-requests` | 0.4 to 0.8.1 | `--requests` |
//! | `--csv-base-name` | 0.8 to 0.14.6 | `--csv` |
//! | `-num-request=100` | never: a slip in documents that people copy from | `--requests=100` |

use std::ffi::OsString;

/// Arguments in today's spelling, and what to tell the user.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rewritten {
    pub(super) arguments: Vec<OsString>,
    pub(super) notices: Vec<String>,
}

/// Old spellings and today's.
const RENAMED: [(&str, &str); 8] = [
    ("-c", "--users"),
    ("--clients", "--users"),
    ("--no-web", "--headless"),
    ("--hatch-rate", "--spawn-rate"),
    ("--num-request", "--requests"),
    ("--num-requests", "--requests"),
    ("--csv-base-name", "--csv"),
    // One dash: clap would read `-n` with the value `um-request=...`.
    ("-num-request", "--requests"),
];

/// Today's name of a setting, both without dashes.
pub(super) fn todays_name(key: &str) -> &str {
    let old = RENAMED.iter().find(|(old, _)| old.strip_prefix("--") == Some(key));
    old.map_or(key, |(_, new)| new.trim_start_matches('-'))
}

/// Rewrites what follows the program's name.
pub(super) fn rewrite(arguments: impl IntoIterator<Item = OsString>) -> Rewritten {
    let mut notices = Vec::new();
    let mut past_flags = false;
    let rewritten = arguments.into_iter().enumerate().map(|(position, argument)| {
        past_flags |= argument == "--";
        if position == 0 || past_flags {
            return argument;
        }
        match argument.to_str().and_then(rewrite_one) {
            Some((old, new, replacement)) => {
                notices.push(format!("{old} is now {new}"));
                replacement.into()
            }
            None => argument,
        }
    });
    let arguments = rewritten.collect();
    Rewritten { arguments, notices }
}

/// The old name, today's, and the whole argument in today's spelling.
fn rewrite_one(argument: &str) -> Option<(&'static str, &'static str, String)> {
    let (name, value) = match argument.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (argument, None),
    };
    let name = if name == "-num-requests" { "-num-request" } else { name };
    if let Some((old, new)) = RENAMED.iter().find(|(old, _)| *old == name) {
        let replacement = value.map_or((*new).to_owned(), |value| format!("{new}={value}"));
        return Some((old, new, replacement));
    }
    // `-c100`, the value stuck to a short flag.
    let stuck =
        argument.strip_prefix("-c").filter(|rest| rest.bytes().all(|b| b.is_ascii_digit()))?;
    Some(("-c", "--users", format!("--users={stuck}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(typed: &str) -> (String, Vec<String>) {
        let result = rewrite(typed.split(' ').map(OsString::from));
        let arguments: Vec<_> = result.arguments.iter().map(|a| a.to_string_lossy()).collect();
        (arguments.join(" "), result.notices)
    }

    #[test]
    fn what_the_old_documents_say_does_what_their_authors_meant() {
        let (now, notices) =
            rewritten("loadr-bench -num-request=100 -c 5 --hatch-rate=2 --no-web http://h/");
        assert_eq!(now, "loadr-bench --requests=100 --users 5 --spawn-rate=2 --headless http://h/");
        assert_eq!(
            notices,
            [
                "-num-request is now --requests",
                "-c is now --users",
                "--hatch-rate is now --spawn-rate",
                "--no-web is now --headless"
            ]
        );
        assert_eq!(rewritten("x -c12").0, "x --users=12");
        assert_eq!(rewritten("x --num-requests 7 --clients=3").0, "x --requests 7 --users=3");
    }

    #[test]
    fn settings_have_old_names_too() {
        let names = ["clients", "csv-base-name", "users", "num-request"].map(todays_name);
        assert_eq!(names, ["users", "csv", "users", "requests"]);
    }

    #[test]
    fn todays_spellings_are_left_alone() {
        for typed in ["x -u 5 -n 10 http://h/?-c=1", "x -- -c", "-c"] {
            assert_eq!(rewritten(typed), (typed.to_owned(), vec![]));
        }
    }
}
