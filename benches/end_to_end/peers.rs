//! The generators that are compared: how each is told to make a load, and what it says of it.

mod claim;
mod invocation;
mod loadr;
mod others;

use std::fmt::{self, Display};

use crate::machine::first_line;

pub use claim::{Claim, ClaimError};
pub use invocation::{Invocation, InvocationError, Setting, write_files};

/// What generators of WebSocket send: five bytes.
const WEBSOCKET_MESSAGE: &str = "hello";
/// Where the target sends it back.
const WEBSOCKET_PATH: &str = "/ws";

/// One generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// The bare io_uring loop of this project.
    Floor,
    /// The yardstick.
    Wrk,
    /// loadr-bench on monoio's io_uring driver.
    LoadrMonoio,
    /// loadr-bench on monoio's epoll driver.
    LoadrMonoioEpoll,
    /// loadr-bench on glommio.
    LoadrGlommio,
    /// loadr-bench on monoio, as a scenario file says.
    LoadrScenario,
    /// loadr-bench over plain HTTP, where others of its rows speak something else.
    LoadrHttp,
    /// loadr-bench over TLS.
    LoadrTls,
    /// wrk over TLS.
    WrkTls,
    /// loadr-bench with a full handshake for each connection.
    LoadrFull,
    /// loadr-bench with resumed sessions.
    LoadrResumed,
    /// OpenSSL's own measure, with full handshakes.
    OpensslNew,
    /// The same with resumed sessions.
    OpensslReuse,
    /// loadr-bench with messages over WebSocket.
    LoadrWebSocket,
    /// The client of the Python package.
    PythonWebsockets,
    /// The client of the npm package.
    NpmWs,
    /// The example on loadr's library.
    LoadrRedis,
    /// Redis' own generator.
    RedisBenchmark,
}

impl Peer {
    /// Name in tables and raw data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Wrk => "wrk",
            Self::LoadrMonoio => "loadr-bench monoio",
            Self::LoadrMonoioEpoll => "loadr-bench monoio-epoll",
            Self::LoadrGlommio => "loadr-bench glommio",
            Self::LoadrScenario => "loadr-bench scenario",
            Self::LoadrHttp => "loadr-bench http",
            Self::LoadrTls => "loadr-bench https",
            Self::WrkTls => "wrk https",
            Self::LoadrFull => "loadr-bench full",
            Self::LoadrResumed => "loadr-bench resumed",
            Self::OpensslNew => "openssl s_time -new",
            Self::OpensslReuse => "openssl s_time -reuse",
            Self::LoadrWebSocket => "loadr-bench ws",
            Self::PythonWebsockets => "python websockets",
            Self::NpmWs => "npm ws",
            Self::LoadrRedis => "loadr example redis",
            Self::RedisBenchmark => "redis-benchmark",
        }
    }

    /// Whether it puts its load on the server that speaks TLS.
    pub fn speaks_tls(self) -> bool {
        matches!(
            self,
            Self::LoadrTls
                | Self::WrkTls
                | Self::LoadrFull
                | Self::LoadrResumed
                | Self::OpensslNew
                | Self::OpensslReuse
        )
    }

    /// Whether it has but one connection at a time, so that neither side is ever busy.
    pub fn is_serial(self) -> bool {
        matches!(self, Self::OpensslNew | Self::OpensslReuse)
    }

    /// Whether its sessions are meant to be resumed.
    pub fn resumes(self) -> bool {
        matches!(self, Self::LoadrResumed | Self::OpensslReuse)
    }

    /// Whether it spends its first moments on reading its own program, which is not the load's cost.
    pub fn is_interpreted(self) -> bool {
        matches!(self, Self::PythonWebsockets | Self::NpmWs)
    }

    /// What it says of its version, where that is not known of the comparison as a whole.
    pub fn version(self) -> Option<String> {
        match self {
            Self::OpensslNew => first_line("openssl", "version"),
            Self::NpmWs => first_line("node", "--version").map(|version| format!("Node {version}")),
            _ => None,
        }
    }
}

impl Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
