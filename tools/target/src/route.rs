//! What a request target asks for.
//!
//! Parsing decides once, so that everything behind it works on checked numbers; the decision is
//! small and `Copy`, and is kept with the last request head seen (see `dialogue`).

use crate::law::{Draw, Law};
use crate::query::{duration_ns, parameter};
use crate::request::Method;
use crate::shop::Page;
use crate::stall::StallPlan;
use crate::websocket::Plan;

/// The largest body that `/bytes/N` and `/chunked/N` send: 1 GiB.
pub const BODY_BYTES_MAX: u64 = 1 << 30;

/// A decision, with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Root,
    Bytes(u64),
    Delay {
        ns: u64,
    },
    Status(u16),
    Chunked(u64),
    Echo,
    Close,
    Stall(StallPlan),
    RandomDelay(Draw),
    Count,
    Headers,
    WebSocket(Plan),
    XmlRpc,
    Shop(Page),
    NotFound,
    /// A known path whose parameter makes no sense; the text says which.
    BadParameter(&'static str),
}

impl Route {
    /// Decides about a request target in origin form or absolute form (RFC 9112, 3.2).
    pub(crate) fn parse(target: &str) -> Self {
        let target = origin_form(target);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let Some(path) = path.strip_prefix('/') else { return Self::NotFound };
        match path.split_once('/') {
            Some(("ws", name)) => Self::web_socket(name, query),
            Some((name, parameter)) => Self::with_parameter(name, parameter),
            None => Self::with_query(path, query),
        }
    }

    fn with_parameter(name: &str, text: &str) -> Self {
        let (route, usage) = match name {
            "bytes" => (body_bytes(text).map(Self::Bytes), "/bytes/N: N is 0 to 1073741824"),
            "chunked" => (body_bytes(text).map(Self::Chunked), "/chunked/N: N is 0 to 1073741824"),
            "delay" => (
                duration_ns(text).map(|ns| Self::Delay { ns }),
                "/delay/MS: MS is milliseconds, 0 to 3600000, or a duration such as 1.5s",
            ),
            "status" => (
                status(text).map(Self::Status),
                "/status/N: N is 100 to 999, without 101 (switching protocols)",
            ),
            _ => return Page::parse(name, Some(text)).map_or(Self::NotFound, Self::Shop),
        };
        route.unwrap_or(Self::BadParameter(usage))
    }

    fn with_query(path: &str, query: &str) -> Self {
        match path {
            "" => Self::Root,
            "echo" => Self::Echo,
            "close" => Self::Close,
            "count" => Self::Count,
            "headers" => Self::Headers,
            "ws" => Self::WebSocket(Plan::Echo),
            "RPC2" | "xmlrpc" => Self::XmlRpc,
            "stall" => stall(query).map_or(
                Self::BadParameter("/stall?after=DURATION&for=DURATION[&run=N], at most an hour"),
                Self::Stall,
            ),
            "random-delay" => random_delay(query).map_or(
                Self::BadParameter(
                    "/random-delay?law=fixed|exponential|bimodal|pareto&mean=MS[&seed=N]",
                ),
                Self::RandomDelay,
            ),
            _ => Page::parse(path, None).map_or(Self::NotFound, Self::Shop),
        }
    }

    fn web_socket(name: &str, query: &str) -> Self {
        match Plan::parse(name, query) {
            Some(plan) => plan.map_or_else(Self::BadParameter, Self::WebSocket),
            None => Self::NotFound,
        }
    }

    /// Whether the answer depends on more of the request head than the decision made about it.
    pub(crate) fn reads_head(self) -> bool {
        matches!(self, Self::Headers | Self::WebSocket(_) | Self::Shop(_))
    }

    /// Whether the answer depends on the body; others are read over.
    pub(crate) fn reads_body(self, method: Method) -> bool {
        match self {
            Self::Echo | Self::XmlRpc => true,
            Self::Shop(page) => page.reads_body(method),
            _ => false,
        }
    }
}

