//! Forms as browsers send them: the fields of both kinds, and the sizes of files.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use crate::shop::field::parameter;
use crate::shop::multipart::{self, Part};

/// A form that cannot be read: the line that tells the client why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BrokenForm(pub(super) &'static str);

/// The first value of each name, as the model has it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) fields: BTreeMap<String, String>,
    pub(super) file_sizes: BTreeMap<String, usize>,
}

impl Form {
    /// Reads a body by its Content-Type; one that is no form has no fields.
    pub(super) fn read(content_type: &str, body: &[u8]) -> Result<Self, BrokenForm> {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Ok(Self::url_encoded(&String::from_utf8_lossy(body)));
        }
        if !media_type.eq_ignore_ascii_case("multipart/form-data") {
            return Ok(Self::default());
        }
        let boundary = parameter(content_type, "boundary").filter(|text| !text.is_empty());
        let boundary = boundary.ok_or(BrokenForm("multipart/form-data needs a boundary\n"))?;
        multipart::parts(body, boundary.as_bytes()).map(Self::of_parts)
    }

    /// Reads `a=1&b=2`, as it is in a body or a query.
    pub(super) fn url_encoded(text: &str) -> Self {
        let mut form = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            form.fields.entry(decoded(name)).or_insert_with(|| decoded(value));
        }
        form
    }

    fn of_parts(parts: Vec<Part<'_>>) -> Self {
        let mut form = Self::default();
        for part in parts {
            if part.is_file {
                form.file_sizes.entry(part.name).or_insert(part.content.len());
            } else {
                let text = || String::from_utf8_lossy(part.content).into_owned();
                form.fields.entry(part.name).or_insert_with(text);
            }
        }
        form
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(form: &Form) -> Vec<(&str, &str)> {
        form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    #[test]
    fn url_encoded_fields_are_decoded_and_the_first_counts() {
        let body = b"user=Ada+L%C3%B6w&&user=bob&flag&a%3Db=%2B%zz";
        let form = Form::read("Application/x-www-form-urlencoded; charset=utf-8", body).unwrap();
        assert_eq!(fields(&form), [("a=b", "+%zz"), ("flag", ""), ("user", "Ada Löw")]);
    }

    #[test]
    fn parts_are_fields_or_files() {
        let body = b"--b\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\nada\r\n\
            --b\r\ncontent-disposition: form-data; name=\"photo\"; filename=\"\"\r\n\r\n\
            \r\n--x\r\n\r\n--b--\r\n";
        let form = Form::read("multipart/form-data; boundary=\"b\"", body).unwrap();
        assert_eq!(fields(&form), [("user", "ada")]);
        assert_eq!(form.file_sizes, BTreeMap::from([("photo".to_owned(), 7)]));
    }

    #[test]
    fn other_bodies_have_no_fields_and_broken_ones_are_told() {
        assert_eq!(Form::read("application/json", b"user=a"), Ok(Form::default()));
        assert_eq!(Form::read("", b"user=a"), Ok(Form::default()));
        for content_type in ["multipart/form-data", "multipart/form-data; boundary="] {
            assert!(Form::read(content_type, b"").is_err(), "{content_type}");
        }
    }
}
