//! `demo` and `target`: the bundled server, under load or alone.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use loadr_engine::shard::placement::Allowance;
use loadr_target::{Target, TargetError, TargetHandle, TargetOptions, TargetTls};

use crate::cli::plan::{Plan, PlanError};
use crate::cli::{LoadArgs, TargetArgs};
use crate::run::{self, RunError};

/// Why the bundled target could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("cannot write the certificate to {}: {source}", path.display())]
    WriteCertificate { path: PathBuf, source: std::io::Error },
    #[error("signals cannot be caught: {0}")]
    Signals(std::io::Error),
    #[error("demo loads its own target: leave out the URL, or leave out 'demo'")]
    UrlGiven,
}

/// Starts the bundled target on a free port, loads it, and gives the run's exit code.
pub(crate) fn demo(mut args: LoadArgs) -> Result<u8, DemoError> {
    if !args.urls.is_empty() || args.urls_file.is_some() || args.host.is_some() {
        return Err(DemoError::UrlGiven);
    }
    let target = start_target()?;
    args.urls = vec![format!("http://{}/", target.local_addr())];
    let exit_code = run::execute(Plan::of_urls(&args, 2)?)?;
    target.stop()?;
    Ok(exit_code)
}

/// On the last CPU, which shards leave to a local target by default.
fn start_target() -> Result<TargetHandle, TargetError> {
    let cpus = Allowance::of_this_process().cpus;
    let last = if cpus.len() > 1 { cpus.last().copied() } else { None };
    Target::bind(TargetOptions { cpus: last.into_iter().collect(), ..TargetOptions::default() })?
        .spawn()
}

/// Serves the bundled target until interrupted.
pub(crate) fn target(args: TargetArgs) -> Result<u8, DemoError> {
    let tls = certificate(&args)?;
    let cpus = args.cpus.map(|list| list.0).unwrap_or_default();
    let scheme = if tls.is_some() { "https" } else { "http" };
    let options = TargetOptions {
        address: (args.bind, args.port).into(),
        unix_socket: args.unix_socket,
        threads: cpus.len().max(1),
        cpus,
        tls,
    };
    let target = Target::bind(options)?;
    let stop = catch_interrupt().map_err(DemoError::Signals)?;
    // A script that starts the target waits for this line to learn the port.
    println!("target listening on {scheme}://{}/", target.local_addr());
    if args.tls && args.tls_cert.is_none() {
        eprintln!("its certificate is self-signed: {}", trust_hint(args.tls_write_cert.as_deref()));
    }
    let stats = target.run(&stop)?;
    eprintln!("{} requests served", stats.requests());
    Ok(0)
}

/// The certificate to serve TLS with, if that is asked for, saved where it is to be.
fn certificate(args: &TargetArgs) -> Result<Option<TargetTls>, DemoError> {
    if let (Some(certificate), Some(key)) = (&args.tls_cert, &args.tls_key) {
        return Ok(Some(TargetTls::read(certificate, key)?));
    }
    if !args.tls {
        return Ok(None);
    }
    let tls = TargetTls::self_signed()?;
    if let Some(path) = &args.tls_write_cert {
        let written = std::fs::write(path, tls.certificate_pem());
        written.map_err(|source| DemoError::WriteCertificate { path: path.clone(), source })?;
    }
    Ok(Some(tls))
}

/// How to load a target whose certificate no authority has signed.
fn trust_hint(certificate: Option<&Path>) -> String {
    match certificate {
        Some(path) => format!("load it with --cacert {} or with --insecure", path.display()),
        None => {
            "load it with --insecure, or save it with --tls-write-cert and give --cacert".into()
        }
    }
}

fn catch_interrupt() -> std::io::Result<std::sync::Arc<AtomicBool>> {
    let stop = std::sync::Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, std::sync::Arc::clone(&stop))?;
    }
    Ok(stop)
}
