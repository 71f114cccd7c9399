//! The bundled target on its own, for benches that want it in a process apart.
//!
//! `loadr-target [--port N] [--cpu N]... [--threads N]` serves on 127.0.0.1 until it is killed, and
//! prints its address once it serves. `loadr-bench target` is the same for people, with help and
//! all options.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use loadr_target::{Target, TargetOptions};

const USAGE: &str = "usage: loadr-target [--port N] [--cpu N]... [--threads N]";

fn main() -> ExitCode {
    match options(std::env::args().skip(1)).and_then(serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("loadr-target: {message}");
            ExitCode::from(2)
        }
    }
}

fn serve(options: TargetOptions) -> Result<(), String> {
    let target = Target::bind(options).map_err(|error| error.to_string())?;
    println!("http://{}/", target.local_addr());
    // A signal ends the process; there is nothing to save.
    let never = AtomicBool::new(false);
    target.run(&never).map(drop).map_err(|error| error.to_string())
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<TargetOptions, String> {
    let mut options = TargetOptions::default();
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{flag} takes a number; {USAGE}"))?;
        let wrong = |_| format!("{flag} takes a number, not {value:?}; {USAGE}");
        match flag.as_str() {
            "--port" => options.address.set_port(value.parse().map_err(wrong)?),
            "--cpu" => options.cpus.push(value.parse().map_err(wrong)?),
            "--threads" => options.threads = value.parse().map_err(wrong)?,
            _ => return Err(format!("unknown flag {flag}; {USAGE}")),
        }
    }
    Ok(options)
}
