//! Sending a prepared call: its bytes with what the user adds, its response, its sample.

use std::cell::OnceCell;
use std::time::Duration;

use loadr_protocols::http1::SlotError;

use super::{Naming, PreparedCall, View};
use crate::client::http;
use crate::client::session::cookies::{Jar, Place};
use crate::client::session::hop::{Bounds, Collected, Tally, Wire};
use crate::client::session::outgoing::{Outgoing, redirect_of, unsendable};
use crate::client::session::{Personal, Sample, Scratch, Session, Verdict, unless_cancelled};
use crate::clock::nanos;
use crate::outcome::Failure;
use crate::record::EntryIndex;
use crate::user::Permit;

/// What became of a prepared call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreparedReply {
    /// The status code; 0 where there was no response.
    pub status: u16,
    /// It was recorded as a failure.
    pub failed: bool,
}

/// A prepared call at its end, before it is recorded.
struct Ended<'e> {
    permit: Permit,
    tally: &'e Tally,
    collected: &'e Collected,
    result: Result<http::Response, Failure>,
}

impl Session {
    /// Sends a prepared call with `values` in its slots and records what came of it.
    ///
    /// `outcome` sees the response before it is recorded, unless there is none, and may decide what it counts as. Like
    /// [`Call::send`](crate::client::session::Call::send) this waits for ever once no exchange is permitted any more.
    pub async fn send_prepared(
        &self,
        call: &PreparedCall,
        values: &[&[u8]],
        outcome: impl FnOnce(&View<'_>) -> Verdict,
    ) -> PreparedReply {
        let permit = self.permit().await;
        let mut scratch = self.take_scratch();
        let mut tally = Tally::default();
        // The coding of a body stands in the head.
        let mut collected = Collected {
            keep_head: call.reads.head || call.reads.body,
            keep_body: call.reads.body,
            head: std::mem::take(&mut scratch.head),
            body: std::mem::take(&mut scratch.body),
        };
        let wire = self.render(call, values, &mut scratch);
        let entry = self.entry_of(call, wire.as_ref().ok());
        let done = match wire {
            Ok(wire) => self.go_prepared(call, &wire, permit, &mut tally, &mut collected).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = &done {
            unless_cancelled(failure).await;
        }
        self.note_health(done.is_ok());
        let ended = Ended { permit, tally: &tally, collected: &collected, result: done };
        let reply = self.conclude(call, entry, ended, outcome);
        scratch.head = collected.head;
        scratch.body = collected.body;
        self.put_scratch(scratch);
        self.await_close(tally.closing).await;
        reply
    }

    /// Shows the response to `outcome` and records the sample.
    fn conclude(
        &self,
        call: &PreparedCall,
        entry: EntryIndex,
        ended: Ended<'_>,
        outcome: impl FnOnce(&View<'_>) -> Verdict,
    ) -> PreparedReply {
        let start_ns = ended.permit.start_ns;
        let (status, end_ns, body_bytes, failure) = match ended.result {
            Ok(response) => {
                let view = self.view(&response, start_ns, ended.collected);
                let verdict = outcome(&view);
                let by_status = call.status_rule.failure(response.status);
                let failure = verdict.settle(by_status.or_else(|| view.body_failure().cloned()));
                (response.status, response.end_ns, response.body_bytes, failure)
            }
            Err(failure) => (0, self.context.now_ns(), 0, Some(failure)),
        };
        let failure = failure.as_ref();
        let sample = Sample { start_ns, end_ns, body_bytes, tally: ended.tally, failure };
        self.record(entry, &sample);
        PreparedReply { status, failed: failure.is_some() }
    }

    fn view<'v>(
        &self,
        response: &http::Response,
        start_ns: u64,
        collected: &'v Collected,
    ) -> View<'v> {
        View {
            status: response.status,
            head: &collected.head,
            raw_body: &collected.body,
            decoded_bytes_max: self.session_options().body_bytes_max,
            decoded: OnceCell::new(),
            elapsed: Duration::from_nanos(response.end_ns.saturating_sub(start_ns)),
        }
    }

    fn entry_of(&self, call: &PreparedCall, wire: Option<&Wire>) -> EntryIndex {
        if let Naming::Given(entry) = call.naming {
            return entry;
        }
        let personal = self.state.personal.borrow();
        if let Some(name) = personal.as_ref().and_then(|personal| personal.request_name.as_deref())
        {
            return self.entry(&call.sample_type, name);
        }
        match call.naming {
            Naming::Given(entry) | Naming::Target(entry) => entry,
            Naming::Rendered => {
                let target = wire.map_or(&b""[..], |wire| target_of(&wire.bytes));
                self.entry(&call.sample_type, &String::from_utf8_lossy(target))
            }
        }
    }

    fn render(
        &self,
        call: &PreparedCall,
        values: &[&[u8]],
        scratch: &mut Scratch,
    ) -> Result<Wire, Failure> {
        let unrendered = |error: SlotError| unsendable(&error);
        let personal = self.state.personal.borrow();
        self.lines(call, values, personal.as_deref(), scratch).map_err(unrendered)?;
        let bytes = match &call.fixed {
            Some(fixed) if scratch.lines.is_empty() => fixed.clone(),
            _ => {
                let (lines, request) = (&scratch.lines, &mut scratch.request);
                call.template.render(values, lines, request).map_err(unrendered)?;
                request.split().freeze()
            }
        };
        Ok(Wire {
            bytes,
            kind: call.template.kind(),
            idempotent: call.idempotent,
            closes: call.template.closes(),
        })
    }

    /// Writes the header lines that this user adds.
    fn lines(
        &self,
        call: &PreparedCall,
        values: &[&[u8]],
        personal: Option<&Personal>,
        scratch: &mut Scratch,
    ) -> Result<(), SlotError> {
        scratch.lines.clear();
        let own = personal.map_or(&[][..], |personal| personal.headers.as_slice());
        let mut authorized = call.names("authorization");
        for (name, value) in own.iter().filter(|(name, _)| !call.names(name)) {
            authorized |= name.eq_ignore_ascii_case("authorization");
            put_line(&mut scratch.lines, name, value);
        }
        let host = self.state.settings.host.as_ref();
        if let Some(authorization) = host.and_then(|host| host.authorization.as_ref())
            && !authorized
        {
            put_line(&mut scratch.lines, "Authorization", authorization.as_bytes());
        }
        match personal.map(|personal| &personal.jar) {
            Some(jar) if !jar.is_empty() && !call.names("cookie") => {
                self.cookie_line(call, values, jar, scratch)
            }
            _ => Ok(()),
        }
    }

    fn cookie_line(
        &self,
        call: &PreparedCall,
        values: &[&[u8]],
        jar: &Jar,
        scratch: &mut Scratch,
    ) -> Result<(), SlotError> {
        let rendered;
        let path = match &call.path {
            Some(path) => path,
            None => {
                rendered = rendered_path(call, values, scratch)?;
                &rendered
            }
        };
        let lines = &mut scratch.lines;
        let before = lines.len();
        lines.extend_from_slice(b"Cookie: ");
        let empty = lines.len();
        let place = Place { host: &call.host, path, is_secure: call.is_secure };
        jar.write(place, self.context.now_ns(), lines);
        match lines.len() == empty {
            true => lines.truncate(before),
            false => lines.extend_from_slice(b"\r\n"),
        }
        Ok(())
    }

    async fn go_prepared(
        &self,
        call: &PreparedCall,
        wire: &Wire,
        permit: Permit,
        tally: &mut Tally,
        collected: &mut Collected,
    ) -> Result<http::Response, Failure> {
        let body_bytes_max = self.session_options().body_bytes_max as u64;
        let bounds = Bounds {
            deadline_ns: permit.start_ns.saturating_add(nanos(call.timeout)),
            timeout: call.timeout,
            // What is not kept may be as long as it likes.
            body_bytes_max: call.reads.body.then_some(body_bytes_max),
        };
        let response = self.hop(&call.origin, wire, &bounds, tally, collected).await?;
        if collected.head.is_empty() {
            return Ok(response);
        }
        let path = path_of(target_of(&wire.bytes));
        self.take_cookies(&call.host, &String::from_utf8_lossy(path), &collected.head);
        let reference = redirect_of(response.status, &collected.head).filter(|_| call.follow);
        let Some(reference) = reference else { return Ok(response) };
        let mut outgoing = Outgoing::of_wire(call.template.method().clone(), &call.origin, wire)?;
        self.redirect(&mut outgoing, response.status, reference)?;
        // Boxed, because every user's task would otherwise hold room for it.
        let followed = Box::pin(self.go(outgoing, true, &bounds, tally, collected));
        Ok(followed.await?.response)
    }
}

fn rendered_path(
    call: &PreparedCall,
    values: &[&[u8]],
    scratch: &mut Scratch,
) -> Result<String, SlotError> {
    call.template.render(values, b"", &mut scratch.request)?;
    let path = String::from_utf8_lossy(path_of(target_of(&scratch.request))).into_owned();
    scratch.request.clear();
    Ok(path)
}

/// The second word of a request's first line.
fn target_of(request: &[u8]) -> &[u8] {
    request.split(|&byte| byte == b' ').nth(1).unwrap_or_default()
}

fn path_of(target: &[u8]) -> &[u8] {
    target.split(|&byte| byte == b'?').next().unwrap_or_default()
}

fn put_line(lines: &mut Vec<u8>, name: &str, value: &[u8]) {
    for piece in [name.as_bytes(), b": ", value, b"\r\n"] {
        lines.extend_from_slice(piece);
    }
}
