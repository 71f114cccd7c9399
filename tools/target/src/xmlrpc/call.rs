//! The little of XML that a call is read with.
//!
//! Elements have to nest properly, at most 64 deep; attributes, comments and processing
//! instructions are skipped. A document type is refused, since nobody needs one here and entities
//! of one's own come with it.

use super::Fault;

/// How deep elements may nest.
const DEPTH_MAX: usize = 64;

/// A call as it stands in its document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Call<'x> {
    /// The name as it is written, entities and all.
    pub(super) method: &'x str,
    /// What lies between `<params>` and `</params>`.
    params: &'x str,
}

/// Something between `<` and `>`.
struct Markup<'x> {
    start: usize,
    end: usize,
    tag: Tag<'x>,
}

enum Tag<'x> {
    Open(&'x str),
    Close(&'x str),
    /// Nothing that elements nest by: an element without content, a comment and the like.
    Other,
}

impl<'x> Call<'x> {
    /// Reads a call; the faults are those of a document that is broken or is no call.
    pub(super) fn parse(body: &'x [u8]) -> Result<Self, Fault> {
        let text = std::str::from_utf8(body).map_err(|_| Fault::broken("not UTF-8"))?;
        let mut reader = Reader::new(text);
        while let Some(markup) = next_markup(text, reader.at)? {
            reader.take(markup)?;
        }
        reader.finish()
    }

    /// The values of the parameters, each with its own tags.
    pub(super) fn values(&self) -> impl Iterator<Item = &'x str> {
        let (text, mut at) = (self.params, 0);
        std::iter::from_fn(move || {
            let start = at + text[at..].find("<value")?;
            at = end_of_value(text, start)?;
            Some(&text[start..at])
        })
    }
}

/// Goes through a document and keeps what a call is made of.
struct Reader<'x> {
    text: &'x str,
    /// How far it is read.
    at: usize,
    /// The elements that are open, innermost last.
    names: [&'x str; DEPTH_MAX],
    depth: usize,
    /// Where the content of the part being read begins.
    part_start: usize,
    has_root: bool,
    method: Option<&'x str>,
    params: Option<&'x str>,
}

impl<'x> Reader<'x> {
    fn new(text: &'x str) -> Self {
        let names = [""; DEPTH_MAX];
        let (has_root, method, params) = (false, None, None);
        Self { text, at: 0, names, depth: 0, part_start: 0, has_root, method, params }
    }

    fn take(&mut self, markup: Markup<'x>) -> Result<(), Fault> {
        if self.depth == 0 && !self.text[self.at..markup.start].trim().is_empty() {
            return Err(Fault::broken("text outside of the document"));
        }
        self.at = markup.end;
        match markup.tag {
            Tag::Open(name) => self.open(name),
            Tag::Close(name) => self.close(name, markup.start),
            Tag::Other => Ok(()),
        }
    }

    fn open(&mut self, name: &'x str) -> Result<(), Fault> {
        if self.depth == 0 && std::mem::replace(&mut self.has_root, true) {
            return Err(Fault::broken("more than one document"));
        }
        let place = self.names.get_mut(self.depth);
        *place.ok_or_else(|| Fault::broken("elements nest more than 64 deep"))? = name;
        self.depth += 1;
        if self.depth == 2 {
            self.part_start = self.at;
        }
        Ok(())
    }

    fn close(&mut self, name: &str, start: usize) -> Result<(), Fault> {
        let path = &self.names[..self.depth];
        if path.last() != Some(&name) {
            return Err(Fault::broken("an end tag does not match"));
        }
        let content = &self.text[self.part_start..start];
        match path {
            ["methodCall", "methodName"] => self.method = Some(content),
            ["methodCall", "params"] => self.params = Some(content),
            _ => {}
        }
        self.depth -= 1;
        Ok(())
    }

    fn finish(self) -> Result<Call<'x>, Fault> {
        if !self.has_root || self.depth > 0 || !self.text[self.at..].trim().is_empty() {
            return Err(Fault::broken("the document does not end properly"));
        }
        let method = self.method.ok_or_else(|| Fault::no_call("there is no methodName"))?;
        Ok(Call { method: method.trim(), params: self.params.unwrap_or("") })
    }
}

