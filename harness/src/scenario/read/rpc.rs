//! Steps that call a method of an XML-RPC server.

use loadr_protocols::xmlrpc::{DateTime, Value as Xml, encode_value};
use toml::de::DeValue;
use toml::value::{Datetime, Offset};

use super::class::ClassReader;
use super::control::{Place, all};
use crate::scenario::expect::Expect;
use crate::scenario::fields::{Fields, Item, number_of};
use crate::scenario::model::LabelKind;
use crate::scenario::rpc::{CallTemplate, Faults, ParamTemplate, ParamType, Rpc};
use crate::scenario::step::{Body, Method, Request, RequestName};
use crate::scenario::template::Template;

impl<'a> ClassReader<'a> {
    /// The step whose key `xmlrpc` is `item`: what it calls; how, stands beside that.
    pub(super) fn rpc_step(
        &self,
        fields: &Fields<'a>,
        item: &Item<'a>,
        place: &Place<'_>,
    ) -> Option<Request> {
        let called = self.called(item);
        let url = fields.item("url").map(|item| self.url(&item));
        let own_name = fields.item("name").map(|item| self.own_name(&item));
        let kind = fields.item("type").map_or(Some("xmlrpc"), |item| item.word());
        let headers = self.merged_headers(fields.entries("headers").into_iter());
        self.names.draw_again(&self.header_feeds);
        let auth = fields.item("auth").map(|item| self.auth(&item));
        let timeout = fields.item("timeout").map(|item| item.duration());
        let keep_alive = fields.item("keep_alive").map_or(Some(true), |item| item.boolean());
        let expect = fields.item("expect").map(|item| self.rpc_expect(&item));
        let extract = self.extractions(fields);
        let (method, call) = called?;
        let (expect, faults) = all(expect)?.unwrap_or((Expect::default(), Faults::None));
        let kind = kind?;
        let name = match all(own_name)? {
            Some(name) if name.fixed().is_none() => RequestName::Rendered(name),
            name => {
                let name = name.as_ref().and_then(Template::fixed).or(place.group);
                let name = name.unwrap_or(method);
                RequestName::Fixed(self.shared.entry(LabelKind::Request, kind, name))
            }
        };
        Some(Request {
            method: Method::Post,
            url: all(url)?.unwrap_or_else(|| Template::literal("")),
            name,
            query: Box::default(),
            headers: headers.into(),
            body: Body::XmlRpc(call),
            auth: all(auth)?,
            timeout: all(timeout)?.or(self.timeout),
            redirects: Some(false),
            keep_alive: keep_alive?,
            expect,
            extract: extract?,
            reads_body: true,
            rpc: Some(Box::new(Rpc { sample_type: kind.into(), faults })),
        })
    }

    /// The method's name, and the call.
    fn called(&self, item: &Item<'a>) -> Option<(&'a str, CallTemplate)> {
        let fields = item.table("an XML-RPC call")?;
        let method = fields.required("method").and_then(|item| Some((item, item.word()?)));
        let params = fields.item("params").map(|item| self.params(&item));
        fields.finish();
        let ((item, method), params) = (method?, all(params)?.unwrap_or_default());
        match CallTemplate::new(method, &params) {
            Ok(call) => Some((method, call)),
            Err(error) => item.report(error.to_string()),
        }
    }

    fn params(&self, item: &Item<'a>) -> Option<Vec<ParamTemplate>> {
        let params: Vec<Option<ParamTemplate>> =
            item.list()?.iter().map(|item| self.param(item)).collect();
        params.into_iter().collect()
    }

    fn param(&self, item: &Item<'a>) -> Option<ParamTemplate> {
        let fixed = match item.value() {
            DeValue::String(_) => {
                let template = self.template(item)?;
                match template.fixed() {
                    Some(text) => Xml::from(text),
                    None => return Some(ParamTemplate::Text(template)),
                }
            }
            DeValue::Array(_) => return self.params(item).map(list),
            DeValue::Table(_) => return self.table_param(item),
            DeValue::Boolean(truth) => Xml::Boolean(*truth),
            DeValue::Integer(integer) => {
                match i64::from_str_radix(integer.as_str(), integer.radix()) {
                    Ok(whole) => Xml::from(whole),
                    Err(_) => return item.report("a whole number has 64 bits at most"),
                }
            }
            value @ DeValue::Float(_) => match number_of(value).filter(|n| n.is_finite()) {
                Some(number) => Xml::Double(number),
                None => return item.report("this is no number that XML-RPC can carry"),
            },
            DeValue::Datetime(moment) => match date_time(moment) {
                Some(moment) => Xml::DateTime(moment),
                None => return item.report("XML-RPC knows a date with a time, and neither alone"),
            },
        };
        checked(item, fixed)
    }

