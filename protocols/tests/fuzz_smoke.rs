//! The fuzz targets' contract on the stable toolchain, for every test run: the table of vectors,
//! mutated at random from a fixed seed. The real fuzzer (`fuzz/`) goes on from here.
//!
//! To try another seed, change `SEED`; a failure prints the case that reproduces it.

#![forbid(unsafe_code)]

#[path = "http1/vectors.rs"]
mod vectors;
#[path = "websocket/vectors.rs"]
mod websocket_vectors;
#[path = "xmlrpc/vectors.rs"]
mod xmlrpc_vectors;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use loadr_protocols::{
    fuzz,
    websocket::Role,
    xmlrpc::{Value, encode_call},
};

const SEED: u64 = 0x6c6f_6164_7221;
const CASES: u64 = 20_000;

/// Fragments that matter to a parser of responses, to be put where they do not belong.
const FRAGMENTS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b":",
    b"\0",
    b"0",
    b"\r\n\r\n",
    b"0\r\n\r\n",
    b";",
    b"\xff",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 100 \r\n\r\n",
    b"ffffffffffffffff",
];

/// SplitMix64: fifty lines less than a dependency, and the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a [u8]]) -> &'a [u8] {
        from[self.below(from.len())]
    }
}

/// Fragments that matter to a parser of frames.
const FRAMES: &[&[u8]] = &[
    b"\x81\x05Hello",
    b"\x01\x01a",
    b"\x80\x01b",
    b"\x00\x00",
    b"\x89\x00",
    b"\x88\x02\x03\xe8",
    b"\x82\x7e\x00\x80",
    b"\x82\x7f\0\0\0\0\0\x01\0\0",
    b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"\x81\x82\0\0\0\0ab",
    b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00",
    b"\xc1\x05\xf2\x00\x11\x00\x00",
    b"\x00\x00\xff\xff",
    b"\xe2\x82\xac",
    b"\xed\xa0",
    b"\xff",
];

/// Fragments that matter to a reader of XML-RPC.
const ELEMENTS: &[&[u8]] = &[
    b"<",
    b">",
    b"/>",
    b"&",
    b";",
    b"&#x41;",
    b"&#0;",
    b"<!--",
    b"-->",
    b"<![CDATA[",
    b"]]>",
    b"<!DOCTYPE",
    b"<?",
    b"?>",
    b"encoding='iso-8859-1'",
    b"\xe9",
    b"\xff",
    b"\r",
    b"<value>",
    b"</value>",
    b"<value/>",
    b"<nil/>",
    b"<int>",
    b"9223372036854775808",
    b"<array><data>",
    b"</data></array>",
    b"<struct><member><name>",
    b"</name>",
];

fn corpus() -> Vec<Vec<u8>> {
    let good = vectors::GOOD.iter().map(|vector| vector.1);
    let refused = vectors::refused().into_iter().map(|vector| vector.1);
    good.chain(refused).map(<[u8]>::to_vec).collect()
}

/// Frames that are not too long to be read many times.
fn websocket_corpus() -> Vec<(u8, Vec<u8>)> {
    let choice = |terms: fuzz::websocket::Terms| {
        let role = if terms.role == Role::Client { 0 } else { 1 };
        role | if terms.deflate.is_some() { 2 } else { 0 }
    };
    let good = websocket_vectors::good().into_iter().map(|vector| (choice(vector.0), vector.1));
    let refused = websocket_vectors::refused().into_iter();
    let refused = refused.map(|vector| (choice(vector.0), vector.1.to_vec()));
    good.chain(refused).filter(|(_, bytes)| bytes.len() < 1_000).collect()
}

/// Responses, values in one, and a call.
fn xmlrpc_corpus() -> Vec<Vec<u8>> {
    let good = xmlrpc_vectors::good().into_iter().map(|vector| vector.0.to_vec());
    let refused = xmlrpc_vectors::REFUSED.iter().map(|vector| vector.0.to_vec());
    let values = xmlrpc_vectors::REFUSED_VALUES.iter().map(|(value, _)| {
        let before = "<methodResponse><params><param>";
        format!("{before}{value}</param></params></methodResponse>").into_bytes()
    });
    let mut call = Vec::new();
    let params = [Value::from("a<b"), Value::from([1, 2]), Value::structure([("n", Value::Nil)])];
    encode_call("a.b", &params, &mut call).expect("a call that can be sent");
    good.chain(refused).chain(values).chain([call]).collect()
}

