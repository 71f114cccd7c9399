//! The parts of a `multipart/form-data` body (RFC 7578, RFC 2046 5.1.1).
//!
//! Strict, as the rest of the target: a body without its end, or a part without a name, is a fault
//! of the generator under test and is told.

use memchr::memmem::{self, Finder};

use crate::shop::field::{parameter, values};
use crate::shop::form::BrokenForm;

const NO_BEGINNING: BrokenForm = BrokenForm("the boundary is not in the multipart body\n");
const NO_END: BrokenForm = BrokenForm("the multipart body ends without its closing boundary\n");
const NO_LINE_END: BrokenForm = BrokenForm("a multipart boundary is not alone on its line\n");
const NO_NAME: BrokenForm =
    BrokenForm("a part needs Content-Disposition: form-data; name=\"...\"\n");

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'b> {
    pub(super) name: String,
    /// It came with a file name.
    pub(super) is_file: bool,
    pub(super) content: &'b [u8],
}

/// All parts of the body.
pub(super) fn parts<'b>(body: &'b [u8], boundary: &[u8]) -> Result<Vec<Part<'b>>, BrokenForm> {
    let delimiter = [b"\r\n--", boundary].concat();
    let finder = Finder::new(&delimiter);
    let mut parts = Vec::new();
    let mut rest = after_first(body, &delimiter, &finder)?;
    while !rest.starts_with(b"--") {
        let part = rest.strip_prefix(b"\r\n").ok_or(NO_LINE_END)?;
        let end = finder.find(part).ok_or(NO_END)?;
        parts.push(Part::parse(&part[..end])?);
        rest = &part[end + delimiter.len()..];
    }
    Ok(parts)
}

/// What follows the first delimiter, which at the very start has no line before it.
fn after_first<'b>(
    body: &'b [u8],
    delimiter: &[u8],
    finder: &Finder<'_>,
) -> Result<&'b [u8], BrokenForm> {
    if let Some(rest) = body.strip_prefix(&delimiter[2..]) {
        return Ok(rest);
    }
    let start = finder.find(body).ok_or(NO_BEGINNING)?;
    Ok(&body[start + delimiter.len()..])
}

impl<'b> Part<'b> {
    fn parse(part: &'b [u8]) -> Result<Self, BrokenForm> {
        let head_end = memmem::find(part, b"\r\n\r\n").ok_or(NO_NAME)?;
        let (head, content) = (&part[..head_end], &part[head_end + 4..]);
        let disposition = values(head, "content-disposition").next().ok_or(NO_NAME)?;
        let name = parameter(disposition, "name").ok_or(NO_NAME)?.into_owned();
        let is_file =
            ["filename", "filename*"].iter().any(|name| parameter(disposition, name).is_some());
        Ok(Self { name, is_file, content })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELD: &str = "Content-Disposition: form-data; name=a\r\n\r\n";

    #[test]
    fn parts_end_at_boundaries_only() {
        let body = format!("preamble\r\n--b\r\n{FIELD}\r\n--c--b\r\r\n--b\r\n{FIELD}\r\n--b--more");
        let parts = parts(body.as_bytes(), b"b").unwrap();
        let contents: Vec<_> = parts.iter().map(|part| part.content).collect();
        assert_eq!(contents, [b"\r\n--c--b\r".as_slice(), b""]);
        assert!(parts.iter().all(|part| part.name == "a" && !part.is_file));
        assert_eq!(super::parts(b"--b--", b"b"), Ok(Vec::new()));
    }

    #[test]
    fn broken_bodies_are_told_by_their_fault() {
        for (body, fault) in [
            (String::new(), NO_BEGINNING),
            (format!("--c\r\n{FIELD}\r\n--c--"), NO_BEGINNING),
            ("--b".into(), NO_LINE_END),
            ("--bc\r\n".into(), NO_LINE_END),
            (format!("--b\r\n{FIELD}text"), NO_END),
            (format!("--b\r\n{FIELD}text\r\n--b"), NO_LINE_END),
            ("--b\r\nname: a\r\n\r\ntext\r\n--b--".into(), NO_NAME),
            ("--b\r\nContent-Disposition: form-data\r\n\r\n\r\n--b--".into(), NO_NAME),
            ("--b\r\n\r\n--b--".into(), NO_NAME),
        ] {
            assert_eq!(parts(body.as_bytes(), b"b"), Err(fault), "{body:?}");
        }
    }
}
