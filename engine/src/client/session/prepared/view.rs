//! A response that is looked at where it lies, in memory that the session uses again.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::time::Duration;

use loadr_protocols::http1::Headers;

use crate::client::session::content;
use crate::outcome::Failure;

/// A response as a prepared call shows it, before it is recorded and forgotten.
///
/// Head and body are there as far as the call's [`Reads`](super::Reads) say.
pub struct View<'v> {
    pub(super) status: u16,
    pub(super) head: &'v [u8],
    pub(super) raw_body: &'v [u8],
    pub(super) decoded_bytes_max: usize,
    pub(super) decoded: OnceCell<Result<Cow<'v, [u8]>, Failure>>,
    pub(super) elapsed: Duration,
}

impl<'v> View<'v> {
    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The header fields, in the order received.
    pub fn headers(&self) -> Headers<'v> {
        Headers::of_head(self.head)
    }

    /// The first value of the header field `name`, in any case.
    pub fn header(&self, name: &str) -> Option<&'v [u8]> {
        let wanted = name.as_bytes();
        let mut fields = self.headers();
        fields.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
    }

    /// The body, decompressed; empty where that fails, which makes the call a failure unless the verdict is another.
    pub fn body(&self) -> &[u8] {
        let decode = || content::decode(self.head, self.raw_body, self.decoded_bytes_max);
        self.decoded.get_or_init(decode).as_deref().unwrap_or_default()
    }

    /// The body as text; what is not UTF-8 in it is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.body())
    }

    /// Time from the call's start to the last byte of its response.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Why the body cannot be read, if it was tried and cannot.
    pub fn body_failure(&self) -> Option<&Failure> {
        self.decoded.get().and_then(|decoded| decoded.as_ref().err())
    }
}
