//! The generators that are compared: how each is told to make a load, and what it says of it.

mod claim;
mod invocation;
mod loadr;

use std::fmt::{self, Display};

pub use claim::{Claim, ClaimError};
pub use invocation::{Invocation, Setting, write_files};

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
        }
    }

    /// Whether it puts its load on the server that speaks TLS.
    pub fn speaks_tls(self) -> bool {
        false
    }
}

impl Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
