//! Properties over generated input: what is encoded is decoded, splits never matter, and whatever
//! the builder lets through an independent parser reads back.

use loadr_protocols::{
    fuzz::{self, Seen, transcript},
    http1::{End, Limits, Method, RequestBuilder, RequestKind, Version},
};
use proptest::{prelude::*, sample::Index};

/// A response as a server would make it, with all that the decoder may not depend on.
#[derive(Clone, Debug)]
struct Response {
    status: u16,
    fields: Vec<(String, String)>,
    interim: usize,
    framing: Framing,
    body: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Framing {
    Length,
    /// Where the body is cut into chunks, an extension for each, trailers.
    Chunked(Vec<Index>, String, usize),
}

impl Response {
    fn encode_head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Some reason\r\n", self.status);
        for (name, value) in &self.fields {
            head += &format!("{name}: {value}\r\n");
        }
        match &self.framing {
            Framing::Length => head += &format!("Content-Length: {}\r\n", self.body.len()),
            Framing::Chunked(..) => head += "transfer-encoding: chunked\r\n",
        }
        (head + "\r\n").into_bytes()
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".repeat(self.interim);
        out.extend(self.encode_head());
        match &self.framing {
            Framing::Length => out.extend(&self.body),
            Framing::Chunked(cuts, extension, trailers) => {
                self.encode_chunks(&mut out, cuts, extension);
                out.extend(b"Trailer-Field: value\r\n".repeat(*trailers));
                out.extend(b"\r\n");
            }
        }
        out
    }

    fn encode_chunks(&self, out: &mut Vec<u8>, cuts: &[Index], extension: &str) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(self.body.len() + 1)).collect();
        cuts.extend([0, self.body.len()]);
        cuts.sort_unstable();
        cuts.dedup();
        for cut in cuts.windows(2) {
            let chunk = &self.body[cut[0]..cut[1]];
            out.extend(format!("{:X}{extension}\r\n", chunk.len()).bytes());
            out.extend(chunk);
            out.extend(b"\r\n");
        }
        out.extend(b"0\r\n");
    }

    fn expected(&self) -> Vec<Seen> {
        let mut seen = vec![Seen::Interim(103); self.interim];
        seen.push(Seen::Head(Version::Http11, self.status, self.encode_head()));
        if !self.body.is_empty() {
            seen.push(Seen::Body(self.body.clone()));
        }
        let (body_bytes, wire_bytes) = (self.body.len() as u64, self.encode().len() as u64);
        seen.push(Seen::End(End { keep_alive: true, body_bytes, wire_bytes }));
        seen
    }
}

fn framing() -> impl Strategy<Value = Framing> {
    let cuts = prop::collection::vec(any::<Index>(), 0..4);
    let extension = prop_oneof![Just(String::new()), "( ?;[a-z]{1,5}(=\"[a-z; ]{0,5}\")?){1,2}"];
    prop_oneof![
        Just(Framing::Length),
        (cuts, extension, 0..3usize).prop_map(|(cuts, extension, trailers)| {
            Framing::Chunked(cuts, extension, trailers)
        }),
    ]
}

fn response() -> impl Strategy<Value = Response> {
    let status = (200..600u16).prop_filter("has a body", |status| !matches!(status, 204 | 304));
    let field = ("X-[A-Za-z0-9!#$%&'*+.^_`|~-]{1,12}", "([!-~]([ -~]{0,20}[!-~])?)?");
    let fields = prop::collection::vec(field, 0..6);
    let body = prop::collection::vec(any::<u8>(), 0..200);
    (status, fields, 0..3usize, framing(), body).prop_map(
        |(status, fields, interim, framing, body)| Response {
            status,
            fields,
            interim,
            framing,
            body,
        },
    )
}

/// Cuts `bytes` at the given positions.
fn split<'b>(bytes: &'b [u8], cuts: &[Index]) -> Vec<&'b [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect()
}

