//! Content codings (RFC 9110, 8.4): a body as it was before the target compressed it, within a bound.
//!
//! The decoders are crates in Rust; what they give is read up to one byte past the bound, so that a small body that
//! swells to a huge one is found out early. A coding that is unknown is left alone, as python-requests does.

use std::borrow::Cow;
use std::io::{self, Read};

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use loadr_protocols::http1::Headers;
use ruzstd::decoding::StreamingDecoder;

use crate::outcome::{Failure, FailureKind};

/// What every request says that it can take, and [`decode`] can undo.
pub(super) const ACCEPTED: &str = "gzip, deflate, br, zstd";

/// Most codings on top of each other; more are some kind of attack.
const CODINGS_MAX: usize = 4;

/// The body behind the codings that the head names; as it is where it names none that is known.
pub(super) fn decode<'b>(
    head: &[u8],
    body: &'b [u8],
    bytes_max: usize,
) -> Result<Cow<'b, [u8]>, Failure> {
    let mut decoded = Cow::Borrowed(body);
    for coding in codings(head)?.into_iter().rev() {
        decoded = Cow::Owned(undo(coding, &decoded, bytes_max)?);
    }
    Ok(decoded)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    fn read(name: &[u8]) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        match () {
            () if is("gzip") || is("x-gzip") => Some(Self::Gzip),
            () if is("deflate") => Some(Self::Deflate),
            () if is("br") => Some(Self::Brotli),
            () if is("zstd") => Some(Self::Zstd),
            () => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// The codings in the order in which they were applied; what is unknown ends what can be undone.
fn codings(head: &[u8]) -> Result<Vec<Coding>, Failure> {
    let mut found = Vec::new();
    let named = |(name, _): &(&[u8], &[u8])| name.eq_ignore_ascii_case(b"content-encoding");
    for (_, value) in Headers::of_head(head).filter(named) {
        for name in value.split(|&byte| byte == b',') {
            match Coding::read(name.trim_ascii()) {
                Some(coding) => found.push(coding),
                None => found.clear(),
            }
        }
    }
    if found.len() > CODINGS_MAX {
        let message = format!("body with more than {CODINGS_MAX} content codings");
        return Err(Failure::new(FailureKind::Protocol, message));
    }
    Ok(found)
}

fn undo(coding: Coding, body: &[u8], bytes_max: usize) -> Result<Vec<u8>, Failure> {
    // A response without content may still name a coding, as one to HEAD does.
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let decoded = match coding {
        Coding::Gzip => read_bounded(MultiGzDecoder::new(body), bytes_max),
        // Some servers leave the zlib wrapper out.
        Coding::Deflate => read_bounded(ZlibDecoder::new(body), bytes_max)
            .or_else(|_| read_bounded(DeflateDecoder::new(body), bytes_max)),
        Coding::Brotli => {
            read_bounded(brotli_decompressor::Decompressor::new(body, 4 * 1024), bytes_max)
        }
        Coding::Zstd => match StreamingDecoder::new(body) {
            Ok(decoder) => read_bounded(decoder, bytes_max),
            Err(error) => Err(io::Error::other(error)),
        },
    };
    match decoded {
        Ok(decoded) if decoded.len() > bytes_max => {
            let message = format!("decoded response body larger than {bytes_max} bytes");
            Err(Failure::new(FailureKind::Protocol, message))
        }
        Ok(decoded) => Ok(decoded),
        Err(_) => {
            Err(Failure::new(FailureKind::Protocol, format!("broken {} body", coding.name())))
        }
    }
}

/// Everything, or one byte past the bound.
fn read_bounded(decoder: impl Read, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut decoded = Vec::new();
    decoder.take(bytes_max as u64 + 1).read_to_end(&mut decoded)?;
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const TEXT: &[u8] = b"the same and the same and the same again";
    /// An `x`, by the reference encoder.
    const BROTLI: &[u8] = &[0x0b, 0x00, 0x80, b'x', 0x03];

    fn head(coding: &str) -> Vec<u8> {
        format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\n\r\n").into_bytes()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn each_coding_is_undone() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(TEXT).unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
        raw.write_all(TEXT).unwrap();
        let zstd =
            ruzstd::encoding::compress_to_vec(TEXT, ruzstd::encoding::CompressionLevel::Fastest);
        let bodies = [
            ("gzip", gzip(TEXT)),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", raw.finish().unwrap()),
            ("zstd", zstd),
            ("gzip, X-Gzip", gzip(&gzip(TEXT))),
            ("identity", TEXT.to_vec()),
            ("gzip, unknown", TEXT.to_vec()),
        ];
        for (coding, body) in bodies {
            assert_eq!(decode(&head(coding), &body, 1_000).as_deref(), Ok(TEXT), "{coding}");
        }
        assert_eq!(decode(&head("br"), BROTLI, 1_000).as_deref(), Ok(&b"x"[..]));
        assert_eq!(decode(&head("gzip"), b"", 1_000).as_deref(), Ok(&b""[..]));
    }

    #[test]
    fn broken_and_swollen_bodies_are_failures() {
        let message = |coding: &str, body: &[u8]| {
            decode(&head(coding), body, 1_000).unwrap_err().message.into_owned()
        };
        assert_eq!(message("gzip", b"nonsense"), "broken gzip body");
        assert_eq!(message("gzip", &gzip(TEXT)[..20]), "broken gzip body");
        assert_eq!(message("zstd", b"nonsense"), "broken zstd body");
        assert_eq!(message("br", b"nonsense"), "broken br body");
        let bomb = gzip(&[0; 100_000]);
        assert_eq!(message("gzip", &bomb), "decoded response body larger than 1000 bytes");
        assert_eq!(
            message("gzip, gzip, gzip, gzip, gzip", b"x"),
            "body with more than 4 content codings"
        );
    }
}
