//! Log lines as Locust writes them, on standard error:
//! `[2026-11-21 00:48:39,696] host/INFO/loadr.run: Ramping to 64 users at once`.

use std::io::Write;

use jiff::Zoned;
use log::LevelFilter;

/// Sets up logging for the process; a second call changes nothing.
pub(crate) fn set_up(level: LevelFilter) {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim().split('.').next().unwrap_or_default().to_owned();
    let logger = env_logger::Builder::new()
        .filter_level(level)
        .format(move |out, record| {
            let time = Zoned::now().strftime("%Y-%m-%d %H:%M:%S,%3f").to_string();
            let level = if record.level() == log::Level::Warn {
                "WARNING"
            } else {
                record.level().as_str()
            };
            let module = record.target().replace("::", ".");
            writeln!(out, "[{time}] {host}/{level}/{module}: {}", record.args())
        })
        .try_init();
    // Somebody who uses the library has a logger of their own: that one stays.
    drop(logger);
}
