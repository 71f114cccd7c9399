//! Requests: sent, held against what was expected, and what is kept of them.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::time::Duration;

use bytes::Bytes;
use loadr_engine::client::session::{self, Call, Part, Session, Verdict, View};
use loadr_engine::client::xmlrpc;
use loadr_engine::outcome::{Failure, FailureKind};
use loadr_engine::task::{TaskExit, TaskResult};
use loadr_protocols::http1::Headers;
use loadr_protocols::xmlrpc::Reply;
use serde_json::Value;

use super::calls::{BuiltCall, BuiltName, CallCode, Route, http_method};
use super::code::{Judgement, RpcJudgement};
use super::pieces::{push_placeholder, rendered};
use super::user::ScenarioUser;
use crate::scenario::expect::{Expect, Extract};
use crate::scenario::judge::Response;
use crate::scenario::rpc::json_of_reply;
use crate::scenario::step::{Auth, Body, MultipartPart, Pairs, PartContent, Request};
use crate::scenario::template::{Unset, Values};

impl ScenarioUser {
    /// Sends a request, counts it, and keeps of its response what is to be kept.
    pub(super) async fn request(&self, call: &CallCode) -> TaskResult {
        let unset = Cell::new(None);
        let answered = self
            .send(call, |arrived| {
                self.judge(&call.judgement, arrived).unwrap_or_else(|missing| {
                    unset.set(Some(missing));
                    Verdict::Undecided
                })
            })
            .await?;
        if let Some(unset) = unset.get() {
            return Err(self.unset(unset));
        }
        if !answered {
            self.fall_back(&call.judgement.extract)?;
        }
        Ok(())
    }

    /// Sends a request; `judge` sees the response, if there is one, before it is counted. Says whether there was one.
    pub(super) async fn send(
        &self,
        call: &CallCode,
        judge: impl FnOnce(&Arrived<'_, '_>) -> Verdict,
    ) -> Result<bool, TaskExit> {
        let is_rpc = call.judgement.rpc.is_some();
        let judge = |source: Source<'_, '_>| judge(&Arrived::new(source, &self.session, is_rpc));
        let (prepared, slots) = match &call.route {
            Route::Prepared { call, slots } => (call, slots),
            Route::Built(built) => return Box::pin(self.send_built(built, judge)).await,
        };
        let outcome = |view: &View<'_>| judge(Source::View(view));
        if slots.is_empty() {
            return Ok(self.session.send_prepared(prepared, &[], outcome).await.status != 0);
        }
        let mut buffer = self.class.take_buffer();
        self.read(|scope| buffer.fill(slots, scope))?;
        let slices = buffer.slices();
        let reply = self.session.send_prepared(prepared, slices.as_slice(), outcome).await;
        drop(slices);
        self.class.put_buffer(buffer);
        Ok(reply.status != 0)
    }

    async fn send_built(
        &self,
        built: &BuiltCall,
        judge: impl FnOnce(Source<'_, '_>) -> Verdict,
    ) -> Result<bool, TaskExit> {
        let call = self.read(|scope| build(&self.session, built, scope))?;
        let call = call.check(|checked| {
            if checked.status() == 0 {
                return;
            }
            let verdict = judge(Source::Whole(checked));
            checked.settle(verdict);
        });
        Ok(call.send().await.status() != 0)
    }

    /// Holds a response against what was expected, and keeps what is to be kept of it.
    pub(super) fn judge(
        &self,
        judgement: &Judgement,
        arrived: &Arrived<'_, '_>,
    ) -> Result<Verdict, Unset> {
        if let Some(verdict) = judgement.rpc.as_ref().and_then(|rpc| arrived.rpc_verdict(rpc)) {
            // Whatever is missing is so because of this.
            self.keep(&judgement.extract, arrived)?;
            return Ok(verdict);
        }
        let failure = self.failure_of(&judgement.expect, arrived)?;
        let missing = self.keep(&judgement.extract, arrived)?;
        Ok(match failure.or(missing) {
            // By now the client's own rule allows what was expected, and it knows whether the body could be read.
            None => Verdict::Undecided,
            Some(text) => Verdict::Failure(Cow::Owned(text)),
        })
    }

