//! Responses and what they must come to, with the sentence of RFC 9112 (or 9110) that says so.
//!
//! `GOOD` pairs bytes with a summary of their events: each response as its status, its body in
//! quotes and whether the connection persists; `refused` pairs them with the exact error. Both also
//! seed the fuzz smoke test.

use loadr_protocols::http1::{RemoteError, RequestKind, Snippet};

const GET: &[RequestKind] = &[RequestKind::Other];
const HEAD: &[RequestKind] = &[RequestKind::Head];
const CONNECT: &[RequestKind] = &[RequestKind::Connect];
const GET_TWICE: &[RequestKind] = &[RequestKind::Other, RequestKind::Other];

/// What is awaited, what the target sends, and the summary of the events.
pub(crate) type Good = (&'static [RequestKind], &'static [u8], &'static str);

/// What is awaited, what the target sends before it closes, and what it is refused for.
pub(crate) type Refused = (&'static [RequestKind], &'static [u8], RemoteError);

pub(crate) const GOOD: &[Good] = &[
    // RFC 9112, 6.2: "If a valid Content-Length header field is present without Transfer-Encoding,
    // its decimal value defines the expected message body length in octets."
    (GET, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "200 \"hello\" persists"),
    (GET, b"HTTP/1.1 200 OK\r\ncontent-LENGTH:0\r\n\r\n", "200 \"\" persists"),
    // RFC 9112, 6.3, rule 5: "... all values in the list are valid, and all values in the list are
    // the same (in which case, the message is processed with that single value used as the
    // Content-Length field value)."
    (GET, b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nhi", "200 \"hi\" persists"),
    (
        GET,
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
        "200 \"hi\" persists",
    ),
    // RFC 9112, 7.1: "The chunked coding is complete when a chunk with a chunk-size of zero is
    // received, possibly followed by a trailer section, and finally terminated by an empty line."
    (
        GET,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "200 \"hello\" persists",
    ),
    (
        GET,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n00A\r\n0123456789\r\n0\r\n\r\n",
        "200 \"abc0123456789\" persists",
    ),
    // RFC 9112, 7.1.1: "A recipient MUST ignore unrecognized chunk extensions."
    (
        GET,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b;c=\"d;e\"\r\nhi\r\n0;last\r\n\r\n",
        "200 \"hi\" persists",
    ),
    (
        GET,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2 \t;a\r\nhi\r\n0\r\n\r\n",
        "200 \"hi\" persists",
    ),
    // RFC 9112, 7.1.2: "A recipient that removes the chunked coding from a message MAY selectively
    // retain or discard the received trailer fields."
    (
        GET,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nDigest: x\r\nContent-Length: 9\r\n\r\n",
        "200 \"\" persists",
    ),
    // RFC 9112, 6.3, rule 8: "Otherwise, this is a response message without a declared message body
    // length, so the message body length is determined by the number of octets received prior to
    // the server closing the connection."
    (GET, b"HTTP/1.1 200 OK\r\n\r\nuntil\r\nclose", "200 \"until\\r\\nclose\" closes"),
    (GET, b"HTTP/1.0 200 OK\r\n\r\n", "200 \"\" closes"),
    // RFC 9112, 6.3, rule 1: "Any response to a HEAD request and any response with a 1xx
    // (Informational), 204 (No Content), or 304 (Not Modified) status code is always terminated by
    // the first empty line after the header fields, regardless of the header fields present in the
    // message."
    (HEAD, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "200 \"\" persists"),
    (HEAD, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "200 \"\" persists"),
    (HEAD, b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n", "200 \"\" persists"),
    (HEAD, b"HTTP/1.1 200 OK\r\n\r\n", "200 \"\" persists"),
    (GET, b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "204 \"\" persists"),
    (GET, b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "304 \"\" persists"),
    // RFC 9110, 15.2: "A client MUST be able to parse one or more 1xx responses received prior to a
    // final response, even if the client does not expect one."
    (
        GET,
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        "100, 103, 200 \"hi\" persists",
    ),
    (
        HEAD,
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "102, 200 \"\" persists",
    ),
    // RFC 9110, 15.2.2: the server switches "immediately after the empty line that terminates the
    // 101 response"; and RFC 9112, 6.3, rule 2: "Any 2xx (Successful) response to a CONNECT request
    // implies that the connection will become a tunnel immediately after the empty line".
    (
        GET,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00",
        "101 \"\" closes",
    ),
    (CONNECT, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n\x16\x03", "200 \"\" closes"),
    (
        CONNECT,
        b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno",
        "407 \"no\" persists",
    ),
    // RFC 9112, 9.3: "If the close connection option is present, the connection will not persist
    // after the current response; else, if the received protocol is HTTP/1.1 (or later), the
    // connection will persist ...; else, if the received protocol is HTTP/1.0, the keep-alive
    // connection option is present, ... the connection will persist".
    (
        GET,
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
        "200 \"hi\" closes",
    ),
    (
        GET,
        b"HTTP/1.1 200 OK\r\nconnection: foo , CLOSE\r\nContent-Length: 2\r\n\r\nhi",
        "200 \"hi\" closes",
    ),
    (
        GET,
        b"HTTP/1.1 200 OK\r\nConnection: foo\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        "200 \"\" closes",
    ),
    (
        GET,
        b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nhi",
        "200 \"hi\" persists",
    ),
    (GET, b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", "200 \"hi\" closes"),
    // RFC 9112, 9.3.2: a server "MUST send the corresponding responses in the same order that the
    // requests were received."
    (
        &[RequestKind::Other, RequestKind::Head, RequestKind::Other],
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n\r\n",
        "200 \"a\" persists, 200 \"\" persists, 404 \"b\" persists",
    ),
    // RFC 9112, 4: "A server MUST send the space that separates the status-code from the
    // reason-phrase even when the reason-phrase is absent": not all do, and nothing hangs on it.
    (GET, b"HTTP/1.1 204\r\n\r\n", "204 \"\" persists"),
    (GET, b"HTTP/1.1 204 \r\n\r\n", "204 \"\" persists"),
    (GET, b"HTTP/1.1 204 Rien \xe0 d\xe9clarer\r\n\r\n", "204 \"\" persists"),
    // RFC 9110, 15: a code outside 100 to 599 is invalid, and a client "SHOULD process the response
    // as if it had a 5xx (Server Error) status code": passed on for the caller to count.
    (GET, b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", "999 \"\" persists"),
    // RFC 9110, 5.5: obs-text and inner whitespace are part of a value; empty values are values.
    (
        GET,
        b"HTTP/1.1 200 OK\r\nX-A:\r\nX-B: \t\r\nX-C:  caf\xc3\xa9 \t au lait \r\nContent-Length: \t2 \t\r\n\r\nhi",
        "200 \"hi\" persists",
    ),
];

/// The refused ones; a function, because snippets are not constants.
pub(crate) fn refused() -> Vec<Refused> {
    let mut all = refused_heads();
    all.extend(refused_lengths());
    all.extend(refused_chunks());
    all.extend(cut_off());
    all
}

fn first(bytes: &[u8]) -> Snippet {
    Snippet::first(bytes)
}

fn refused_heads() -> Vec<Refused> {
    use RemoteError as E;
    let status_line = |found: &[u8]| E::StatusLine { found: first(found) };
    vec![
        // RFC 9112, 4: "status-line = HTTP-version SP status-code SP [ reason-phrase ]".
        (GET, b"SSH-2.0-OpenSSH_9.2p1\r\n", status_line(b"SSH-2.0-OpenSSH_")),
        (GET, b"<html>hello, this is HTTP/0.9</html>", status_line(b"<html>hello, thi")),
        (GET, b"HTTP/2 200\r\n\r\n", status_line(b"HTTP/2 200\r\n")),
        (GET, b"+OK\n", status_line(b"+OK\n")),
        (GET, b"HTTP/2.0 200 OK\r\n\r\n", status_line(b"HTTP/2.0 200 OK\r")),
        (GET, b"HTTP/1.2 200 OK\r\n\r\n", status_line(b"HTTP/1.2 200 OK\r")),
        (GET, b"http/1.1 200 OK\r\n\r\n", status_line(b"http/1.1 200 OK\r")),
        (GET, b"HTTP/1.1  200 OK\r\n\r\n", status_line(b"HTTP/1.1  200 OK")),
        (GET, b"HTTP/1.1 20 OK\r\n\r\nab", status_line(b"HTTP/1.1 20 OK\r\n")),
        (GET, b"HTTP/1.1 2000 OK\r\n\r\n", status_line(b"HTTP/1.1 2000 OK")),
        (GET, b"HTTP/1.1 099 OK\r\n\r\n", status_line(b"HTTP/1.1 099 OK\r")),
        (GET, b"HTTP/1.1 200 O\0K\r\n\r\n", status_line(b"HTTP/1.1 200 O\0K")),
        (GET, b"\x15\x03\x03\x00\x02\x02\x16", status_line(b"\x15\x03\x03\x00\x02\x02\x16")),
        // RFC 9112, 2.2: "a server that is expecting to receive and parse a request-line SHOULD
        // ignore at least one empty line (CRLF) received prior to the request-line": not a client.
        (GET, b"\r\nHTTP/1.1 200 OK\r\n\r\n", status_line(b"\r\n")),
        (GET_TWICE, b"HTTP/1.1 204 OK\r\n\r\n\r\nHTTP/1.1 204 OK\r\n\r\n", status_line(b"\r\n")),
        // RFC 9112, 5.1: "No whitespace is allowed between the field name and colon."
        (
            GET,
            b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nhi",
            E::SpaceBeforeColon { found: first(b"Content-Length ") },
        ),
        (GET, b"HTTP/1.1 200 OK\r\nA\t: 2\r\n\r\n", E::SpaceBeforeColon { found: first(b"A\t") }),
        (GET, b"HTTP/1.1 200 OK\r\nA b\r\n\r\n", E::SpaceBeforeColon { found: first(b"A ") }),
        (GET, b"HTTP/1.1 200 OK\r\n: x\r\n\r\n", E::HeaderName { found: first(b":") }),
        (GET, b"HTTP/1.1 200 OK\r\nA(b): x\r\n\r\n", E::HeaderName { found: first(b"A(") }),
        (GET, b"HTTP/1.1 200 OK\r\nNoColon\r\n\r\n", E::HeaderName { found: first(b"NoColon\r") }),
        (
            GET,
            b"HTTP/1.1 200 OK\r\nThe-Last-Bytes-Of-A-Long-Name-Are-The-Ones-Shown\0: x\r\n\r\n",
            E::HeaderName { found: first(b"-A-Long-Name-Are-The-Ones-Shown\0") },
        ),
        // RFC 9110, 5.5: "Field values containing CR, LF, or NUL characters are invalid and
        // dangerous".
        (GET, b"HTTP/1.1 200 OK\r\nA: x\0y\r\n\r\n", E::HeaderValue { found: first(b"A: x\0") }),
        (GET, b"HTTP/1.1 200 OK\r\nA: x\x7f\r\n\r\n", E::HeaderValue { found: first(b"A: x\x7f") }),
        // RFC 9112, 5.2: "A user agent that receives an obs-fold in a response message ... MUST
        // replace each received obs-fold with one or more SP": or, as here, give up on it.
        (GET, b"HTTP/1.1 200 OK\r\nA: x\r\n y\r\n\r\n", E::ObsoleteFold { line: 3 }),
        (GET, b"HTTP/1.1 200 OK\r\n\tA: x\r\n\r\n", E::ObsoleteFold { line: 2 }),
        // RFC 9112, 2.2: "A recipient of such a bare CR MUST consider that element to be invalid or
        // replace each bare CR with SP". It "MAY recognize a single LF as a line terminator": this
        // one does not, since the next reader may.
        (GET, b"HTTP/1.1 200 OK\r\nA: x\ry\r\n\r\n", E::BareCr { line: 2 }),
        (GET, b"HTTP/1.1 200 OK\rA: x\r\n\r\n", E::BareCr { line: 1 }),
        (GET, b"HTTP/1.1 200 OK\r\nA: x\r\n\rHTTP", E::BareCr { line: 3 }),
        (GET, b"HTTP/1.1 200 OK\nA: x\r\n\r\n", E::BareLf { line: 1 }),
        (GET, b"HTTP/1.1 200 OK\r\nA: x\nB: y\r\n\r\n", E::BareLf { line: 2 }),
        (GET, b"HTTP/1.1 200 OK\r\nA:\n\r\n", E::BareLf { line: 2 }),
        (GET, b"HTTP/1.1 200 OK\r\nA: x\r\n\n", E::BareLf { line: 3 }),
        (GET, b"HTTP/1.1 200 OK\n\n", E::BareLf { line: 1 }),
        // RFC 9112, 9.2: a client "MUST NOT consider" what comes when no request is outstanding "to
        // be a valid response".
        (&[], b"HTTP/1.1 408 Request Timeout\r\n\r\n", E::Unsolicited),
        (GET, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab", E::Unsolicited),
        (GET, b"HTTP/1.1 204 No Content\r\n\r\n\r\n", E::Unsolicited),
    ]
}

fn refused_lengths() -> Vec<Refused> {
    use RemoteError as E;
    let length = |found: &[u8]| E::ContentLength { found: first(found) };
    let coding = |found: &[u8]| E::TransferCoding { found: first(found) };
    vec![
        // RFC 9112, 6.3, rule 5: "If a message is received without Transfer-Encoding and with an
        // invalid Content-Length header field, then the message framing is invalid and the
        // recipient MUST treat it as an unrecoverable error".
        (GET, b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nhi", length(b"+2")),
        (GET, b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nhi", length(b"-2")),
        (GET, b"HTTP/1.1 200 OK\r\nContent-Length: 2 2\r\n\r\nhi", length(b"2 2")),
        (GET, b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhi", length(b"")),
        (GET, b"HTTP/1.1 200 OK\r\nContent-Length: 2,\r\n\r\nhi", length(b"2,")),
        (
            GET,
            b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n",
            length(b"18446744073709551616"),
        ),
        (
            GET,
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
            E::ContentLengthConflict { first: 2, second: 3 },
        ),
        (
            GET,
            b"HTTP/1.1 200 OK\r\nContent-Length: 3, 2\r\n\r\nhi",
            E::ContentLengthConflict { first: 3, second: 2 },
        ),
        // RFC 9112, 6.3, rule 3: "Such a message might indicate an attempt to perform request
        // smuggling or response splitting and ought to be handled as an error."
        (
            GET,
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            E::LengthAndTransferEncoding,
        ),
        (
            GET,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nhi",
            E::LengthAndTransferEncoding,
        ),
        // RFC 9112, 6.1: "A sender MUST NOT apply the chunked transfer coding more than once to a
        // message body", and codings that were not offered (by TE) are not understood.
        (GET, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", coding(b"gzip")),
        (GET, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", coding(b"gzip")),
        (GET, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", coding(b"gzip")),
        (GET, b"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\r\n", coding(b"")),
        (
            GET,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: Chunked\r\n\r\n",
            coding(b"Chunked"),
        ),
        // RFC 9112, 6.1: "A server or client that receives an HTTP/1.0 message containing a
        // Transfer-Encoding header field MUST treat the message as if the framing is faulty".
        (
            GET,
            b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            E::TransferEncodingInHttp10,
        ),
    ]
}

/// A chunked response with what follows its head.
macro_rules! chunked {
    ($coded:literal) => {
        concat!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", $coded).as_bytes()
    };
}

/// RFC 9112, 7.1: "chunk = chunk-size [ chunk-ext ] CRLF chunk-data CRLF", "chunk-size = 1*HEXDIG".
fn refused_chunks() -> Vec<Refused> {
    use RemoteError as E;
    vec![
        (GET, chunked!("\r\nhi\r\n"), E::ChunkSize { byte: b'\r' }),
        (GET, chunked!(";a=b\r\nhi\r\n"), E::ChunkSize { byte: b';' }),
        (GET, chunked!("+2\r\nhi\r\n"), E::ChunkSize { byte: b'+' }),
        (GET, chunked!("-2\r\nhi\r\n"), E::ChunkSize { byte: b'-' }),
        (GET, chunked!("0x2\r\nhi\r\n"), E::ChunkSize { byte: b'x' }),
        (GET, chunked!(" 2\r\nhi\r\n"), E::ChunkSize { byte: b' ' }),
        (GET, chunked!("2 \r\nhi\r\n"), E::ChunkSize { byte: b'\r' }),
        (GET, chunked!("2 2\r\nhi\r\n"), E::ChunkSize { byte: b'2' }),
        (GET, chunked!("2g\r\nhi\r\n"), E::ChunkSize { byte: b'g' }),
        // "Recipients MUST anticipate potentially large hexadecimal numerals and prevent parsing
        // errors due to integer conversion overflows".
        (GET, chunked!("10000000000000000\r\n"), E::ChunkSizeOverflow),
        (GET, chunked!("2\nhi\r\n"), E::ChunkLineEnd { byte: b'\n' }),
        (GET, chunked!("2\rhi\r\n"), E::ChunkLineEnd { byte: b'h' }),
        (GET, chunked!("2;a\nhi\r\n"), E::ChunkLineEnd { byte: b'\n' }),
        (GET, chunked!("2;a\r\r\nhi\r\n"), E::ChunkLineEnd { byte: b'\r' }),
        (GET, chunked!("2;a\0\r\nhi\r\n"), E::ChunkExtension { byte: 0 }),
        (GET, chunked!("2\r\nhi0\r\n\r\n"), E::ChunkDataEnd { byte: b'0' }),
        (GET, chunked!("2\r\nhi\n0\r\n\r\n"), E::ChunkDataEnd { byte: b'\n' }),
        (GET, chunked!("2\r\nhi\r0\r\n\r\n"), E::ChunkDataEnd { byte: b'0' }),
        (GET, chunked!("0\r\nA : x\r\n\r\n"), E::SpaceBeforeColon { found: first(b"A ") }),
        (GET, chunked!("0\r\nA: x\r\n y\r\n\r\n"), E::ObsoleteFold { line: 2 }),
        (GET, chunked!("0\r\nA: x\n\r\n"), E::BareLf { line: 1 }),
        (GET, chunked!("0\r\n\rHTTP/1.1"), E::BareCr { line: 1 }),
        (GET, chunked!("0\r\n\n"), E::BareLf { line: 1 }),
    ]
}

/// RFC 9112, 8: "A client that receives an incomplete response message, which can occur when a
/// connection is closed prematurely ..., MUST record the message as incomplete."
fn cut_off() -> Vec<Refused> {
    use RemoteError as E;
    vec![
        (GET, b"", E::ClosedBeforeResponse { outstanding: 1 }),
        (GET_TWICE, b"HTTP/1.1 204 No Content\r\n\r\n", E::ClosedBeforeResponse { outstanding: 1 }),
        (GET, b"HTTP/1.1 100 Continue\r\n\r\n", E::ClosedBeforeResponse { outstanding: 1 }),
        (GET, b"HTT", E::ClosedInHead { received: 3 }),
        (GET, b"HTTP/1.1 200 OK\r\nA: x\r\n", E::ClosedInHead { received: 23 }),
        // RFC 9112, 8: "A message body that uses the chunked transfer coding is incomplete if the
        // zero-sized chunk that terminates the encoding has not been received. A message that uses
        // a valid Content-Length is incomplete if the size of the message body received (in octets)
        // is less than the value given by Content-Length."
        (
            GET,
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
            E::ClosedInBody { received: 3, expected: 5 },
        ),
        (GET, chunked!("5\r\nhel"), E::ClosedInChunkedBody { received: 3 }),
        (GET, chunked!("5\r\nhello\r\n"), E::ClosedInChunkedBody { received: 5 }),
        (GET, chunked!("0\r\nA: x\r\n"), E::ClosedInChunkedBody { received: 0 }),
    ]
}
