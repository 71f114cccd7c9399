//! What each WebSocket route does, from its query.

use crate::query::{duration_ns, parameter};
use crate::route::number;
use crate::stats::RouteKind;

/// The shortest time between two pushes: 100 microseconds.
const EVERY_NS_MIN: u64 = 100_000;

/// A WebSocket route with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Echoes messages.
    Echo,
    /// Pushes `count` messages, one every so often, and echoes messages.
    Push { every_ns: u64, count: u64 },
    /// Pushes messages that want to be echoed.
    Keepalive { every_ns: u64 },
    /// Echoes so many messages and then closes with this code.
    Close { after: u64, code: u16 },
}

impl Plan {
    /// Decides about `/ws/NAME?query`; the error says how the route is used.
    pub(crate) fn parse(name: &str, query: &str) -> Option<Result<Self, &'static str>> {
        Some(match name {
            "push" => Self::push(query)
                .ok_or("/ws/push?every=MS[&count=N]: MS is 0.1 to 3600000, or such as 1.5s"),
            "keepalive" => every_ns(query)
                .map(|every_ns| Self::Keepalive { every_ns })
                .ok_or("/ws/keepalive?every=MS: MS is 0.1 to 3600000, or such as 1.5s"),
            "close" => Self::close(query)
                .ok_or("/ws/close?after=N[&code=C]: N is a number, C is 1000 to 4999"),
            _ => return None,
        })
    }

    fn push(query: &str) -> Option<Self> {
        let count = parameter(query, "count").map_or(Some(u64::MAX), number)?;
        Some(Self::Push { every_ns: every_ns(query)?, count })
    }

    fn close(query: &str) -> Option<Self> {
        let code = parameter(query, "code").map_or(Some(1000), number)?;
        let is_close = (1000..=4999).contains(&code);
        let after = number(parameter(query, "after")?)?;
        is_close.then_some(Self::Close { after, code })
    }

    pub(crate) fn kind(self) -> RouteKind {
        match self {
            Self::Echo => RouteKind::WebSocket,
            Self::Push { .. } => RouteKind::WebSocketPush,
            Self::Keepalive { .. } => RouteKind::WebSocketKeepalive,
            Self::Close { .. } => RouteKind::WebSocketClose,
        }
    }

    /// The time between pushes and how many there are to be, where there are any.
    pub(super) fn pushes(self) -> Option<(u64, u64)> {
        match self {
            Self::Push { every_ns, count } if count > 0 => Some((every_ns, count)),
            Self::Keepalive { every_ns } => Some((every_ns, u64::MAX)),
            _ => None,
        }
    }
}

fn every_ns(query: &str) -> Option<u64> {
    duration_ns(parameter(query, "every")?).filter(|&every_ns| every_ns >= EVERY_NS_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_decide() {
        let ms = 1_000_000;
        for (name, query, plan) in [
            ("push", "every=5", Plan::Push { every_ns: 5 * ms, count: u64::MAX }),
            ("push", "count=9&every=1s", Plan::Push { every_ns: 1000 * ms, count: 9 }),
            ("keepalive", "every=0.1", Plan::Keepalive { every_ns: EVERY_NS_MIN }),
            ("close", "after=0", Plan::Close { after: 0, code: 1000 }),
            ("close", "after=3&code=4001", Plan::Close { after: 3, code: 4001 }),
        ] {
            assert_eq!(Plan::parse(name, query), Some(Ok(plan)), "{name}?{query}");
        }
        assert_eq!(Plan::parse("pull", ""), None);
    }

    #[test]
    fn parameters_that_make_no_sense_are_told() {
        for (name, query) in [
            ("push", ""),
            ("push", "every=0"),
            ("push", "every=0.01"),
            ("push", "every=5&count=x"),
            ("keepalive", "every=2h"),
            ("close", ""),
            ("close", "after="),
            ("close", "after=1&code=999"),
            ("close", "after=1&code=5000"),
        ] {
            assert!(matches!(Plan::parse(name, query), Some(Err(_))), "{name}?{query}");
        }
    }
}
