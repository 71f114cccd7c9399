//! The server side of WebSocket (RFC 6455), written for the target itself.
//!
//! A session is the part of a connection's dialogue that follows the upgrade: frames in, frames
//! out. A message that lies whole in the input, as nearly all do, is unmasked into the output
//! behind its new header and never stored; only what is fragmented, or too long to wait for in the
//! input, is put together in memory. Extensions are declined by not naming them.

mod frame;
mod handshake;
mod plan;

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use self::frame::{Header, Opcode, Violation};
pub(crate) use self::handshake::NoUpgrade;
pub(crate) use self::plan::Plan;
use crate::answer::INLINE_BYTES_MAX;
use crate::body::COLLECTED_BYTES_MAX;
use crate::dialogue::OUTPUT_BYTES_HIGH;
use crate::stats::ThreadCounts;
use crate::tail::Tail;
use crate::timer::now_ns;

/// Frames with a payload up to this size are waited for in the input.
const WHOLE_BYTES_MAX: u64 = 16 * 1024;

const TOO_BIG: Violation =
    Violation { code: frame::TOO_BIG, reason: "a message may have 16777216 bytes" };
const NOT_UTF8: Violation = Violation { code: frame::NOT_UTF8, reason: "text is not UTF-8" };

/// The answer to a keep-alive message that came back.
const KEPT_ALIVE: &[u8] = br#"{"type":"ok"}"#;

/// One WebSocket connection after its handshake.
#[derive(Debug)]
pub(crate) struct Session {
    plan: Plan,
    /// Messages answered.
    answered: u64,
    pushed: u64,
    /// When the next push is due; `None` if there is none.
    alarm_ns: Option<u64>,
    /// The number of the last keep-alive message that was echoed, counted from 1.
    kept_alive: u64,
    /// The message that is being put together.
    assembly: Option<Assembly>,
}

/// A message of which not all has come.
#[derive(Debug)]
struct Assembly {
    opcode: Opcode,
    content: Vec<u8>,
    /// The frame that is being read.
    frame: Header,
    /// Bytes of that frame's payload that have come.
    frame_bytes: u64,
}

/// What a session needs before it can go on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// More input than there is.
    Input,
    /// That the output is sent.
    Sent,
    /// That the output and then this is sent.
    Tail(Tail),
    /// Nothing: a close frame is in the output. The client may be sending still if the close came
    /// from this side.
    Ended { midway: bool },
}

/// What one frame came to, if the session cannot just go on with the next.
type Outcome = Result<(usize, Option<Step>), Violation>;