/// Where the value that begins at `start` ends; values nest.
fn end_of_value(text: &str, start: usize) -> Option<usize> {
    let (mut at, mut depth) = (start, 0_usize);
    while let Ok(Some(markup)) = next_markup(text, at) {
        at = markup.end;
        match markup.tag {
            Tag::Open("value") => depth += 1,
            Tag::Close("value") => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// The next markup from `at` on.
fn next_markup(text: &str, at: usize) -> Result<Option<Markup<'_>>, Fault> {
    let Some(found) = memchr::memchr(b'<', &text.as_bytes()[at..]) else { return Ok(None) };
    let start = at + found;
    let rest = &text[start..];
    if let Some(b'!' | b'?') = rest.as_bytes().get(1) {
        return Ok(Some(Markup { start, end: start + skipped_len(rest)?, tag: Tag::Other }));
    }
    let len = memchr::memchr(b'>', rest.as_bytes());
    let len = len.ok_or_else(|| Fault::broken("markup does not end"))?;
    Ok(Some(Markup { start, end: start + len + 1, tag: tag(&rest[1..len])? }))
}

/// The length of the comment, the section or the instruction that `rest` begins with.
fn skipped_len(rest: &str) -> Result<usize, Fault> {
    let skipped = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")];
    let end = skipped.iter().find(|(begin, _)| rest.starts_with(begin)).map(|(_, end)| *end);
    let end = end.ok_or_else(|| Fault::broken("a document type is not taken"))?;
    let len = rest.find(end).ok_or_else(|| Fault::broken("markup does not end"))?;
    Ok(len + end.len())
}

/// What a tag is, from what stands between its brackets.
fn tag(inside: &str) -> Result<Tag<'_>, Fault> {
    if let Some(name) = inside.strip_prefix('/') {
        return Ok(Tag::Close(name.trim_ascii_end()));
    }
    if !inside.starts_with(char::is_alphabetic) {
        return Err(Fault::broken("a tag has no name"));
    }
    if inside.ends_with('/') {
        return Ok(Tag::Other);
    }
    Ok(Tag::Open(inside.split_ascii_whitespace().next().unwrap_or(inside)))
}

/// The number of a value that is an `int` or `i4`.
pub(super) fn int(value: &str) -> Option<i32> {
    let inside = value.strip_prefix("<value>")?.strip_suffix("</value>")?.trim();
    let named = |name: &str| {
        let opened = inside.strip_prefix('<')?.strip_prefix(name)?.strip_prefix('>')?;
        opened.strip_suffix('>')?.strip_suffix(name)?.strip_suffix("</")
    };
    named("int").or_else(|| named("i4"))?.trim().parse().ok()
}

/// What came as text, fit to be sent as such and short.
pub(super) fn text(raw: &str) -> String {
    raw.chars().filter(|c| !matches!(c, '<' | '>' | '&')).take(64).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Call<'_>, Fault> {
        Call::parse(text.as_bytes())
    }

    #[test]
    fn calls_are_read_whatever_surrounds_them() {
        let text = "<?xml version='1.0' encoding='utf-8'?>\n<!-- hello --><methodCall>\n\
                    <methodName> a.b </methodName>\n<params>\n\
                    <param><value><array><data><value>x</value></data></array></value></param>\n\
                    <param><value  ><string>y</string></value></param><param><value/></param>\n\
                    </params>\n</methodCall>\n";
        let call = parse(text).unwrap();
        let values: Vec<_> = call.values().collect();
        assert_eq!(call.method, "a.b");
        assert_eq!(
            values,
            [
                "<value><array><data><value>x</value></data></array></value>",
                "<value  ><string>y</string></value>",
                "<value/>",
            ]
        );
        let bare = parse("<methodCall><methodName>a</methodName></methodCall>").unwrap();
        assert_eq!(bare.values().count(), 0);
    }

    #[test]
    fn no_prefix_of_a_call_is_a_call() {
        let text = "<methodCall><methodName>a</methodName><params><param><value>x</value></param>\
                    </params></methodCall>";
        for end in 0..text.len() {
            assert_eq!(parse(&text[..end]).unwrap_err().code, -32700, "{end}");
        }
        assert!(parse(text).is_ok());
    }

    #[test]
    fn broken_documents_are_refused() {
        let deep = |depth| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        for text in [
            "<a></b>",
            "</a>",
            "<a></a><b></b>",
            "<a></a>text",
            "text<a></a>",
            "<!DOCTYPE a [<!ENTITY x 'y'>]><a></a>",
            "<a><!-- </a>",
            "<a>< b></b></a>",
            &deep(DEPTH_MAX + 1),
            &deep(100_000),
        ] {
            assert_eq!(parse(text).unwrap_err().code, -32700, "{text:.60}");
        }
        assert_eq!(parse(&deep(DEPTH_MAX)).unwrap_err().code, -32600);
        assert_eq!(Call::parse(&[b'<', 0xff]).unwrap_err().code, -32700);
    }

    #[test]
    fn ints_are_those_of_the_specification() {
        for (value, number) in [
            ("<value><int>5</int></value>", Some(5)),
            ("<value><i4> -7 </i4></value>", Some(-7)),
            ("<value> <int>5</int> </value>", Some(5)),
            ("<value>5</value>", None),
            ("<value><int>5</i4></value>", None),
            ("<value><int>2147483648</int></value>", None),
            ("<value><int></int></value>", None),
        ] {
            assert_eq!(int(value), number, "{value}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_call_or_a_fault(
            parts in proptest::collection::vec(
                prop_oneof![
                    4 => proptest::sample::select(vec![
                        "<methodCall>", "</methodCall>", "<methodName>", "</methodName>", "<params>",
                        "</params>", "<param>", "</param>", "<value>", "</value>", "<value/>", "<!--",
                        "-->", "<![CDATA[", "]]>", "<?", "?>", "<", ">", "/", "\u{20ac}",
                    ]).prop_map(str::to_owned),
                    1 => any::<String>(),
                ],
                0..30,
            ),
        ) {
            let text = parts.concat();
            if let Ok(call) = parse(&text) {
                for value in call.values() {
                    prop_assert!(value.starts_with("<value") && value.ends_with('>'));
                    int(value);
                }
            }
        }
    }
}
