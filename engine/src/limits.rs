//! Limits of the process that a load generator runs into, with the figures found.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that the process needs beside its users' connections: rings, timers, files, standard streams.
pub const DESCRIPTORS_RESERVED: u64 = 64;

/// The limit on open descriptors, after the soft limit was raised to the hard one; `None` where there is no limit.
pub fn raise_descriptor_limit() -> Option<u64> {
    let found = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: found.maximum, maximum: found.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => found.maximum,
        Err(_) => found.current,
    }
}

/// Bytes of memory that this process may lock; `None` where there is no limit.
pub fn locked_memory_limit() -> Option<u64> {
    getrlimit(Resource::Memlock).current
}

/// Says in one line that rings of `needed_bytes` found too little lockable memory, and what to do.
pub(crate) fn explain_locked_memory(needed_bytes: u64) -> String {
    let needed_kib = needed_bytes.div_ceil(1024);
    let found = match locked_memory_limit() {
        Some(limit) => format!("{} KiB", limit / 1024),
        None => "no limit".to_owned(),
    };
    format!(
        "not enough lockable memory for a shard's rings: the limit is {found}, {needed_kib} KiB are needed a shard; \
         raise it with ulimit -l (LimitMEMLOCK= in systemd, --ulimit memlock= in docker)"
    )
}

/// Local ports that one source address can use towards one destination, or `None` where the kernel does not say.
pub fn ephemeral_ports() -> Option<u64> {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let (first, last) = range.trim().split_once(char::is_whitespace)?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.trim().parse().ok()?);
    Some((last + 1).saturating_sub(first))
}
