//! Status codes in words.
//!
//! The text of a failed status is its code and registered reason phrase, never what the target wrote there: the error
//! report counts equal texts together.

use std::borrow::Cow;

use crate::outcome::{Failure, FailureKind};

/// The failure that a response with an unexpected status counts as.
#[cold]
pub fn status_failure(status: u16) -> Failure {
    let message = match status_line(status) {
        Some(line) => Cow::Borrowed(line),
        None => Cow::Owned(format!("{status}")),
    };
    Failure::new(FailureKind::Status, message)
}

/// Code and reason phrase of a status registered for HTTP (RFC 9110, section 15).
fn status_line(status: u16) -> Option<&'static str> {
    Some(match status {
        101 => "101 Switching Protocols",
        200 => "200 OK",
        201 => "201 Created",
        202 => "202 Accepted",
        203 => "203 Non-Authoritative Information",
        204 => "204 No Content",
        205 => "205 Reset Content",
        206 => "206 Partial Content",
        300 => "300 Multiple Choices",
        301 => "301 Moved Permanently",
        302 => "302 Found",
        303 => "303 See Other",
        304 => "304 Not Modified",
        307 => "307 Temporary Redirect",
        308 => "308 Permanent Redirect",
        400 => "400 Bad Request",
        401 => "401 Unauthorized",
        402 => "402 Payment Required",
        403 => "403 Forbidden",
        404 => "404 Not Found",
        405 => "405 Method Not Allowed",
        406 => "406 Not Acceptable",
        407 => "407 Proxy Authentication Required",
        408 => "408 Request Timeout",
        409 => "409 Conflict",
        410 => "410 Gone",
        411 => "411 Length Required",
        412 => "412 Precondition Failed",
        413 => "413 Content Too Large",
        414 => "414 URI Too Long",
        415 => "415 Unsupported Media Type",
        416 => "416 Range Not Satisfiable",
        417 => "417 Expectation Failed",
        421 => "421 Misdirected Request",
        422 => "422 Unprocessable Content",
        425 => "425 Too Early",
        426 => "426 Upgrade Required",
        428 => "428 Precondition Required",
        429 => "429 Too Many Requests",
        431 => "431 Request Header Fields Too Large",
        500 => "500 Internal Server Error",
        501 => "501 Not Implemented",
        502 => "502 Bad Gateway",
        503 => "503 Service Unavailable",
        504 => "504 Gateway Timeout",
        505 => "505 HTTP Version Not Supported",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_statuses_are_named_and_others_numbered() {
        assert_eq!(status_failure(503).message, "503 Service Unavailable");
        assert_eq!(status_failure(599).message, "599");
    }
}
