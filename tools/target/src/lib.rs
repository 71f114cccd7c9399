//! The bundled target: a small HTTP/1.1 server to put load on.
//!
//! The demo, the tests and the benches of loadr load this server, so it has to be faster than any
//! generator on the same number of cores, and to misbehave only as it is told. One thread serves
//! its connections from one epoll set and shares nothing with the others; `dialogue` decides (bytes
//! in, bytes out), `connection` does the reading and writing around it, `worker` waits for events,
//! and `desk` holds the fast path.
//!
//! # Routes
//!
//! Any method will do, HEAD is answered without content, a request body is read over, and queries
//! are ignored where none is listed (the [shop](#the-shop) minds methods and bodies). Durations are `500ms`, `2s`, `1m`, `250us`, or a bare number
//! of milliseconds (`0.5`); at most an hour.
//!
//! | Path | Answer |
//! |---|---|
//! | `/` | `hello world\n`: 160 bytes with its head |
//! | `/bytes/N` | N bytes, up to 1 GiB, of a repeated [pattern](BODY_PATTERN) |
//! | `/chunked/N` | the same in chunks of 1, 15, 16, 255, 4096 and 65536 bytes in turn; every third chunk has an extension, an odd N a trailer field `X-Body-Bytes: N`. HTTP/1.0 clients get it unframed up to the close |
//! | `/delay/MS` | after that time, by a timer of nanoseconds; a core that has to wake up adds tens of microseconds |
//! | `/random-delay?law=LAW&mean=MS&seed=N` | after a time drawn from the law: `fixed`; `exponential`; `bimodal` (9 in 10 take half the mean, 1 in 10 takes 5.5 times the mean); `pareto` (shape 2.5). The k-th request with the same law and seed (default 0) always gets the k-th draw; the mean scales it |
//! | `/stall?after=D&for=D&run=N` | at once, but nothing from `after` to `after + for` since the first request with the same parameters; what waits then is answered all at once. `run` (default 0) only tells repetitions apart |
//! | `/status/N` | that status, 100 to 999 without 101; 204 and 304 without content, 1xx as an interim answer before a 200 |
//! | `/echo` | the request body, of either framing, up to 16 MiB, once it is read whole |
//! | `/headers` | the request head as it came |
//! | `/close` | `Connection: close`, and so it does |
//! | `/ws` and below | a WebSocket: see [there](#websockets) |
//! | `/RPC2`, `/xmlrpc` | to a POST, the answer to an XML-RPC call: `get_time()`, `get_random_number(low, high)`, `echo(any…)` gives an array of its parameters, `system.listMethods()`; anything else is a fault. A POST to `/bytes/N` moves the same bytes without XML |
//! | `/count` | lines `route count`, then `total count`: requests answered so far, without this one; between them lines for messages of WebSockets and for TLS handshakes |
//!
//! # WebSockets
//!
//! RFC 6455, version 13. The first subprotocol that a client offers is the one it gets; extensions
//! are declined. Pings and closes are answered; messages may be fragmented and have 16 MiB. A frame
//! against the rules is answered with a close of 1002, text that is not UTF-8 with 1007, a message
//! that is too long with 1009; a request that is no handshake with 426 or 400, and the connection
//! goes on.
//!
//! | Path | What it does |
//! |---|---|
//! | `/ws` | echoes each message, whole |
//! | `/ws/push?every=D&count=N` | that, and every `D` (at least 0.1 ms) a message `{"type":"push","id":K,"sent_ms":T}`: K counts from 1 to N (without end if it is not said), T is milliseconds since 1970. A client that does not read gets them later |
//! | `/ws/keepalive?every=D` | pushes such messages of type `keepalive`, and answers each that comes back, once, with `{"type":"ok"}`; other messages get no answer |
//! | `/ws/close?after=N&code=C` | echoes N messages and closes with code C (1000 if it is not said; 1000 to 4999, those that may not be sent included) |
//!
//! # TLS
//!
//! With [`TargetOptions::tls`], every socket speaks TLS 1.2 or 1.3, every route included. ALPN takes
//! `http/1.1`; sessions are resumed by tickets; no certificate is asked of clients.
//! [`TargetStats`] counts handshakes by how they ended.
//!
//! # The shop
//!
//! A small application for scenarios to run against: it answers as the Flask shop of loadr's tests
//! does. A method that is not listed gets 405 (HEAD does where GET does), OPTIONS the `Allow` field
//! alone. Bodies that are used may have 16 MiB.
//!
//! | Request | Answer |
//! |---|---|
//! | `POST /login` | of a form or JSON with a `user`, or by basic authentication (a name of up to 256 bytes, else 400): `{"token":"…","user":"…"}`, and the cookie `session` |
//! | `POST /login/refresh` | `{"token":"…"}`, a new one for the `token` of a JSON body, which is known no more |
//! | `DELETE /login` | 204, and the token `Authorization: Bearer TOKEN` is known no more |
//! | `POST /logout` | 204, and the cookie is gone |
//! | `GET /account` | `{"user":"…"}` with the cookie of a login, else 401 |
//! | `GET /orders` | `{"orders":[]}` with `Authorization: Bearer TOKEN` of a login, else 401 |
//! | `PUT /orders/ID` | of JSON with an `amount`, a whole number (else 400): the same with the `id` |
//! | `GET /me`, `PATCH /me` | `{"name":"Ada"}` with what a JSON body has besides; asks for the token as `/orders` does |
//! | `GET /admin` | `{"users":N}`, who have logged in, with the basic authentication `admin:admin`, else 401 |
//! | `GET /news?page=N&lang=L` | `{"language":"L","page":N}`, else 400 |
//! | `GET /search?q=TEXT` | `{"hits":N,"query":"TEXT"}`, a hit for each letter; 400 without `q` |
//! | `GET /resources/UUID` | `{"id":"UUID"}` |
//! | `GET /boards/NAME` | HTML with a link to each of eight threads |
//! | `GET /threads/N?page=P` | `{"id":N,"more":…,"page":P}`: there is more but on every fifth page; P is 1 if it is not said |
//! | `POST /threads/N/replies` | of a form with a `text` and a file `photo` (else 400): 201, `{"bytes":…,"thread":N}` |
//! | `GET /queue` | `{"length":9,"state":"open"}`, then 6, 3, 0 (`closed`), 12, and so on |
//! | `GET /products/N` | `{"id":N,"name":"product N","price":3N}` |
//! | `POST /things` | 202, `{"id":"…","n":…,"status":"PENDING"}`: `n` is that of a JSON body, or null |
//! | `GET /things/ID` | `{"id":"…","status":"PENDING"}`, from the third time on `ACTIVE` with a `link`; 404 for an ID that is not known |
//! | `GET /things/ID/link` | `here it is`, or 404 |
//! | `DELETE /things/ID` | 204, and it is known no more; or 404 |
//! | `GET /old` | 302 to `/` |
//! | `GET /flaky` | `yes`, and every third time 503, `no` |
//! | `POST /upload` | of a form: `{"fields":{…},"files":{"NAME":BYTES}}`, the first of each name; 400 for a broken multipart body |
//! | `GET /counts` | `{"logins":{"USER":N},"requests":{"GET /products/<int:number>":N}}`, itself uncounted |
//!
//! `/counts` has the names of Flask: `METHOD /rule`, and `METHOD unknown` for what is answered 404
//! or 405 because there is no such page; methods nobody has heard of are `OTHER`. Of the target's
//! other routes it has `/` alone. The latest million of tokens and of things are known; a million
//! users have logins of their own in the counts, the others one sum, `(others)`.
//!
//! # Delays, faults and ends
//!
//! Answers to the three kinds of delay say how long they were put off: `delayed 12.345678 ms\n`. A
//! delay counts from when the request is reached: requests pipelined on one connection are answered
//! one after the other, in order. A client that closes its side meanwhile is taken to be gone.
//!
//! Other paths are answered 404, and parameters that make no sense 400, and the connection goes on.
//! Requests that are broken (400), too large (413, 431) or need what is not served (417, 501, 505)
//! are answered, and the connection closes.
//!
//! # Example
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::TcpStream;
//!
//! use loadr_target::{RouteKind, Target, TargetOptions};
//!
//! let target = Target::bind(TargetOptions::default())?.spawn()?;
//! let mut client = TcpStream::connect(target.local_addr())?;
//! client.write_all(b"GET /close HTTP/1.1\r\nHost: here\r\n\r\n")?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//! assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
//! assert_eq!(target.stop()?.served(RouteKind::Close), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod answer;
mod body;
mod connection;
mod desk;
mod dialogue;
mod law;
mod listener;
mod options;
mod outbox;
mod query;
mod request;
mod response;
mod route;
mod shared;
mod shop;
mod slab;
mod stall;
mod stats;
mod tail;
mod target;
mod timer;
mod tls;
mod websocket;
mod worker;
mod xmlrpc;

pub use crate::options::{THREADS_MAX, TargetError, TargetOptions};
pub use crate::route::BODY_BYTES_MAX;
pub use crate::stats::{RouteKind, TargetStats};
pub use crate::tail::BODY_PATTERN;
pub use crate::target::{Target, TargetHandle};
pub use crate::tls::TargetTls;