    /// What keeps a response from being what was expected; a status alone is the client's to put into words.
    fn failure_of(
        &self,
        expect: &Expect,
        arrived: &Arrived<'_, '_>,
    ) -> Result<Option<String>, Unset> {
        if expect.status.is_none() && !(200..400).contains(&arrived.status()) {
            return Ok(None);
        }
        self.look(|scope| expect.failure(arrived, scope))
    }

    /// Gives variables what the response has for them; says what it has nothing for, where that is a failure.
    pub(super) fn keep(
        &self,
        extract: &[Extract],
        arrived: &impl Response,
    ) -> Result<Option<String>, Unset> {
        let mut failure = None;
        for one in extract {
            let value = self.look(|scope| one.value(arrived, scope))?;
            if value.is_none() {
                failure.get_or_insert_with(|| one.failure());
            }
            // What an earlier response had is not what this one should have had.
            self.set(one.variable, value);
        }
        Ok(failure)
    }

    /// Gives variables what they have where there is no response.
    pub(super) fn fall_back(&self, extract: &[Extract]) -> TaskResult {
        for one in extract {
            let default = one.default.as_ref();
            let value =
                default.map(|value| self.read(|scope| value.evaluate(scope))).transpose()?;
            self.set(one.variable, value);
        }
        Ok(())
    }
}

/// A response that was received, whichever way it was asked for.
pub(super) struct Arrived<'r, 'v> {
    source: Source<'r, 'v>,
    session: &'r Session,
    text: OnceCell<Cow<'r, str>>,
    json: OnceCell<Option<Value>>,
    /// It answers a call of XML-RPC, whose reply is what it has for JSON.
    is_rpc: bool,
    reply: OnceCell<Result<Reply, Failure>>,
}

/// Where a response's parts are.
#[derive(Clone, Copy)]
enum Source<'r, 'v> {
    View(&'r View<'v>),
    Whole(&'r session::Response),
}

impl<'r, 'v> Arrived<'r, 'v> {
    fn new(source: Source<'r, 'v>, session: &'r Session, is_rpc: bool) -> Self {
        let (text, json, reply) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { source, session, text, json, is_rpc, reply }
    }

    fn headers(&self) -> Headers<'r> {
        match self.source {
            Source::View(view) => view.headers(),
            Source::Whole(response) => response.headers(),
        }
    }

    fn bytes(&self) -> &'r [u8] {
        match self.source {
            Source::View(view) => view.body(),
            Source::Whole(response) => response.body(),
        }
    }

    fn body_failure(&self) -> Option<&Failure> {
        match self.source {
            Source::View(view) => view.body_failure(),
            Source::Whole(response) => response.body_error(),
        }
    }

    fn reply(&self) -> &Result<Reply, Failure> {
        self.reply.get_or_init(|| xmlrpc::read(self.headers(), self.bytes()))
    }

    /// What it counts as by the rules of XML-RPC; nothing where they have nothing against it.
    fn rpc_verdict(&self, rpc: &RpcJudgement) -> Option<Verdict> {
        let bytes = self.bytes();
        if self.status() != xmlrpc::STATUS || self.body_failure().is_some() {
            // The client has words for that.
            return Some(Verdict::Undecided);
        }
        let wrong = match rpc.reads_value {
            true => self.reply().as_ref().map(|reply| rpc.faults.failure(reply)),
            false => match xmlrpc::check(self.headers(), bytes) {
                Ok(reply) => Ok(rpc.faults.failure(&reply)),
                Err(failure) => return Some(xmlrpc::of_failure(failure)),
            },
        };
        match wrong {
            Ok(text) => Some(Verdict::FailureOf(FailureKind::Status, text?.into())),
            Err(failure) => Some(xmlrpc::of_failure(failure.clone())),
        }
    }
}

impl Response for Arrived<'_, '_> {
    fn status(&self) -> u16 {
        match self.source {
            Source::View(view) => view.status(),
            Source::Whole(response) => response.status(),
        }
    }

