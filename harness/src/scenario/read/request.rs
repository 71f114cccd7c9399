//! Steps that send one request.

use std::sync::Arc;

use super::class::ClassReader;
use super::constant;
use super::control::{Place, all};
use crate::scenario::expect::{Expect, Extract};
use crate::scenario::fields::{Fields, Item};
use crate::scenario::model::LabelKind;
use crate::scenario::step::{Auth, Body, Method, MultipartPart, PartContent, Request, RequestName};
use crate::scenario::template::{Part, Template};
use crate::scenario::value::JsonTemplate;

/// Headers that say how a body is framed, which the client does.
const FRAMING: [&str; 2] = ["content-length", "transfer-encoding"];

impl<'a> ClassReader<'a> {
    /// A step that sends a request, whose URL is the value of its method's key.
    pub(super) fn request_step(
        &self,
        fields: &Fields<'a>,
        url: &Item<'a>,
        method: Method,
        place: &Place<'_>,
    ) -> Option<Request> {
        let timeout = fields.item("timeout").map(|item| item.duration());
        let extract = self.extractions(fields);
        let request = self.request(fields, url, method, place);
        let (request, extract) = (request?, extract?);
        let reads_body = request.reads_body || extract.iter().any(|one| one.from.reads_body());
        let timeout = all(timeout)?.or(self.timeout);
        Some(Request { timeout, extract, reads_body, ..request })
    }

    /// What a request has wherever it stands; neither time-out nor extractions.
    pub(super) fn request(
        &self,
        fields: &Fields<'a>,
        url: &Item<'a>,
        method: Method,
        place: &Place<'_>,
    ) -> Option<Request> {
        let url = self.url(url);
        let own_name = fields.item("name").map(|item| self.own_name(&item));
        let query = fields.item("query").map(|item| self.pairs(&item));
        let headers = self.merged_headers(fields.entries("headers").into_iter());
        self.names.draw_again(&self.header_feeds);
        let body = self.body(fields);
        let auth = fields.item("auth").map(|item| self.auth(&item));
        let redirects = fields.item("redirects").map(|item| item.boolean());
        let keep_alive = fields.item("keep_alive").map_or(Some(true), |item| item.boolean());
        let expect = fields.item("expect").map(|item| self.expect(&item));
        let url = url?;
        let expect: Expect = all(expect)?.unwrap_or_default();
        Some(Request {
            name: self.request_name(all(own_name)?, method, &url, place),
            method,
            url,
            query: all(query)?.unwrap_or_default(),
            headers: headers.into(),
            body: body?,
            auth: all(auth)?,
            timeout: self.timeout,
            redirects: all(redirects)?,
            keep_alive: keep_alive?,
            reads_body: expect.reads_body(),
            expect,
            extract: Box::<[Extract]>::default(),
            rpc: None,
        })
    }

    pub(super) fn url(&self, item: &Item<'a>) -> Option<Template> {
        item.word()?;
        let url = self.template(item)?;
        let begins_well = match url.parts().first() {
            Some(Part::Literal(text)) => {
                ["/", "?", "http://", "https://"].iter().any(|start| text.starts_with(start))
            }
            Some(_) => true,
            None => false,
        };
        match begins_well {
            true => Some(url),
            false => item.report(format!(
                "\"{url}\" is no URL: begin it with / for a path on the host, or with http://"
            )),
        }
    }

    pub(super) fn own_name(&self, item: &Item<'a>) -> Option<Template> {
        item.word()?;
        self.template(item)
    }

    /// Its own name, else that of its group, else its URL as written: one entry whatever the placeholders come to.
    fn request_name(
        &self,
        own: Option<Template>,
        method: Method,
        url: &Template,
        place: &Place<'_>,
    ) -> RequestName {
        let fixed = match own {
            Some(name) if name.fixed().is_none() => return RequestName::Rendered(name),
            own => own.unwrap_or_else(|| {
                Template::literal(place.group.or(url.fixed()).unwrap_or(url.text()))
            }),
        };
        let name = fixed.fixed().unwrap_or(fixed.text());
        RequestName::Fixed(self.shared.entry(LabelKind::Request, method.as_str(), name))
    }

    /// The class's headers with `own` put over them; names differ in more than case.
    pub(super) fn merged_headers(
        &self,
        own: impl Iterator<Item = Item<'a>>,
    ) -> Vec<(Box<str>, Template)> {
        self.headers_over(&self.headers, own)
    }

