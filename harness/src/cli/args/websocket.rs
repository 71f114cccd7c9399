//! What is done with `ws://` and `wss://` URLs.

use std::path::PathBuf;

use clap::Args as ClapArgs;

/// The message, and what the connection is asked for.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(crate) struct WebSocketArgs {
    /// Message to send over and over, each time when the next message has come; without one, users listen and count what comes
    #[arg(long, value_name = "TEXT", help_heading = "WebSocket", conflicts_with = "message_file")]
    pub(crate) message: Option<String>,

    /// Message to send, from FILE
    #[arg(long, value_name = "FILE", help_heading = "WebSocket")]
    pub(crate) message_file: Option<PathBuf>,

    /// Send the message as binary; otherwise it is text
    #[arg(long, help_heading = "WebSocket")]
    pub(crate) binary: bool,

    /// Subprotocol to offer; repeatable, the most wanted first
    #[arg(long, value_name = "NAME", help_heading = "WebSocket")]
    pub(crate) subprotocol: Vec<String>,

    /// Offer compression (permessage-deflate)
    #[arg(long, help_heading = "WebSocket")]
    pub(crate) compress: bool,
}

impl WebSocketArgs {
    /// The first flag given that means nothing to other URLs.
    pub(crate) fn first_given(&self) -> Option<&'static str> {
        let given = [
            (self.message.is_some(), "--message"),
            (self.message_file.is_some(), "--message-file"),
            (self.binary, "--binary"),
            (!self.subprotocol.is_empty(), "--subprotocol"),
            (self.compress, "--compress"),
        ];
        given.into_iter().find(|(is_given, _)| *is_given).map(|(_, flag)| flag)
    }
}
