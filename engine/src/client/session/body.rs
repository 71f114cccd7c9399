//! Bodies that calls make: forms, and several parts in one (RFC 7578).

use bytes::Bytes;
use url::form_urlencoded;

use crate::random::SplitMix64;

/// A part of a multipart body.
#[derive(Clone, Debug)]
pub struct Part {
    name: String,
    filename: Option<String>,
    content_type: Option<String>,
    content: Bytes,
}

impl Part {
    /// A field of the form.
    pub fn text(name: impl Into<String>, value: impl Into<String>) -> Self {
        let content = value.into().into();
        Self { name: name.into(), filename: None, content_type: None, content }
    }

    /// A file.
    pub fn file(
        name: impl Into<String>,
        filename: impl Into<String>,
        content_type: impl Into<String>,
        content: impl Into<Bytes>,
    ) -> Self {
        Self {
            name: name.into(),
            filename: Some(filename.into()),
            content_type: Some(content_type.into()),
            content: content.into(),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut head = format!("Content-Disposition: form-data; name=\"{}\"", escaped(&self.name));
        if let Some(filename) = &self.filename {
            head.push_str(&format!("; filename=\"{}\"", escaped(filename)));
        }
        if let Some(content_type) = &self.content_type {
            let content_type: String = content_type.chars().filter(|c| !c.is_control()).collect();
            head.push_str(&format!("\r\nContent-Type: {content_type}"));
        }
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(&self.content);
    }
}

/// As browsers escape names (WHATWG HTML, multipart/form-data).
fn escaped(name: &str) -> String {
    name.replace('\r', "%0D").replace('\n', "%0A").replace('"', "%22")
}

/// Content type and body of a form with `pairs`.
pub(super) fn form(pairs: &[(String, String)]) -> (String, Bytes) {
    let mut serializer = form_urlencoded::Serializer::new(String::new());
    let body = serializer.extend_pairs(pairs).finish();
    ("application/x-www-form-urlencoded".to_owned(), body.into())
}

/// Content type and body of several parts, behind a boundary drawn from `random`.
pub(super) fn multipart(parts: &[Part], random: &mut SplitMix64) -> (String, Bytes) {
    let boundary = format!("{:016x}{:016x}", random.next_u64(), random.next_u64());
    let mut out = Vec::with_capacity(parts.iter().map(|part| part.content.len() + 256).sum());
    for part in parts {
        out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        part.write(&mut out);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), out.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_urlencoded() {
        let pairs = [("a b".to_owned(), "c&d".to_owned()), ("e".to_owned(), String::new())];
        let (content_type, body) = form(&pairs);
        assert_eq!(content_type, "application/x-www-form-urlencoded");
        assert_eq!(body, "a+b=c%26d&e=");
    }

    #[test]
    fn parts_stand_between_boundaries_and_cannot_break_out() {
        let parts = [
            Part::text("field", "value"),
            Part::file("f\"\r\n", "n.txt", "text/plain\r\nX: y", &b"\0\xff"[..]),
        ];
        let (content_type, body) = multipart(&parts, &mut SplitMix64::new(1));
        let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
        let mut expected = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"field\"\r\n\r\nvalue\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"f%22%0D%0A\"; filename=\"n.txt\"\
             \r\nContent-Type: text/plainX: y\r\n\r\n"
        )
        .into_bytes();
        expected.extend_from_slice(b"\0\xff\r\n");
        expected.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        assert_eq!(body, expected);
    }
}