/// One vector, sometimes with another or itself behind it.
fn case(random: &mut Random, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut input = random.next().to_le_bytes()[..2].to_vec();
    input.extend(&corpus[random.below(corpus.len())]);
    match random.below(4) {
        0 => input.extend(&corpus[random.below(corpus.len())]),
        1 => input.extend_from_within(2..),
        _ => {}
    }
    input
}

/// The same for frames, most often read as they are meant to be.
fn websocket_case(random: &mut Random, corpus: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let (meant, bytes) = &corpus[random.below(corpus.len())];
    let [any, splits] = [random.next() as u8, random.next() as u8];
    let choice = if random.below(4) == 0 { any } else { any & !3 | meant };
    let mut input = [&[choice, splits], &bytes[..]].concat();
    match random.below(4) {
        0 => input.extend(&corpus[random.below(corpus.len())].1),
        1 => input.extend_from_within(2..),
        _ => {}
    }
    input
}

/// Changes an input a few times, or not at all.
fn mutated(random: &mut Random, mut input: Vec<u8>, fragments: &[&[u8]]) -> Vec<u8> {
    for _ in 0..random.below(5) {
        mutate(random, &mut input, fragments);
    }
    input
}

fn mutate(random: &mut Random, input: &mut Vec<u8>, fragments: &[&[u8]]) {
    let at = random.below(input.len());
    match random.below(5) {
        0 => input.truncate(at),
        1 => drop(input.drain(at..(at + 1 + random.below(4)).min(input.len()))),
        2 => drop(input.splice(at..at, random.pick(fragments).iter().copied())),
        3 if at < input.len() => input[at] ^= 1 << random.below(8),
        _ => {
            let until = (at + random.below(20)).min(input.len());
            let repeated = input[at..until].to_vec();
            drop(input.splice(at..at, repeated));
        }
    }
}

/// Holds `contract` against generated inputs; a failure says which.
#[expect(clippy::disallowed_macros, reason = "a failure has to say which case it was")]
fn smoke(generate: impl Fn(&mut Random) -> Vec<u8>, contract: impl Fn(&[u8])) {
    for number in 0..CASES {
        let seed = SEED.wrapping_add(number.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let input = generate(&mut Random(seed));
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| contract(&input))) {
            eprintln!("case {number}, seed {seed:#x}, input \"{}\"", input.escape_ascii());
            resume_unwind(panic);
        }
    }
}

#[test]
fn mutated_vectors_keep_the_contract() {
    let corpus = corpus();
    let generate = |random: &mut Random| {
        let input = case(random, &corpus);
        mutated(random, input, FRAGMENTS)
    };
    smoke(generate, |input| {
        fuzz::http1_response(input);
        fuzz::http1_splits(input);
    });
}

#[test]
fn mutated_frames_keep_the_contract() {
    let corpus = websocket_corpus();
    let generate = |random: &mut Random| {
        let input = websocket_case(random, &corpus);
        mutated(random, input, FRAMES)
    };
    smoke(generate, |input| {
        fuzz::websocket::websocket_frames(input);
        fuzz::websocket::websocket_splits(input);
    });
}

#[test]
fn mutated_handshakes_keep_the_contract() {
    let good: &[u8] = b"HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\
        Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=12\r\n\r\n";
    let generate = |random: &mut Random| mutated(random, good.to_vec(), FRAGMENTS);
    smoke(generate, fuzz::websocket::websocket_handshake);
}

#[test]
fn mutated_documents_keep_the_contract() {
    let corpus = xmlrpc_corpus();
    let generate = |random: &mut Random| {
        let document = &corpus[random.below(corpus.len())];
        let input = [&[random.next() as u8], &document[..]].concat();
        mutated(random, input, ELEMENTS)
    };
    smoke(generate, |input| {
        fuzz::xmlrpc::xmlrpc_response(input);
        fuzz::xmlrpc::xmlrpc_call(input);
    });
}
