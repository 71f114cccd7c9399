//! Steps: what a task does, compiled.
//!
//! Defaults, names of groups and parameters of commands are worked in by now, so that each step stands by itself.

pub mod websocket;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::condition::Condition;
use super::expect::{Expect, Extract};
use super::model::EntrySlot;
use super::rpc::{CallTemplate, Rpc};
use super::template::{Part, Template, VariableSlot};
use super::value::{JsonTemplate, ValueTemplate};
use websocket::SocketStep;

/// Names with values, in the order of the file; a name may come several times.
pub type Pairs = Box<[(Box<str>, Template)]>;

/// Steps that run in order.
pub type Steps = Box<[Step]>;

/// One thing that a task does.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sends a request.
    Request(Box<Request>),
    /// Asks again and again until an operation has ended.
    Poll(Box<Poll>),
    /// Does something with the user's WebSocket.
    WebSocket(Box<SocketStep>),
    /// Runs a program.
    Command(Box<Command>),
    /// Has the class's driver do something.
    DriverCall(Box<DriverCall>),
    /// Runs steps beside the task, on a copy of the variables; they end with the user.
    Background(Steps),
    /// Pauses.
    Think(Think),
    /// Gives variables values, in order.
    Set(Box<[(VariableSlot, ValueTemplate)]>),
    /// Runs steps again and again.
    Repeat(Box<Repeat>),
    /// Runs one of two lists of steps.
    If(Box<Branch>),
    /// Writes a line to the log.
    Log(Template),
    /// Ends the task as failed, with this message.
    Fail(Template),
    /// Ends the task, or more than it.
    Exit(Exit),
}

/// How a step ends what it is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Leaves the task set; the set around it picks its next task at once, or else waits first.
    Interrupt {
        /// At once.
        reschedule: bool,
    },
    /// Ends the task; the next one comes at once, or else after the wait.
    Reschedule {
        /// At once.
        immediately: bool,
    },
    /// Ends the user.
    StopUser,
    /// Ends the run.
    StopTest,
}

/// A pause within a task, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Think {
    /// The same every time.
    Constant(f64),
    /// From the first up to the second.
    Between(f64, f64),
}

/// Steps to run again and again.
#[derive(Clone, Debug)]
pub struct Repeat {
    /// How many rounds there are at most.
    pub times: Option<ValueTemplate>,
    /// What else ends it.
    pub condition: Option<LoopCondition>,
    /// One round.
    pub steps: Steps,
}

/// What ends a loop.
#[derive(Clone, Debug)]
pub enum LoopCondition {
    /// Asked before each round, which there is only if it holds.
    While(Condition),
    /// Asked after each round, which is the last if it holds.
    Until(Condition),
}

/// Two ways to go on.
#[derive(Clone, Debug)]
pub struct Branch {
    /// Decides.
    pub condition: Condition,
    /// Where it holds.
    pub then: Steps,
    /// Where it does not.
    pub otherwise: Steps,
}

/// A request, its response's checks, and what is kept of it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Absolute, or appended to the host.
    pub url: Template,
    /// What it is counted under.
    pub name: RequestName,
    /// Query parameters, appended to the URL's own; to be percent-encoded.
    pub query: Pairs,
    /// Headers, those of the file and the class included; a later one never has the name of an earlier one.
    pub headers: Pairs,
    /// The body.
    pub body: Body,
    /// Credentials.
    pub auth: Option<Auth>,
    /// Longest time to the end of the response.
    pub timeout: Option<Duration>,
    /// Whether redirects are followed; if not said, as the client does for the method.
    pub redirects: Option<bool>,
    /// Whether the connection may be used again.
    pub keep_alive: bool,
    /// What makes the response a success.
    pub expect: Expect,
    /// What is kept of the response.
    pub extract: Box<[Extract]>,
    /// Whether `expect` or `extract` look at the body, decoded.
    pub reads_body: bool,
    /// What makes it a call of XML-RPC, if it is one; its result is what `expect` and `extract` see as JSON then.
    pub rpc: Option<Box<Rpc>>,
}