    /// A struct, or what TOML has no way to say: a table with one key that names a type.
    fn table_param(&self, item: &Item<'a>) -> Option<ParamTemplate> {
        let entries = item.entries()?;
        if let [only] = entries.as_slice() {
            if let Some((_, kind)) = ParamType::KEYS.iter().find(|(key, _)| *key == only.name) {
                return self.typed_param(only, *kind);
            }
            match only.name {
                "nil" if only.boolean()? => return Some(ParamTemplate::Fixed(Xml::Nil)),
                "nil" => return only.report("\"nil\" = false says nothing; write { nil = true }"),
                "struct" => return self.structure(&only.entries()?),
                _ => {}
            }
        }
        self.structure(&entries)
    }

    fn typed_param(&self, item: &Item<'a>, kind: ParamType) -> Option<ParamTemplate> {
        let template = self.scalar(item)?;
        let Some(text) = template.fixed() else {
            return Some(ParamTemplate::Typed(kind, template));
        };
        match kind.value(text) {
            Some(value) => checked(item, value),
            None => item.report(format!("\"{text}\" is no {}", kind.key())),
        }
    }

    fn structure(&self, entries: &[Item<'a>]) -> Option<ParamTemplate> {
        let fields: Vec<Option<(Box<str>, ParamTemplate)>> = entries
            .iter()
            .map(|item| {
                let value = self.param(item);
                if let Err(error) = encode_value(&Xml::from(item.name), &mut Vec::new()) {
                    self.reader.report(item.name_start, error.to_string());
                    return None;
                }
                Some((item.name.into(), value?))
            })
            .collect();
        Some(structure(fields.into_iter().collect::<Option<_>>()?))
    }

    fn rpc_expect(&self, item: &Item<'a>) -> Option<(Expect, Faults)> {
        let fields = item.table("an expectation of a call")?;
        let faults = fields.item("fault").map_or(Some(Faults::None), |item| faults(&item));
        let expect = self.expectations(&fields);
        fields.finish();
        Some((expect?, faults?))
    }
}

/// A value that can be sent.
fn checked(item: &Item<'_>, value: Xml) -> Option<ParamTemplate> {
    match encode_value(&value, &mut Vec::new()) {
        Ok(()) => Some(ParamTemplate::Fixed(value)),
        Err(error) => item.report(error.to_string()),
    }
}

/// A list, fixed if all of it is.
fn list(items: Vec<ParamTemplate>) -> ParamTemplate {
    match items.iter().map(fixed).collect::<Option<Vec<_>>>() {
        Some(values) => ParamTemplate::Fixed(Xml::Array(values)),
        None => ParamTemplate::List(items.into()),
    }
}

fn structure(fields: Vec<(Box<str>, ParamTemplate)>) -> ParamTemplate {
    let members = fields.iter().map(|(name, value)| Some((name.to_string(), fixed(value)?)));
    match members.collect::<Option<Vec<_>>>() {
        Some(members) => ParamTemplate::Fixed(Xml::Struct(members)),
        None => ParamTemplate::Struct(fields.into()),
    }
}

fn fixed(param: &ParamTemplate) -> Option<Xml> {
    match param {
        ParamTemplate::Fixed(value) => Some(value.clone()),
        _ => None,
    }
}

/// As the specification writes it; a fraction and an offset stay where there are such.
fn date_time(moment: &Datetime) -> Option<DateTime> {
    let (date, time) = (moment.date?, moment.time?);
    let mut text = format!("{:04}{:02}{:02}T", date.year, date.month, date.day);
    text.push_str(&format!("{:02}:{:02}:{:02}", time.hour, time.minute, time.second.unwrap_or(0)));
    if let Some(nanos) = time.nanosecond.filter(|&nanos| nanos > 0) {
        text.push_str(format!(".{nanos:09}").trim_end_matches('0'));
    }
    match moment.offset {
        None => {}
        Some(Offset::Z) => text.push('Z'),
        Some(Offset::Custom { minutes }) => {
            let sign = if minutes < 0 { '-' } else { '+' };
            let minutes = minutes.unsigned_abs();
            text.push_str(&format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60));
        }
    }
    text.parse().ok()
}

fn faults(item: &Item<'_>) -> Option<Faults> {
    if let Some(any) = item.value().as_bool() {
        return Some(if any { Faults::Any } else { Faults::None });
    }
    let codes: Vec<Option<i64>> = item
        .one_or_list()
        .iter()
        .map(|item| match item.value() {
            DeValue::Integer(code) => i64::from_str_radix(code.as_str(), code.radix()).ok(),
            _ => None,
        })
        .collect();
    match codes.into_iter().collect::<Option<Vec<_>>>() {
        Some(codes) if !codes.is_empty() => Some(Faults::OneOf(codes.into())),
        _ => item.report("\"fault\" wants a fault's code, several in [ ], or true for any"),
    }
}
