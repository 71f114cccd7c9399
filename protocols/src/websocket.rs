//! WebSocket (RFC 6455) with compression (RFC 7692), as a client speaks it, and as a server does for
//! tests and for the bundled target.
//!
//! A tour, in the order of a connection:
//!
//! - [`handshake`]: an [`UpgradeBuilder`] checks what the user asked for and makes an [`Upgrade`], whose request
//!   is sent with a key of each connection's own; the answer, read as HTTP/1.1, comes to what was [`Agreed`] on.
//! - [`encoder`]: an [`Encoder`] appends messages and control frames to what is to be sent; a
//!   [`PreparedMessage`] is sent over and over and only masked anew.
//! - [`decoder`]: the [`Decoder`] turns a [`ReceiveBuffer`](crate::buffer::ReceiveBuffer) into [`Event`]s. All its
//!   states are there; `message` puts together what comes in pieces, `utf8` checks text as it comes.
//! - [`frame`], [`mask`], [`close`]: headers, masking and close codes; [`deflate`] has permessage-deflate.
//! - [`error`], [`limits`]: the peer's faults, each with the close code that answers it; how much it may send.
//!
//! Keys, of handshakes and of masks, are arguments: whoever drives this owns the randomness. Strictness is the
//! RFC's: all that it says must not be is refused, told apart, and the same however bytes were split.

pub mod close;
pub mod decoder;
pub mod deflate;
pub mod encoder;
pub mod error;
pub mod frame;
pub mod handshake;
pub mod limits;
pub mod mask;
pub mod message;
pub(crate) mod utf8;

pub use close::{Close, CloseError};
pub use decoder::{Decoder, Role};
pub use deflate::{Deflate, DeflateOffer};
pub use encoder::{Encoder, MessageKind, PreparedMessage};
pub use error::{ControlTooLong, RemoteError};
pub use frame::Opcode;
pub use handshake::{Agreed, HandshakeError, HandshakeKey, Upgrade, UpgradeBuilder, UpgradeError};
pub use limits::Limits;
pub use mask::MaskKey;
pub use message::Event;