impl Request {
    /// Whether its URL names a host of its own, whatever its placeholders come to.
    pub fn is_whole_url(&self) -> bool {
        match self.url.parts().first() {
            Some(Part::Literal(text)) => {
                ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme))
            }
            _ => false,
        }
    }
}

/// Methods that steps can send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
    /// PUT
    Put,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
    /// HEAD
    Head,
    /// OPTIONS
    Options,
}

impl Method {
    /// Every method, with the key of its step.
    pub(super) const KEYS: [(&'static str, Method); 7] = [
        ("get", Method::Get),
        ("post", Method::Post),
        ("put", Method::Put),
        ("patch", Method::Patch),
        ("delete", Method::Delete),
        ("head", Method::Head),
        ("options", Method::Options),
    ];

    /// As it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
        }
    }
}

/// What a request is counted under.
#[derive(Clone, Debug, PartialEq)]
pub enum RequestName {
    /// Always the same entry.
    Fixed(EntrySlot),
    /// An entry for each name that this comes to.
    Rendered(Template),
}

/// A request's body.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// None.
    Empty,
    /// `application/x-www-form-urlencoded`, to be encoded.
    Form(Pairs),
    /// `application/json`.
    Json(JsonTemplate),
    /// Text as it is.
    Text(Template),
    /// `text/xml`: a call of XML-RPC.
    XmlRpc(CallTemplate),
    /// A file's bytes.
    File(Arc<[u8]>),
    /// `multipart/form-data`.
    Multipart(Box<[MultipartPart]>),
}

/// One field of a multipart form.
#[derive(Clone, Debug, PartialEq)]
pub struct MultipartPart {
    /// The field's name.
    pub name: Box<str>,
    /// Its content.
    pub content: PartContent,
}

/// What a field of a multipart form holds.
#[derive(Clone, Debug, PartialEq)]
pub enum PartContent {
    /// Text.
    Text(Template),
    /// A file.
    File {
        /// The name that the target is told.
        file_name: Template,
        /// Its media type.
        media_type: Box<str>,
        /// Its content.
        bytes: Arc<[u8]>,
    },
}

/// Credentials sent with a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Auth {
    /// `Authorization: Basic`.
    Basic {
        /// User.
        user: Template,
        /// Password.
        password: Template,
    },
    /// `Authorization: Bearer`.
    Bearer(Template),
}

/// Asks a target how an operation is going until it has ended, and counts that as one measured operation.
///
/// The operation's time runs from the step's beginning to the response that showed its end.
#[derive(Clone, Debug)]
pub struct Poll {
    /// What the operation is counted under.
    pub entry: EntrySlot,
    /// What is sent each time; counted as a request of its own.
    pub request: Request,
    /// Pause between a response and the next request.
    pub every: Duration,
    /// The operation has failed if it takes longer.
    pub timeout: Duration,
    /// The operation has ended well.
    pub until: Expect,
    /// The operation has ended badly; asked first.
    pub fail: Option<Expect>,
    /// Kept of the response that showed the good end.
    pub extract: Box<[Extract]>,
}

/// A program to run, off the shard; exit code 0, or one of those listed, is success.
#[derive(Clone, Debug)]
pub struct Command {
    /// What it is counted under.
    pub entry: EntrySlot,
    /// The program, which is looked up in `PATH`, and its arguments.
    pub arguments: Box<[Template]>,
    /// Variables added to the environment.
    pub environment: Pairs,
    /// Where it runs.
    pub folder: PathBuf,
    /// It is ended, and has failed, if it takes longer.
    pub timeout: Option<Duration>,
    /// Exit codes of success.
    pub exit_codes: Box<[i32]>,
}

/// A call that the class's driver answers.
#[derive(Clone, Debug)]
pub struct DriverCall {
    /// What it is counted under.
    pub entry: EntrySlot,
    /// What the driver is to do.
    pub call: Box<str>,
    /// With what.
    pub params: JsonTemplate,
    /// Longest time to the answer, the driver's own if not said.
    pub timeout: Option<Duration>,
    /// What makes the answer a success; its result is the body.
    pub expect: Expect,
    /// What is kept of the answer.
    pub extract: Box<[Extract]>,
}
