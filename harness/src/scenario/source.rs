//! The text of a scenario file, and where in it something stands.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::error::Problem;

/// A scenario file's text under the name that a person gave it.
#[derive(Clone, Debug)]
pub(super) struct Source<'a> {
    /// As named on the command line.
    pub name: &'a str,
    /// The whole file.
    pub text: &'a str,
}

impl Source<'_> {
    /// The problem `message` at the byte `offset`.
    pub(super) fn problem(&self, offset: usize, message: impl Into<String>) -> Problem {
        let (line, column) = self.position(offset);
        Problem { file: self.name.to_owned(), line, column, message: one_line(message.into()) }
    }

    /// Line and column, both from 1, of the byte `offset`.
    fn position(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &self.text[..offset];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }

    /// Where the content of the string at `span` begins, if the file has it letter for letter.
    ///
    /// With escapes an offset into the string is none into the file; the string's own beginning has to do then.
    pub(super) fn content_start(&self, span: &Range<usize>, content: &str) -> Option<usize> {
        let raw = self.text.get(span.clone())?;
        let quotes = if raw.starts_with("\"\"\"") || raw.starts_with("'''") { 3 } else { 1 };
        let inner = raw.get(quotes..raw.len().checked_sub(quotes)?)?;
        (inner == content).then_some(span.start + quotes)
    }

    /// `path` as written in the file: beside the file unless it is absolute.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        let folder = Path::new(self.name).parent().unwrap_or(Path::new(""));
        folder.join(path)
    }
}

/// Messages quote what people wrote, which may have line ends of its own.
fn one_line(message: String) -> String {
    if !message.contains(char::is_control) {
        return message;
    }
    message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_from_one() {
        let source = Source { name: "a.toml", text: "a = 1\nß = \"x\"\n" };
        let at = |offset| {
            let problem = source.problem(offset, "no");
            (problem.line, problem.column)
        };
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(4), (1, 5));
        assert_eq!(at(6), (2, 1));
        assert_eq!(at(7), (2, 1), "inside a character is at that character");
        assert_eq!(at(8), (2, 2));
        assert_eq!(at(1_000), (3, 1));
    }

    #[test]
    fn strings_without_escapes_can_be_pointed_into() {
        let source = Source { name: "a.toml", text: r#"a = "xyz" b = '''q''' c = "\u0041""# };
        assert_eq!(source.content_start(&(4..9), "xyz"), Some(5));
        assert_eq!(source.content_start(&(14..21), "q"), Some(17));
        assert_eq!(source.content_start(&(26..34), "A"), None);
    }

    #[test]
    fn paths_are_beside_the_file() {
        let source = Source { name: "suite/shop.toml", text: "" };
        assert_eq!(source.resolve("a.csv"), Path::new("suite/a.csv"));
        assert_eq!(source.resolve("/a.csv"), Path::new("/a.csv"));
    }
}