    /// Those of `base` with `own` put over them.
    pub(super) fn headers_over(
        &self,
        base: &[(Box<str>, Template)],
        own: impl Iterator<Item = Item<'a>>,
    ) -> Vec<(Box<str>, Template)> {
        let mut headers = base.to_vec();
        for item in own {
            if let Some(value) = self.header(&item) {
                headers.retain(|(name, _)| !name.eq_ignore_ascii_case(item.name));
                headers.push((item.name.into(), value));
            }
        }
        headers
    }

    fn header(&self, item: &Item<'a>) -> Option<Template> {
        let value = self.scalar(item);
        if let Err(message) = check_header_name(item.name) {
            self.reader.report(item.name_start, message);
            return None;
        }
        let value = value?;
        let has_line_end = value
            .parts()
            .iter()
            .any(|part| matches!(part, Part::Literal(text) if text.contains(['\r', '\n', '\0'])));
        match has_line_end {
            true => item.report(format!("the header \"{}\" has a line end in it", item.name)),
            false => Some(value),
        }
    }

    fn body(&self, fields: &Fields<'a>) -> Option<Body> {
        let bodies = fields.present(&["form", "json", "body", "body_file", "multipart"]);
        if let [first, second, ..] = bodies.as_slice() {
            return second.report(format!(
                "a request has one body: \"{}\" or \"{}\"",
                first.name, second.name
            ));
        }
        let Some(item) = bodies.first() else { return Some(Body::Empty) };
        match item.name {
            "form" => self.pairs(item).map(Body::Form),
            "json" => self.value(item).map(|value| Body::Json(JsonTemplate::from(&value))),
            "body" => self.template(item).map(Body::Text),
            "body_file" => self.file(item).map(Body::File),
            _ => self.multipart(item).map(Body::Multipart),
        }
    }

    /// The bytes of the file that `item` names.
    pub(super) fn file(&self, item: &Item<'a>) -> Option<Arc<[u8]>> {
        let path = self.reader.source.resolve(&constant(self.reader, item)?);
        self.shared.file(&path).map_or_else(
            |cause| item.report(format!("cannot read the file {}: {cause}", path.display())),
            Some,
        )
    }

    fn multipart(&self, item: &Item<'a>) -> Option<Box<[MultipartPart]>> {
        let mut parts = Vec::new();
        for entry in item.entries()? {
            for value in entry.one_or_list() {
                let content = match value.value().as_table() {
                    Some(_) => self.file_part(&value),
                    None => self.scalar(&value).map(PartContent::Text),
                };
                parts.push(MultipartPart { name: entry.name.into(), content: content? });
            }
        }
        Some(parts.into())
    }

    fn file_part(&self, item: &Item<'a>) -> Option<PartContent> {
        let fields = item.table("a file")?;
        let path = fields.required("file");
        let bytes = path.and_then(|path| self.file(&path));
        let file_name = fields.item("name").map(|item| self.template(&item));
        let media_type = fields.item("type").map(|item| item.word());
        fields.finish();
        let written = path.and_then(|path| path.text()).unwrap_or_default();
        let base_name = written.rsplit('/').next().unwrap_or(written);
        Some(PartContent::File {
            file_name: all(file_name)?.unwrap_or_else(|| Template::literal(base_name)),
            media_type: all(media_type)?.unwrap_or("application/octet-stream").into(),
            bytes: bytes?,
        })
    }

    pub(super) fn auth(&self, item: &Item<'a>) -> Option<Auth> {
        let message = "\"auth\" is { basic = [user, password] } or { bearer = token }";
        let kind = item.table("credentials")?.only(&["basic", "bearer"], message)?;
        if kind.name == "bearer" {
            return self.template(&kind).map(Auth::Bearer);
        }
        let pair = kind.list()?;
        let [user, password] = pair.as_slice() else {
            return kind.report("\"basic\" wants [user, password]");
        };
        let (user, password) = (self.template(user), self.template(password));
        Some(Auth::Basic { user: user?, password: password? })
    }
}

/// RFC 9110, 5.1: a field name is a token.
fn check_header_name(name: &str) -> Result<(), String> {
    let is_token = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    if !is_token {
        return Err(format!("\"{name}\" is no name of a header"));
    }
    if FRAMING.iter().any(|framing| name.eq_ignore_ascii_case(framing)) {
        return Err(format!(
            "\"{name}\" is for the client to say, which knows the body; leave it out"
        ));
    }
    Ok(())
}
