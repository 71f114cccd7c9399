//! The command line through the real binary: what is accepted, what is refused with one line, what is printed where.

#![forbid(unsafe_code)]

mod accepted;
mod limits;
mod outputs;
mod refused;
mod scenarios;
mod settings;
mod signals;
mod subcommands;
mod thresholds;