impl Session {
    /// Answers the opening handshake in `head` and begins; an `/ws/close?after=0` has ended then.
    pub(crate) fn open(
        plan: Plan,
        head: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(Self, Option<Step>), NoUpgrade> {
        let opening = handshake::read(head)?;
        out.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n");
        out.extend_from_slice(b"Connection: Upgrade\r\nSec-WebSocket-Accept: ");
        out.extend_from_slice(opening.accept_key.as_bytes());
        if let Some(subprotocol) = opening.subprotocol {
            out.extend_from_slice(b"\r\nSec-WebSocket-Protocol: ");
            out.extend_from_slice(subprotocol.as_bytes());
        }
        out.extend_from_slice(b"\r\n\r\n");
        let alarm_ns = plan.pushes().map(|(every_ns, _)| now_ns() + every_ns);
        let session =
            Self { plan, answered: 0, pushed: 0, alarm_ns, kept_alive: 0, assembly: None };
        let ended = session.close_if_due(out);
        Ok((session, ended))
    }

    /// When [`alarm`](Self::alarm) is to be called next.
    pub(crate) fn alarm_ns(&self) -> Option<u64> {
        self.alarm_ns
    }

    /// Pushes the message that is due, unless earlier output is not sent yet: a client that does
    /// not read gets its pushes later, and fewer of them.
    pub(crate) fn alarm(
        &mut self,
        is_blocked: bool,
        counts: &ThreadCounts,
        out: &mut Vec<u8>,
    ) -> Option<u64> {
        let ((every_ns, count), due_ns) = (self.plan.pushes()?, self.alarm_ns?);
        if is_blocked {
            self.alarm_ns = Some(now_ns() + every_ns);
            return self.alarm_ns;
        }
        self.write_push(out);
        counts.count_pushed(self.plan.kind());
        self.pushed += 1;
        self.alarm_ns = (self.pushed < count).then_some(due_ns + every_ns);
        self.alarm_ns
    }

    fn write_push(&self, out: &mut Vec<u8>) {
        let name = if matches!(self.plan, Plan::Keepalive { .. }) { "keepalive" } else { "push" };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (id, ms) = (self.pushed + 1, since.as_secs_f64() * 1e3);
        let text = format!(r#"{{"type":"{name}","id":{id},"sent_ms":{ms:.3}}}"#);
        frame::write(Opcode::Text, text.as_bytes(), out);
    }

    /// Answers what it can of `input`: how many bytes of it are done with, and what has to happen
    /// before the rest.
    pub(crate) fn read(
        &mut self,
        input: &[u8],
        counts: &ThreadCounts,
        out: &mut Vec<u8>,
    ) -> (usize, Step) {
        let (mut used, answered_before) = (0, self.answered);
        let step = loop {
            if out.len() >= OUTPUT_BYTES_HIGH {
                break Step::Sent;
            }
            match self.step(&input[used..], out) {
                Ok((taken, step)) => {
                    used += taken;
                    if let Some(step) = step {
                        break step;
                    }
                }
                Err(violation) => {
                    frame::write_close(violation.code, violation.reason, out);
                    break Step::Ended { midway: true };
                }
            }
        };
        counts.count_messages(self.plan.kind(), self.answered - answered_before);
        (if matches!(step, Step::Ended { .. }) { input.len() } else { used }, step)
    }

    #[inline]
    fn step(&mut self, input: &[u8], out: &mut Vec<u8>) -> Outcome {
        if let Some(assembly) = &mut self.assembly
            && assembly.frame_bytes < assembly.frame.payload_len
        {
            let taken = assembly.collect(input);
            return self.finish_frame(taken, out);
        }
        let Some(header) = Header::read(input)? else { return Ok((0, Some(Step::Input))) };
        let payload = &input[header.len..];
        let is_whole = header.payload_len <= payload.len() as u64;
        if !is_whole && header.payload_len <= WHOLE_BYTES_MAX {
            return Ok((0, Some(Step::Input)));
        }
        if header.opcode.is_control() {
            return self.control(header, &payload[..header.payload_len as usize], out);
        }
        let is_message = header.is_last && header.opcode != Opcode::Continuation;
        if is_message && is_whole && self.assembly.is_none() {
            return self.message(header, &payload[..header.payload_len as usize], out);
        }
        self.begin_frame(header)?;
        Ok((header.len, if header.payload_len == 0 { self.finish_frame(0, out)?.1 } else { None }))
    }

    /// Answers a message that lies whole in the input.
    #[inline]
    fn message(&mut self, header: Header, payload: &[u8], out: &mut Vec<u8>) -> Outcome {
        let start = out.len();
        frame::write_header(header.opcode, payload.len(), out);
        let content = out.len();
        frame::unmask(payload, header.mask, 0, out);
        if header.opcode == Opcode::Text && std::str::from_utf8(&out[content..]).is_err() {
            out.truncate(start);
            return Err(NOT_UTF8);
        }
        if let Plan::Keepalive { .. } = self.plan {
            let is_echo = self.is_keepalive_echo(&out[content..]);
            out.truncate(start);
            self.answer_keepalive(is_echo, out);
        } else {
            self.answered += 1;
        }
        Ok((header.len + payload.len(), self.close_if_due(out)))
    }

    fn begin_frame(&mut self, header: Header) -> Result<(), Violation> {
        let is_continuation = header.opcode == Opcode::Continuation;
        let so_far = match &mut self.assembly {
            Some(assembly) if is_continuation => {
                (assembly.frame, assembly.frame_bytes) = (header, 0);
                assembly.content.len() as u64
            }
            Some(_) => return Err(Violation::protocol("a message begins within another")),
            None if is_continuation => {
                return Err(Violation::protocol("there is no message to continue"));
            }
            None => {
                let opcode = header.opcode;
                let content = Vec::new();
                self.assembly = Some(Assembly { opcode, content, frame: header, frame_bytes: 0 });
                0
            }
        };
        if header.payload_len > COLLECTED_BYTES_MAX as u64 - so_far {
            return Err(TOO_BIG);
        }
        Ok(())
    }

    /// Goes on after `taken` bytes of a frame, and answers the message if that was its end.
    fn finish_frame(&mut self, taken: usize, out: &mut Vec<u8>) -> Outcome {
        let Some(assembly) = &self.assembly else { return Ok((taken, None)) };
        if assembly.frame_bytes < assembly.frame.payload_len {
            return Ok((taken, Some(Step::Input)));
        }
        if !assembly.frame.is_last {
            return Ok((taken, None));
        }
        match self.assembly.take() {
            Some(assembly) => Ok((taken, self.answer_assembly(assembly, out)?)),
            None => Ok((taken, None)),
        }
    }

    fn answer_assembly(
        &mut self,
        assembly: Assembly,
        out: &mut Vec<u8>,
    ) -> Result<Option<Step>, Violation> {
        let Assembly { opcode, content, .. } = assembly;
        if opcode == Opcode::Text && std::str::from_utf8(&content).is_err() {
            return Err(NOT_UTF8);
        }
        if let Plan::Keepalive { .. } = self.plan {
            let is_echo = self.is_keepalive_echo(&content);
            self.answer_keepalive(is_echo, out);
            return Ok(None);
        }
        self.answered += 1;
        frame::write_header(opcode, content.len(), out);
        // What closes after it has to be written before its close frame.
        if content.len() > INLINE_BYTES_MAX && !matches!(self.plan, Plan::Close { .. }) {
            return Ok(Some(Step::Tail(Tail::Echo { body: content, sent: 0 })));
        }
        out.extend_from_slice(&content);
        Ok(self.close_if_due(out))
    }

    fn control(&mut self, header: Header, payload: &[u8], out: &mut Vec<u8>) -> Outcome {
        let used = header.len + payload.len();
        match header.opcode {
            Opcode::Ping => {
                frame::write_header(Opcode::Pong, payload.len(), out);
                frame::unmask(payload, header.mask, 0, out);
            }
            Opcode::Close => {
                let mut content = Vec::with_capacity(payload.len());
                frame::unmask(payload, header.mask, 0, &mut content);
                write_close_reply(&content, out)?;
                return Ok((used, Some(Step::Ended { midway: false })));
            }
            _ => {}
        }
        Ok((used, None))
    }

    /// Whether `content` is a keep-alive message that was pushed and has not come back before,
    /// however its JSON is written.
    fn is_keepalive_echo(&mut self, content: &[u8]) -> bool {
        let Ok(message) = serde_json::from_slice::<Value>(content) else { return false };
        let is_keepalive = message["type"] == "keepalive";
        let Some(id) = message["id"].as_u64().filter(|_| is_keepalive) else { return false };
        let is_due = self.kept_alive < id && id <= self.pushed;
        if is_due {
            self.kept_alive = id;
        }
        is_due
    }

    fn answer_keepalive(&mut self, is_echo: bool, out: &mut Vec<u8>) {
        if is_echo {
            frame::write(Opcode::Text, KEPT_ALIVE, out);
            self.answered += 1;
        }
    }

    fn close_if_due(&self, out: &mut Vec<u8>) -> Option<Step> {
        match self.plan {
            Plan::Close { after, code } if self.answered >= after => {
                frame::write_close(code, "closed as asked for", out);
                Some(Step::Ended { midway: true })
            }
            _ => None,
        }
    }
}

impl Assembly {
    /// Takes what `input` has of the frame.
    fn collect(&mut self, input: &[u8]) -> usize {
        let left = self.frame.payload_len - self.frame_bytes;
        let taken = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        let offset = (self.frame_bytes % 4) as usize;
        frame::unmask(&input[..taken], self.frame.mask, offset, &mut self.content);
        self.frame_bytes += taken as u64;
        taken
    }
}

/// Answers a close frame with its own code (RFC 6455, 5.5.1 and 7.4).
fn write_close_reply(content: &[u8], out: &mut Vec<u8>) -> Result<(), Violation> {
    let Some((code, reason)) = content.split_first_chunk() else {
        if !content.is_empty() {
            return Err(Violation::protocol("a close code has two bytes"));
        }
        frame::write_header(Opcode::Close, 0, out);
        return Ok(());
    };
    let code = u16::from_be_bytes(*code);
    if !frame::is_sendable(code) {
        return Err(Violation::protocol("that close code is never sent"));
    }
    std::str::from_utf8(reason).map_err(|_| NOT_UTF8)?;
    frame::write_close(code, "", out);
    Ok(())
}

#[cfg(test)]
mod tests;
