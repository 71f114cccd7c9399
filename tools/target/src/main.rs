//! The bundled target on its own, for benches that want it in a process apart.
//!
//! `loadr-target [--port N] [--cpu N]... [--threads N]` serves on 127.0.0.1 until it is killed, and
//! prints its address once it serves. `--tls` serves TLS with a self-signed certificate, which
//! `--tls-write-cert FILE` saves; `--tls-cert FILE --tls-key FILE` brings another. `loadr-bench
//! target` is the same for people, with help and all options.

#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use loadr_target::{Target, TargetOptions, TargetTls};

const USAGE: &str = "usage: loadr-target [--port N] [--cpu N]... [--threads N] [--tls] \
                     [--tls-write-cert FILE] [--tls-cert FILE --tls-key FILE]";

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
    let scheme = if options.tls.is_some() { "https" } else { "http" };
    let target = Target::bind(options).map_err(|error| error.to_string())?;
    println!("{scheme}://{}/", target.local_addr());
    // A signal ends the process; there is nothing to save.
    let never = AtomicBool::new(false);
    target.run(&never).map(drop).map_err(|error| error.to_string())
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<TargetOptions, String> {
    let mut options = TargetOptions::default();
    let mut tls = TlsFlags::default();
    while let Some(flag) = arguments.next() {
        if flag == "--tls" {
            tls.is_on = true;
            continue;
        }
        let value = arguments.next().ok_or_else(|| format!("{flag} takes a value; {USAGE}"))?;
        let wrong = |_| format!("{flag} takes a number, not {value:?}; {USAGE}");
        match flag.as_str() {
            "--port" => options.address.set_port(value.parse().map_err(wrong)?),
            "--cpu" => options.cpus.push(value.parse().map_err(wrong)?),
            "--threads" => options.threads = value.parse().map_err(wrong)?,
            "--tls-cert" => tls.certificate = Some(value.into()),
            "--tls-key" => tls.key = Some(value.into()),
            "--tls-write-cert" => tls.write_certificate = Some(value.into()),
            _ => return Err(format!("unknown flag {flag}; {USAGE}")),
        }
    }
    options.tls = tls.certificate()?;
    Ok(options)
}

/// The flags about TLS, as given.
#[derive(Default)]
struct TlsFlags {
    is_on: bool,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    write_certificate: Option<PathBuf>,
}

impl TlsFlags {
    fn certificate(&self) -> Result<Option<TargetTls>, String> {
        let tls = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => TargetTls::read(certificate, key),
            (None, None) if self.is_on => TargetTls::self_signed(),
            (None, None) if self.write_certificate.is_none() => return Ok(None),
            (None, None) => return Err(format!("--tls-write-cert takes --tls; {USAGE}")),
            _ => return Err(format!("--tls-cert and --tls-key go together; {USAGE}")),
        };
        let tls = tls.map_err(|error| error.to_string())?;
        self.write_certificate.as_deref().map_or(Ok(()), |path| write(path, &tls))?;
        Ok(Some(tls))
    }
}

fn write(path: &Path, tls: &TargetTls) -> Result<(), String> {
    let written = std::fs::write(path, tls.certificate_pem());
    written.map_err(|error| format!("cannot write {}: {error}", path.display()))
}