    fn time(&self) -> Duration {
        match self.source {
            Source::View(view) => view.elapsed(),
            Source::Whole(response) => response.elapsed(),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.headers();
        let found = fields.find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()));
        found.and_then(|(_, value)| std::str::from_utf8(value).ok())
    }

    fn cookie(&self, name: &str) -> Option<String> {
        self.session.cookie(name)
    }

    fn body(&self) -> &str {
        self.text.get_or_init(|| String::from_utf8_lossy(self.bytes()))
    }

    fn json(&self) -> Option<&Value> {
        let read = || match self.is_rpc {
            true => self.reply().as_ref().ok().map(json_of_reply),
            false => serde_json::from_slice(self.bytes()).ok(),
        };
        self.json.get_or_init(read).as_ref()
    }
}

/// A request put together with its values filled in.
fn build<'c>(
    session: &Session,
    built: &BuiltCall,
    values: &impl Values,
) -> Result<Call<'c>, Unset> {
    let request = &built.request;
    let call = session.request(http_method(request.method).as_str(), url(request, values)?);
    let mut call = call
        .name(match &built.name {
            BuiltName::Fixed(name) => name.clone(),
            BuiltName::Rendered(name) => rendered(name, values)?,
        })
        .query(pairs(&request.query, values)?)
        .keep_alive(request.keep_alive)
        .expect_status(built.status_rule.clone());
    for (name, value) in pairs(&request.headers, values)? {
        call = call.header(name, value);
    }
    if let Some(rpc) = &request.rpc {
        call = call.sample_type(rpc.sample_type.to_string());
    }
    if let Some(follow) = request.redirects {
        call = call.follow_redirects(follow);
    }
    if let Some(timeout) = request.timeout {
        call = call.timeout(timeout);
    }
    call = match &request.auth {
        Some(Auth::Basic { user, password }) => {
            call.basic_auth(&rendered(user, values)?, &rendered(password, values)?)
        }
        Some(Auth::Bearer(token)) => call.bearer(&rendered(token, values)?),
        None => call,
    };
    with_body(call, request, values)
}

fn with_body<'c>(
    call: Call<'c>,
    request: &Request,
    values: &impl Values,
) -> Result<Call<'c>, Unset> {
    Ok(match &request.body {
        Body::Empty => call,
        Body::Form(form) => call.form(pairs(form, values)?),
        Body::Json(document) => {
            let mut text = String::new();
            document.render(values, &mut text)?;
            with_typed_body(call, request, text, "application/json")
        }
        Body::XmlRpc(document) => {
            let mut text = String::new();
            document.render(values, &mut text)?;
            with_typed_body(call, request, text, xmlrpc::CONTENT_TYPE)
        }
        Body::Text(text) => call.body(rendered(text, values)?),
        Body::File(bytes) => call.body(Bytes::from_owner(bytes.clone())),
        Body::Multipart(parts) => {
            let parts = parts.iter().map(|part| multipart_part(part, values));
            call.multipart(parts.collect::<Result<Vec<_>, _>>()?)
        }
    })
}

/// Says what the body is, unless the file does.
fn with_typed_body<'c>(
    call: Call<'c>,
    request: &Request,
    body: String,
    content_type: &str,
) -> Call<'c> {
    let mut names = request.headers.iter().map(|(name, _)| name);
    let is_typed = names.any(|name| name.eq_ignore_ascii_case("content-type"));
    let call = call.body(body);
    if is_typed { call } else { call.header("Content-Type", content_type) }
}

fn multipart_part(part: &MultipartPart, values: &impl Values) -> Result<Part, Unset> {
    let name = part.name.to_string();
    Ok(match &part.content {
        PartContent::Text(text) => Part::text(name, rendered(text, values)?),
        PartContent::File { file_name, media_type, bytes } => {
            let file_name = rendered(file_name, values)?;
            Part::file(name, file_name, media_type.to_string(), Bytes::from_owner(bytes.clone()))
        }
    })
}

/// The URL with its placeholders filled in: the first, if the URL begins with it, as it is, and others encoded.
fn url(request: &Request, values: &impl Values) -> Result<String, Unset> {
    let mut url = String::new();
    for (index, part) in request.url.parts().iter().enumerate() {
        push_placeholder(part, index == 0, values, &mut url)?;
    }
    Ok(url)
}

pub(super) fn pairs(pairs: &Pairs, values: &impl Values) -> Result<Vec<(String, String)>, Unset> {
    pairs.iter().map(|(name, value)| Ok((name.to_string(), rendered(value, values)?))).collect()
}
