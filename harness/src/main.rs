//! The binary `loadr-bench`: the command line of the crate `loadr`, and nothing else.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    loadr::main(std::env::args_os())
}
