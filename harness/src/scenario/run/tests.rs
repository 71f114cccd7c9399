//! Scenarios run against simulated targets, in virtual time; programs alone are run for real.

mod commands;
mod data;
mod drivers;
mod polls;
mod requests;
mod rpc;
mod steps;
mod websockets;
mod world;
