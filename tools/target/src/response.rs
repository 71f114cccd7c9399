//! Response heads.
//!
//! All heads look as a common production server's do (status line, Server, Date, type, length,
//! Connection), so that load on the target moves the bytes that load on a real one would. Date is
//! the time at which the target started: formatting it anew would cost more than the rest of an
//! answer.

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

/// What follows a head, as the head announces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// So many bytes of text.
    Text(usize),
    /// So many bytes of HTML.
    Html(usize),
    /// So many bytes of JSON.
    Json(usize),
    /// So many bytes of XML.
    Xml(usize),
    /// So many bytes of any kind.
    Bytes(u64),
    Chunked {
        trailer: bool,
    },
    /// Bytes up to the end of the connection: chunks for clients that do not know them.
    UntilClose,
    /// Nothing, by the rules of the status code.
    Nothing,
}

/// Writes heads, with the fields that are the same in all of them.
#[derive(Debug)]
pub(crate) struct Heads {
    common: Vec<u8>,
}

impl Heads {
    /// Heads of a target that started at `started_at`.
    pub(crate) fn new(started_at: SystemTime) -> Self {
        let unix_seconds = started_at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let common = format!("Server: loadr-target\r\nDate: {}\r\n", http_date(unix_seconds));
        Self { common: common.into_bytes() }
    }

    /// Appends a complete head.
    pub(crate) fn write(&self, status: u16, framing: Framing, keep_alive: bool, out: &mut Vec<u8>) {
        self.write_with("", status, framing, keep_alive, out);
    }

    /// Appends a complete head with `fields` in it: lines, each with its CRLF.
    pub(crate) fn write_with(
        &self,
        fields: &str,
        status: u16,
        framing: Framing,
        keep_alive: bool,
        out: &mut Vec<u8>,
    ) {
        status_line(status, out);
        out.extend_from_slice(&self.common);
        out.extend_from_slice(fields.as_bytes());
        let _infallible = match framing {
            Framing::Text(len) => {
                write!(out, "Content-Type: text/plain\r\nContent-Length: {len}\r\n")
            }
            Framing::Html(len) => {
                write!(out, "Content-Type: text/html\r\nContent-Length: {len}\r\n")
            }
            Framing::Json(len) => {
                write!(out, "Content-Type: application/json\r\nContent-Length: {len}\r\n")
            }
            Framing::Xml(len) => {
                write!(out, "Content-Type: text/xml\r\nContent-Length: {len}\r\n")
            }
            Framing::Bytes(len) => {
                write!(out, "Content-Type: application/octet-stream\r\nContent-Length: {len}\r\n")
            }
            Framing::Chunked { trailer } => write!(
                out,
                "Content-Type: application/octet-stream\r\n{}Transfer-Encoding: chunked\r\n",
                if trailer { "Trailer: X-Body-Bytes\r\n" } else { "" }
            ),
            Framing::UntilClose => write!(out, "Content-Type: application/octet-stream\r\n"),
            Framing::Nothing => Ok(()),
        };
        out.extend_from_slice(if keep_alive {
            b"Connection: keep-alive\r\n\r\n"
        } else {
            b"Connection: close\r\n\r\n"
        });
    }
}

/// Appends an interim answer: a 1xx status and no fields.
pub(crate) fn write_interim(status: u16, out: &mut Vec<u8>) {
    status_line(status, out);
    out.extend_from_slice(b"\r\n");
}

/// Whether answers of this status never have content (RFC 9112, 6.3).
pub(crate) fn is_without_content(status: u16) -> bool {
    matches!(status, 100..=199 | 204 | 304)
}

fn status_line(status: u16, out: &mut Vec<u8>) {
    let _infallible = write!(out, "HTTP/1.1 {status} {}\r\n", reason(status));
}

/// The reason phrase of the codes met most; it may be empty (RFC 9112, 4).
fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        102 => "Processing",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        417 => "Expectation Failed",
        429 => "Too Many Requests",
        426 => "Upgrade Required",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

/// A date in the one format that is sent: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7).
fn http_date(unix_seconds: u64) -> String {
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, second) = (unix_seconds / 86_400, unix_seconds % 86_400);
    let (year, month, day) = civil_date(days);
    format!(
        "{}, {day:02} {} {year} {:02}:{:02}:{:02} GMT",
        WEEKDAYS[(days % 7) as usize],
        MONTHS[month],
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// Year, month from 0 and day of month from 1 of a day since 1970-01-01.
///
/// Hinnant's algorithm: years run from March, so that the leap day is the last of its year.
fn civil_date(days: u64) -> (u64, usize, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let january_or_february = month_from_march >= 10;
    let month = (month_from_march as usize + 2) % 12;
    (era * 400 + year_of_era + u64::from(january_or_february), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_imf_fixdates() {
        for (unix_seconds, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ] {
            assert_eq!(http_date(unix_seconds), text);
        }
    }

    #[test]
    fn heads_announce_what_follows() {
        let heads = Heads::new(UNIX_EPOCH);
        let text = |status, framing, keep_alive| {
            let mut out = Vec::new();
            heads.write(status, framing, keep_alive, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            text(200, Framing::Text(12), true),
            "HTTP/1.1 200 OK\r\nServer: loadr-target\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
             Content-Type: text/plain\r\nContent-Length: 12\r\nConnection: keep-alive\r\n\r\n"
        );
        assert!(text(599, Framing::Bytes(7), false).starts_with("HTTP/1.1 599 \r\nServer"));
        assert!(
            text(200, Framing::Bytes(7), false)
                .contains("\r\nContent-Length: 7\r\nConnection: close")
        );
        let chunked = text(200, Framing::Chunked { trailer: true }, true);
        assert!(chunked.contains("Trailer: X-Body-Bytes\r\nTransfer-Encoding: chunked\r\n"));
        let mut with_fields = Vec::new();
        heads.write_with("A: b\r\n", 200, Framing::Json(2), true, &mut with_fields);
        let with_fields = String::from_utf8(with_fields).unwrap();
        assert!(with_fields.contains("GMT\r\nA: b\r\nContent-Type: application/json\r\n"));
        for framing in [Framing::Nothing, Framing::UntilClose] {
            assert!(!text(204, framing, true).contains("Content-Length"));
        }
    }
}
