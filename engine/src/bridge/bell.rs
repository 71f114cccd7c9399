//! How a thread tells a shard that a piece of work has finished.

use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use rustix::net::SendFlags;

/// The threads' end of the way back.
pub(super) struct Bell {
    announce: Sender<u64>,
    /// `None` where the shard looks for itself.
    socket: Option<UnixStream>,
    /// The shard has been told and has not looked yet.
    is_rung: AtomicBool,
}

impl Bell {
    /// A bell that the shard does not hear: it has to look.
    pub(super) fn mute(announce: Sender<u64>) -> Self {
        Self { announce, socket: None, is_rung: AtomicBool::new(false) }
    }

    /// A bell, and the socket that the shard hears it by; none where the system has none left.
    pub(super) fn with_socket(announce: Sender<u64>) -> (Self, Option<UnixStream>) {
        match UnixStream::pair() {
            Ok((here, there)) => {
                let bell = Self { socket: Some(here), ..Self::mute(announce) };
                (bell, Some(there))
            }
            Err(error) => {
                log::warn!("no socket to wake a shard by, it has to look: {error}");
                (Self::mute(announce), None)
            }
        }
    }

    /// Says that the piece `id` has finished.
    pub(super) fn ring(&self, id: u64) {
        // Nobody listens once the shard has ended.
        let _ = self.announce.send(id);
        let Some(socket) = &self.socket else { return };
        // Whoever finds it rung has announced before the shard looks: that clears the mark first.
        if !self.is_rung.swap(true, Ordering::AcqRel) {
            // A shard that has ended reads nothing.
            let _ = rustix::net::send(socket, &[1], SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
        }
    }

    /// The shard looks now: what is announced from here on is rung for again.
    pub(super) fn silence(&self) {
        self.is_rung.swap(false, Ordering::AcqRel);
    }
}