/// Takes scheme and authority off an absolute form; other targets are returned as they are.
pub(crate) fn origin_form(target: &str) -> &str {
    let Some((_, rest)) = target.split_once("://").filter(|_| !target.starts_with('/')) else {
        return target;
    };
    rest.find('/').map_or("/", |start| &rest[start..])
}

/// A number of digits only: `parse` alone would take a sign.
pub(crate) fn number<N: std::str::FromStr>(text: &str) -> Option<N> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn body_bytes(text: &str) -> Option<u64> {
    number(text).filter(|&bytes| bytes <= BODY_BYTES_MAX)
}

fn status(text: &str) -> Option<u16> {
    number(text).filter(|&status| (100..=999).contains(&status) && status != 101)
}

fn stall(query: &str) -> Option<StallPlan> {
    Some(StallPlan {
        after_ns: duration_ns(parameter(query, "after")?)?,
        for_ns: duration_ns(parameter(query, "for")?)?,
        run: parameter(query, "run").map_or(Some(0), number)?,
    })
}

fn random_delay(query: &str) -> Option<Draw> {
    Some(Draw {
        law: Law::parse(parameter(query, "law")?)?,
        mean_ns: duration_ns(parameter(query, "mean")?)?,
        seed: parameter(query, "seed").map_or(Some(0), number)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_decide() {
        for (target, route) in [
            ("/", Route::Root),
            ("/?a=b/c", Route::Root),
            ("http://host:80/?x", Route::Root),
            ("http://host", Route::Root),
            ("http://host/bytes/3", Route::Bytes(3)),
            ("/bytes/1073741824?x=1", Route::Bytes(BODY_BYTES_MAX)),
            ("/delay/0.5", Route::Delay { ns: 500_000 }),
            ("/status/599", Route::Status(599)),
            ("/chunked/0", Route::Chunked(0)),
            ("/echo?x", Route::Echo),
            ("/close", Route::Close),
            ("/count", Route::Count),
            ("/headers", Route::Headers),
            ("/ws", Route::WebSocket(Plan::Echo)),
            ("/ws/close?after=1", Route::WebSocket(Plan::Close { after: 1, code: 1000 })),
            ("/RPC2", Route::XmlRpc),
            ("/xmlrpc?x", Route::XmlRpc),
            ("/login?next=/", Route::Shop(Page::Login)),
            ("/products/7?a", Route::Shop(Page::Product(7))),
            ("/nothing", Route::NotFound),
            ("/bytes", Route::NotFound),
            ("/echo/1", Route::NotFound),
            ("/ws/pull", Route::NotFound),
            ("*", Route::NotFound),
            ("", Route::NotFound),
        ] {
            assert_eq!(Route::parse(target), route, "{target}");
        }
    }

    #[test]
    fn queries_decide() {
        assert_eq!(
            Route::parse("/stall?for=500ms&after=3s"),
            Route::Stall(StallPlan { after_ns: 3_000_000_000, for_ns: 500_000_000, run: 0 })
        );
        assert_eq!(
            Route::parse("/random-delay?law=pareto&mean=2&seed=9"),
            Route::RandomDelay(Draw { law: Law::Pareto, mean_ns: 2_000_000, seed: 9 })
        );
    }

    #[test]
    fn parameters_that_make_no_sense_are_told() {
        for target in [
            "/bytes/",
            "/bytes/-1",
            "/bytes/+1",
            "/bytes/1/2",
            "/bytes/1073741825",
            "/bytes/99999999999999999999",
            "/delay/-1",
            "/delay/2h",
            "/status/99",
            "/status/101",
            "/status/1000",
            "/stall",
            "/stall?after=1",
            "/stall?after=1&for=1&run=x",
            "/random-delay?law=normal&mean=1",
            "/random-delay?law=fixed",
            "/ws/push",
            "/ws/keepalive?every=0",
            "/ws/close?after=x",
        ] {
            assert!(matches!(Route::parse(target), Route::BadParameter(_)), "{target}");
        }
    }
}
