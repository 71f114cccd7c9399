//! `ws://` and `wss://` URLs: the handshake and the message.

use loadr_protocols::websocket::{DeflateOffer, MessageKind, PreparedMessage, UpgradeBuilder};

use super::PlanError;
use super::urls::parse_headers;
use crate::cli::args::LoadArgs;
use crate::cli::target_url::TargetUrl;
use crate::url_mode::WebSocketExchange;

/// A message that cannot be sent, or flags that mean nothing to WebSocket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebSocketError {
    #[error("{path} is not UTF-8 and text is: send it with --binary")]
    NotText { path: String },
    #[error("{flag} is for http:// and https:// URLs: a WebSocket sends --message")]
    HttpOnly { flag: &'static str },
    #[error("{flag} is for ws:// and wss:// URLs")]
    WebSocketOnly { flag: &'static str },
    #[error("--{flag} without --message: a user that only listens has nothing to send")]
    NothingToSend { flag: &'static str },
}

/// What the users of a URL do.
pub(super) fn websocket_exchange(
    args: &LoadArgs,
    url: &TargetUrl,
) -> Result<WebSocketExchange, PlanError> {
    refuse_http_flags(args)?;
    let message = message(args)?;
    if message.is_none() {
        let needless = [(args.websocket.binary, "binary"), (args.no_keepalive, "no-keepalive")];
        if let Some((_, flag)) = needless.into_iter().find(|(given, _)| *given) {
            return Err(WebSocketError::NothingToSend { flag }.into());
        }
    }
    let kind = if args.websocket.binary { MessageKind::Binary } else { MessageKind::Text };
    let prepared =
        |deflate| message.as_ref().map(|payload| PreparedMessage::new(kind, payload, deflate));
    Ok(WebSocketExchange {
        upgrade: upgrade(args, url)?,
        message: prepared(false),
        compressed: if args.websocket.compress { prepared(true) } else { None },
    })
}

/// Refuses flags of WebSocket where no URL speaks it.
pub(super) fn refuse_websocket_flags(args: &LoadArgs) -> Result<(), PlanError> {
    match args.websocket.first_given() {
        Some(flag) => Err(WebSocketError::WebSocketOnly { flag }.into()),
        None => Ok(()),
    }
}

fn refuse_http_flags(args: &LoadArgs) -> Result<(), PlanError> {
    let given = [
        (args.pipeline > 1, "--pipeline"),
        (args.method != "GET", "--method"),
        (args.body.is_some(), "--body"),
        (args.body_file.is_some(), "--body-file"),
        (!args.expect_status.is_empty(), "--expect-status"),
    ];
    match given.into_iter().find(|(is_given, _)| *is_given) {
        Some((_, flag)) => Err(WebSocketError::HttpOnly { flag }.into()),
        None => Ok(()),
    }
}

fn message(args: &LoadArgs) -> Result<Option<Vec<u8>>, PlanError> {
    let websocket = &args.websocket;
    let Some(path) = &websocket.message_file else {
        return Ok(websocket.message.as_ref().map(|text| text.clone().into_bytes()));
    };
    let bytes = std::fs::read(path)
        .map_err(|source| PlanError::Unreadable { path: path.clone(), source })?;
    if !websocket.binary && std::str::from_utf8(&bytes).is_err() {
        return Err(WebSocketError::NotText { path: path.display().to_string() }.into());
    }
    Ok(Some(bytes))
}

fn upgrade(
    args: &LoadArgs,
    url: &TargetUrl,
) -> Result<loadr_protocols::websocket::Upgrade, PlanError> {
    let given = parse_headers(&args.header)?;
    let value = |wanted: &str| {
        given.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| *value)
    };
    let host = value("host").unwrap_or(&url.authority);
    let mut builder = UpgradeBuilder::new(host, &url.path_and_query);
    if value("user-agent").is_none() {
        builder = builder.header("User-Agent", concat!("loadr-bench/", env!("CARGO_PKG_VERSION")));
    }
    if let Some(authorization) = &url.authorization
        && value("authorization").is_none()
    {
        builder = builder.header("Authorization", authorization);
    }
    for (name, value) in given.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("host")) {
        builder = builder.header(*name, value);
    }
    for name in &args.websocket.subprotocol {
        builder = builder.subprotocol(name);
    }
    if args.websocket.compress {
        builder = builder.deflate(DeflateOffer::default());
    }
    Ok(builder.build()?)
}