/// Bytes that get past a status line more often than chance would.
fn response_like() -> impl Strategy<Value = Vec<u8>> {
    let any_bytes = prop::collection::vec(any::<u8>(), 0..40);
    let piece = prop_oneof![
        Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Just(b"HTTP/1.0 304 \r\n".to_vec()),
        Just(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()),
        Just(b"Content-Length: 3\r\n".to_vec()),
        Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
        Just(b"Connection: close\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"3\r\nabc\r\n".to_vec()),
        Just(b"0\r\n\r\n".to_vec()),
        Just(b"\n".to_vec()),
        any_bytes.clone(),
    ];
    prop_oneof![any_bytes, prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn responses_decode_to_what_was_encoded(
        responses in prop::collection::vec(response(), 1..4),
        cuts in prop::collection::vec(any::<Index>(), 0..12),
    ) {
        let bytes: Vec<u8> = responses.iter().flat_map(Response::encode).collect();
        let expected: Vec<Seen> = responses.iter().flat_map(Response::expected).collect();
        let awaited = vec![RequestKind::Other; responses.len()];
        let seen = transcript(&awaited, Limits::default(), split(&bytes, &cuts));
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn heads_read_as_an_independent_parser_reads_them(response in response()) {
        let bytes = response.encode_head();
        let mut headers = [httparse::EMPTY_HEADER; 16];
        let mut theirs = httparse::Response::new(&mut headers);
        prop_assert!(theirs.parse(&bytes).is_ok_and(|status| status.is_complete()));
        let mut decoder = loadr_protocols::http1::ResponseDecoder::default();
        decoder.expect(RequestKind::Head);
        let mut buffer = loadr_protocols::buffer::ReceiveBuffer::default();
        buffer.spare(bytes.len()).unwrap()[..bytes.len()].copy_from_slice(&bytes);
        buffer.advance(bytes.len());
        let event = decoder.next(&mut buffer).unwrap().unwrap();
        let loadr_protocols::http1::Event::Head(ours) = event else { panic!("{event:?}") };
        prop_assert_eq!(Some(ours.status()), theirs.code);
        prop_assert_eq!(ours.reason(), theirs.reason.unwrap().as_bytes());
        let fields = theirs.headers.iter().map(|field| (field.name.as_bytes(), field.value));
        prop_assert!(ours.headers().eq(fields));
    }

    #[test]
    fn requests_are_read_back_by_an_independent_parser(
        method in "[A-Z]{1,8}",
        target in "/[!-~]{0,30}",
        fields in prop::collection::vec(("X-[a-zA-Z0-9-]{1,10}", "([!-~]([ -~]{0,9}[!-~])?)?"), 0..8),
        body in prop::option::of(prop::collection::vec(any::<u8>(), 0..50)),
        close in any::<bool>(),
    ) {
        let method: Method = method.parse().unwrap();
        prop_assume!(method != Method::Trace);
        let mut builder = RequestBuilder::new(method.clone(), target.clone()).connection_close(close);
        for (name, value) in &fields {
            builder = builder.header(name, value);
        }
        if let Some(body) = &body {
            builder = builder.body(body.clone());
        }
        let template = builder.header("Host", "example.com").build().unwrap();

        let mut headers = [httparse::EMPTY_HEADER; 16];
        let mut request = httparse::Request::new(&mut headers);
        let status = request.parse(template.bytes()).unwrap();
        prop_assert!(status.is_complete());
        prop_assert_eq!(&template.bytes()[status.unwrap()..], body.as_deref().unwrap_or_default());
        prop_assert_eq!(request.method, Some(method.as_str()));
        prop_assert_eq!(request.path, Some(target.as_str()));
        let find = |name: &str| request.headers.iter().find(|field| field.name == name);
        prop_assert_eq!(request.headers[0].name, "Host");
        prop_assert_eq!(find("Connection").is_some(), close);
        for (name, _) in &fields {
            let given: Vec<_> = fields.iter().filter(|field| &field.0 == name).collect();
            let read = request.headers.iter().filter(|field| field.name == name);
            prop_assert!(read.map(|field| field.value).eq(given.iter().map(|f| f.1.as_bytes())));
        }
    }

    #[test]
    fn any_bytes_split_anywhere_give_the_same_events(
        choice in any::<[u8; 2]>(),
        bytes in response_like(),
    ) {
        let input = [&choice[..], &bytes].concat();
        fuzz::http1_response(&input);
        fuzz::http1_splits(&input);
    }
}
