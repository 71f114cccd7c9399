//! Requests into bytes: once for each request of a plan, and for a batch when pipelining.
//!
//! Neither is on the path of an exchange, which sends the bytes again and again, so both allocate.

use std::hint::black_box;

use bytes::Bytes;
use loadr_protocols::http1::{Method, RequestBuilder, RequestTemplate};

use super::digest::Digest;
use super::{Measured, Workload};

/// A GET with five fields: checked, encoded, dropped.
pub(crate) static BUILD: Workload = Workload {
    group: "encode",
    name: "build",
    operations: 1_000,
    digest: 0x40b3_85db_7a09_88ac,
    start: || Box::new(Build { last: template() }),
};

/// Sixteen copies of that request back to back, as one allocation.
pub(crate) static REPEATED_16: Workload = Workload {
    group: "encode",
    name: "repeated_16",
    operations: 1_000,
    digest: 0x93b5_9aa7_aabd_3da5,
    start: || Box::new(Repeated { template: template(), last: Bytes::new() }),
};

fn template() -> RequestTemplate {
    RequestBuilder::new(Method::Get, black_box("/shop/items?page=3&sort=price"))
        .header("Host", "shop.example:8080")
        .header("User-Agent", "loadr-bench/0.1")
        .header("Accept", "application/json")
        .header("Authorization", "Basic bG9hZHI6c2VjcmV0")
        .header("X-Request-Source", "micro-bench")
        .build()
        .expect("the request is a valid one")
}

struct Build {
    last: RequestTemplate,
}

impl Measured for Build {
    fn run(&mut self, operations: u64) {
        for _ in 0..operations {
            self.last = black_box(template());
        }
    }

    fn digest(self: Box<Self>) -> u64 {
        Digest::new().bytes(self.last.bytes()).finish()
    }
}

struct Repeated {
    template: RequestTemplate,
    last: Bytes,
}

impl Measured for Repeated {
    fn run(&mut self, operations: u64) {
        for _ in 0..operations {
            self.last = black_box(self.template.repeated(black_box(16)));
        }
    }

    fn digest(self: Box<Self>) -> u64 {
        Digest::new().bytes(&self.last).finish()
    }
}
