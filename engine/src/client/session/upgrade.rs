//! Handshakes of WebSockets: asked for by the user that the session is of, with its cookies and credentials.

use std::rc::Rc;

use loadr_protocols::http1::Method;
use loadr_protocols::websocket::{DeflateOffer, UpgradeBuilder};

use super::Session;
use super::location::Location;
use super::outgoing::{Outgoing, unsendable};
use crate::client::websocket::{Route, WebSocket, WebSocketOptions, WebSocketSettings};
use crate::outcome::Failure;

/// What a handshake has besides what its session sends with every request.
#[derive(Clone, Debug, Default)]
pub struct UpgradeParts {
    /// Pairs that are added to the URL's query, to be encoded.
    pub query: Vec<(String, String)>,
    /// Header fields, which go before the session's of the same name.
    pub headers: Vec<(String, String)>,
    /// Subprotocols offered, the most wanted first.
    pub subprotocols: Vec<String>,
    /// Compression, if it is offered.
    pub deflate: Option<DeflateOffer>,
}

impl Session {
    /// A WebSocket at `url`, which is given as to [`Self::route`]. Nothing is connected yet; what its upgrade sends of the
    /// user's cookies is what the session has now, and TLS is spoken as the session speaks it, whatever the options say.
    ///
    /// # Errors
    /// As [`Self::route`].
    pub fn websocket(&self, url: &str, options: WebSocketOptions) -> Result<WebSocket, Failure> {
        let parts = UpgradeParts {
            query: Vec::new(),
            headers: options.headers.clone(),
            subprotocols: options.subprotocols.clone(),
            deflate: options.deflate,
        };
        let route = self.route(url, &parts)?;
        let settings = WebSocketSettings::without_place(&self.context.shard_context(), options);
        let socket = WebSocket::new(self.context.clone(), settings);
        socket.set_route(Some(route));
        Ok(socket)
    }

    /// The way to a WebSocket: `url` is a path, appended to the host and as secure as that is, or begins with `ws://` or
    /// `wss://`. The session's header fields and those of its cookies and credentials that are for there go with it; the
    /// place is resolved now where it is not known, as for a call.
    ///
    /// # Errors
    /// The URL leads nowhere, or something cannot stand in a request.
    pub fn route(&self, url: &str, parts: &UpgradeParts) -> Result<Route, Failure> {
        let mut location = Location::of_socket(self.state.settings.host_text(), url)?;
        location.add_query(&parts.query);
        let origin = self.state.settings.place(self.context.now_ns(), &location)?;
        let headers = parts.headers.iter();
        let outgoing = Outgoing {
            method: Method::Get,
            authorization: location.authorization(),
            location,
            headers: headers
                .map(|(name, value)| (name.clone(), value.as_bytes().to_vec()))
                .collect(),
            body: None,
            close: false,
            at_home: true,
            redirects: 0,
        };
        let location = &outgoing.location;
        let mut builder = UpgradeBuilder::new(location.authority(), location.target());
        builder = self.with_fields(&outgoing, |fields| {
            fields.iter().fold(builder, |builder, (name, value)| builder.header(*name, value))
        });
        for name in &parts.subprotocols {
            builder = builder.subprotocol(name);
        }
        if let Some(offer) = parts.deflate {
            builder = builder.deflate(offer);
        }
        let upgrade = builder.build().map_err(|error| unsendable(&error))?;
        let tls = location.is_secure().then(|| self.tls_client());
        Ok(Route { endpoint: Rc::clone(&origin.endpoint), tls, upgrade })
    }
}
