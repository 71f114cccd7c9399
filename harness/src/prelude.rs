//! What a test written in Rust needs, in one line: `use loadr::prelude::*;`.
//!
//! Beside what is Locust's by name there are the things that most tests would otherwise have to name themselves: JSON
//! values, spans of time, the exit code of `main`, and [`clap`] for flags of one's own.

pub use std::process::ExitCode;
pub use std::time::Duration;

pub use clap;
pub use loadr_engine::client::session::{Part, Response};
pub use loadr_engine::client::websocket::{
    Latency, Matcher, Message, Outgoing, Pushes, SampleName, View, WebSocket, WebSocketOptions,
};
pub use loadr_engine::client::xmlrpc::{CallError, XmlRpcClient};
pub use loadr_engine::outcome::{Failure, FailureKind};
pub use loadr_engine::spawn::shape::{LoadShape, ShapeTick, Stage};
pub use loadr_engine::task::{TaskExit, TaskResult, WaitTime};
pub use loadr_engine::user::{Context, RequestEvent, Role, UserError};
/// XML-RPC's own values and faults: `xmlrpc::Value`, `xmlrpc::Fault`.
pub use loadr_protocols::xmlrpc;
pub use serde_json::{Value, json};

pub use crate::library::wait::{between, constant, constant_pacing, constant_throughput, poisson};
pub use crate::library::{
    Event, Feed, FeedError, Quitting, Sample, Task, TaskSet, Test, User, UserClass, UserKind,
    WebSocketUser, XmlRpcUser, task,
};
