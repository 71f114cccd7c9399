//! The fuzz targets' contract on the stable toolchain, for every test run: the table of vectors,
//! mutated at random from a fixed seed. The real fuzzer (`fuzz/`) goes on from here.
//!
//! To try another seed, change `SEED`; a failure prints the case that reproduces it.

#![forbid(unsafe_code)]

#[path = "http1/vectors.rs"]
mod vectors;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use loadr_protocols::fuzz;

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

fn corpus() -> Vec<&'static [u8]> {
    let good = vectors::GOOD.iter().map(|vector| vector.1);
    good.chain(vectors::refused().into_iter().map(|vector| vector.1)).collect()
}

/// One vector, sometimes with another or itself behind it, mutated a few times or not at all.
fn case(random: &mut Random, corpus: &[&[u8]]) -> Vec<u8> {
    let mut input = random.next().to_le_bytes()[..2].to_vec();
    input.extend(random.pick(corpus));
    match random.below(4) {
        0 => input.extend(random.pick(corpus)),
        1 => input.extend_from_within(2..),
        _ => {}
    }
    for _ in 0..random.below(5) {
        mutate(random, &mut input);
    }
    input
}

fn mutate(random: &mut Random, input: &mut Vec<u8>) {
    let at = random.below(input.len());
    match random.below(5) {
        0 => input.truncate(at),
        1 => drop(input.drain(at..(at + 1 + random.below(4)).min(input.len()))),
        2 => drop(input.splice(at..at, random.pick(FRAGMENTS).iter().copied())),
        3 if at < input.len() => input[at] ^= 1 << random.below(8),
        _ => {
            let until = (at + random.below(20)).min(input.len());
            let repeated = input[at..until].to_vec();
            drop(input.splice(at..at, repeated));
        }
    }
}

#[test]
#[expect(clippy::disallowed_macros, reason = "a failure has to say which case it was")]
fn mutated_vectors_keep_the_contract() {
    let corpus = corpus();
    for number in 0..CASES {
        let seed = SEED.wrapping_add(number.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let input = case(&mut Random(seed), &corpus);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            fuzz::http1_response(&input);
            fuzz::http1_splits(&input);
        }));
        if let Err(panic) = outcome {
            eprintln!("case {number}, seed {seed:#x}, input \"{}\"", input.escape_ascii());
            resume_unwind(panic);
        }
    }
}
