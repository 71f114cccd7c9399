//! The format of `locust.conf`, line by line as ConfigArgParse reads it.
//!
//! `key = value`, `key: value`, `key value`, or `key` alone for a flag; a key may carry its two dashes. Lines that begin
//! with `#`, `;`, `[` or `---` are skipped, and so is what follows a ` #` or ` ;`. A value may stand in quotes.

use std::path::Path;

use super::{Setting, SettingsError, Value, source_of};

/// Value of a key that stands alone.
const PRESENT: &str = "true";

/// Reads the settings of a file.
pub(super) fn read(path: &Path, text: &str) -> Result<Vec<Setting>, SettingsError> {
    let text = text.trim_start_matches('\u{feff}');
    let lines = text.lines().map(str::trim).enumerate();
    lines
        .filter(|(_, line)| !is_skipped(line))
        .map(|(index, line)| {
            let (key, value) = split(line).ok_or_else(|| SettingsError::Syntax {
                path: path.to_owned(),
                line: index + 1,
                message: format!("'{line}' is no setting: write 'key = value'"),
            })?;
            let value = Value::Text(value);
            let key = key.strip_prefix("--").unwrap_or(key).to_owned();
            Ok(Setting { key, value, source: source_of(path, index + 1) })
        })
        .collect()
}

fn is_skipped(line: &str) -> bool {
    line.is_empty() || line.starts_with(['#', ';', '[']) || line.starts_with("---")
}

/// Key and value of a line; `None` where there is no key.
fn split(line: &str) -> Option<(&str, String)> {
    let end = line.find(|c: char| ":=;#".contains(c) || c.is_whitespace()).unwrap_or(line.len());
    let (key, rest) = line.split_at(end);
    if key.is_empty() || rest.starts_with(['#', ';']) {
        return None;
    }
    let rest = rest.trim_start();
    let assigned = rest.strip_prefix([':', '=']);
    let is_comment = |text: &str| text.starts_with(['#', ';']);
    match assigned.unwrap_or(rest).trim() {
        "" if assigned.is_some() => Some((key, String::new())),
        "" => Some((key, PRESENT.to_owned())),
        comment if is_comment(comment) && assigned.is_none() => Some((key, PRESENT.to_owned())),
        value => Some((key, unquoted(value))),
    }
}

/// The value inside its quotes, or up to a comment.
fn unquoted(value: &str) -> String {
    let quote = value.chars().next().filter(|c| "'\"".contains(*c));
    if let Some(quote) = quote
        && let Some((inner, after)) = value[1..].rsplit_once(quote)
        && (after.trim().is_empty() || comment_start(after) == Some(0))
    {
        return inner.to_owned();
    }
    value[..comment_start(value).unwrap_or(value.len())].trim_end().to_owned()
}

/// Where the white space before a `#` or `;` begins.
fn comment_start(text: &str) -> Option<usize> {
    let marks = text.match_indices(['#', ';']).map(|(at, _)| at);
    let before = |at: usize| text[..at].trim_end().len();
    marks.map(|at| (at, before(at))).find(|(at, before)| before < at).map(|(_, before)| before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Vec<(String, String)> {
        let settings = read(Path::new("locust.conf"), text).unwrap();
        let pair = |setting: Setting| match setting.value {
            Value::Text(value) => (setting.key, value),
            Value::List(_) => unreachable!("lists are split where a list is wanted"),
        };
        settings.into_iter().map(pair).collect()
    }

    #[test]
    fn every_spelling_of_a_setting_is_read() {
        let cases = [
            ("users = 5", "users", "5"),
            ("users: 5", "users", "5"),
            ("users 5", "users", "5"),
            ("users=5", "users", "5"),
            ("--users = 5", "users", "5"),
            ("headless", "headless", "true"),
            ("headless # no browser", "headless", "true"),
            ("host = http://h:80/a#b", "host", "http://h:80/a#b"),
            ("host: http://h:80  # the target", "host", "http://h:80"),
            ("csv = \"a b\"", "csv", "a b"),
            ("csv = 'a # b' ; quoted", "csv", "a # b"),
            ("csv = it's", "csv", "it's"),
            ("csv =", "csv", ""),
            ("tags = [a, b]", "tags", "[a, b]"),
        ];
        for (line, key, value) in cases {
            assert_eq!(read_text(line), [(key.to_owned(), value.to_owned())], "{line}");
        }
    }

    #[test]
    fn what_is_no_setting_is_skipped() {
        let text = "\u{feff}# comment\n; comment\n[section]\n---\n\n   \nusers = 5\r\n";
        assert_eq!(read_text(text), [("users".to_owned(), "5".to_owned())]);
    }

    #[test]
    fn settings_know_their_line() {
        let settings = read(Path::new("locust.conf"), "# one\n\nusers = 5").unwrap();
        assert_eq!(settings[0].source.to_string(), "locust.conf line 3");
        let error = read(Path::new("locust.conf"), "users = 5\n= 5").unwrap_err();
        assert_eq!(
            error.to_string(),
            "locust.conf line 2: '= 5' is no setting: write 'key = value'"
        );
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a-z=:#;'\" \\n\\[\\]é]{0,80}") {
            let _ = read(Path::new("locust.conf"), &text);
        }
    }
}
