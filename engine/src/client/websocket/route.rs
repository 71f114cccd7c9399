//! Where connections lead that are made otherwise than the settings say.

use std::rc::Rc;

use loadr_protocols::websocket::Upgrade;

use crate::client::endpoint::Endpoint;
use crate::tls::TlsClient;

/// A place, and what is asked for there; [`Session::route`](crate::client::session::Session::route) makes one.
#[derive(Clone, Debug)]
pub struct Route {
    pub(crate) endpoint: Rc<Endpoint>,
    /// The user's side of TLS, where the place speaks that.
    pub(crate) tls: Option<Rc<TlsClient>>,
    pub(crate) upgrade: Upgrade,
}

impl Route {
    pub(super) fn tls_client(&self) -> Rc<TlsClient> {
        Rc::clone(self.tls.as_ref().expect("a place without TLS asks for no client of it"))
    }
}
