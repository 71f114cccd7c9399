//! A target from binding to stopping.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::listener::Listener;
use crate::options::{TargetError, TargetOptions};
use crate::shared::Shared;
use crate::stats::TargetStats;
use crate::tls::TargetTls;
use crate::worker::{Worker, pin};

/// How often [`Target::run`] looks at its stop flag.
const STOP_POLL: Duration = Duration::from_millis(20);

/// A server that listens and does not answer yet: clients that connect wait.
#[derive(Debug)]
pub struct Target {
    options: TargetOptions,
    local_addr: SocketAddr,
    shared: Arc<Shared>,
    workers: Vec<Worker>,
}

impl Target {
    /// Opens everything that serving takes, and listens.
    ///
    /// # Errors
    /// Whatever cannot be opened: see [`TargetError`].
    pub fn bind(options: TargetOptions) -> Result<Self, TargetError> {
        options.check()?;
        let tls = options.tls.as_ref().map(TargetTls::server_config).transpose()?;
        let (tcp, local_addr) = Listener::tcp(options.address)?;
        let mut listeners = vec![tcp];
        if let Some(path) = &options.unix_socket {
            listeners.push(Listener::unix(path)?);
        }
        let shared = Shared::new(options.threads).map(Arc::new);
        let shared = shared.map_err(|source| TargetError::Setup { what: "eventfd", source })?;
        let workers = (0..options.threads)
            // The first thread takes all listeners.
            .map(|index| {
                let listeners = std::mem::take(&mut listeners);
                Worker::new(index, Arc::clone(&shared), listeners, tls.clone())
            })
            .collect::<io::Result<_>>()
            .map_err(|source| TargetError::Setup { what: "epoll and timerfd", source })?;
        Ok(Self { options, local_addr, shared, workers })
    }

    /// The TCP address that the target listens on, with its actual port.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Starts the server threads; they are pinned and serving when this returns.
    ///
    /// # Errors
    /// [`TargetError::Setup`] if a thread cannot be started, [`TargetError::Pin`] if one may not
    /// run on its CPU.
    pub fn spawn(self) -> Result<TargetHandle, TargetError> {
        let (ready, started) = channel();
        let mut handle =
            TargetHandle { local_addr: self.local_addr, shared: self.shared, threads: Vec::new() };
        for (index, worker) in self.workers.into_iter().enumerate() {
            let (cpu, ready) = (self.options.cpu_of(index), ready.clone());
            let thread = Builder::new()
                .name(format!("target-{index}"))
                .spawn(move || start(index, worker, cpu, ready))
                .map_err(|source| TargetError::Setup { what: "thread", source })?;
            handle.threads.push(thread);
        }
        drop(ready);
        await_start(&started)?;
        Ok(handle)
    }

    /// Serves until `stop` is set (it is looked at every 20 ms), and tells what was served.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn) and [`TargetHandle::stop`]; a thread that fails ends the run.
    pub fn run(self, stop: &AtomicBool) -> Result<TargetStats, TargetError> {
        let handle = self.spawn()?;
        while !stop.load(Ordering::Acquire) && handle.is_serving() {
            std::thread::sleep(STOP_POLL);
        }
        handle.stop()
    }
}

fn start(
    index: usize,
    worker: Worker,
    cpu: Option<usize>,
    ready: Sender<Result<(), TargetError>>,
) -> Result<(), TargetError> {
    let pinned = cpu.map_or(Ok(()), |cpu| {
        pin(cpu).map_err(|source| TargetError::Pin { thread: index, cpu, source })
    });
    let is_pinned = pinned.is_ok();
    // Nobody listens any more when another thread could not start; stopping is on its way then.
    let _told = ready.send(pinned);
    // Who started the threads waits until all senders are gone.
    drop(ready);
    if !is_pinned {
        return Ok(());
    }
    worker.run().map_err(|source| TargetError::Serve { thread: index, source })
}

/// Waits until each thread has said that it serves; the senders are gone when the last one has.
fn await_start(started: &Receiver<Result<(), TargetError>>) -> Result<(), TargetError> {
    started.iter().collect()
}

/// A target that serves; dropping it stops it.
#[derive(Debug)]
pub struct TargetHandle {
    local_addr: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Result<(), TargetError>>>,
}

impl TargetHandle {
    /// The TCP address that the target listens on, with its actual port.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// What has been served so far.
    pub fn stats(&self) -> TargetStats {
        self.shared.stats()
    }

    /// Whether all server threads run.
    pub fn is_serving(&self) -> bool {
        !self.threads.iter().any(JoinHandle::is_finished)
    }

    /// Closes all connections, whatever they are doing, and tells what was served.
    ///
    /// # Errors
    /// The first thread that had failed before: [`TargetError::Serve`] or
    /// [`TargetError::Panicked`].
    pub fn stop(mut self) -> Result<TargetStats, TargetError> {
        self.join()?;
        Ok(self.shared.stats())
    }

    fn join(&mut self) -> Result<(), TargetError> {
        self.shared.stop();
        let mut outcome = Ok(());
        for (index, thread) in self.threads.drain(..).enumerate() {
            let ended = thread.join().unwrap_or(Err(TargetError::Panicked { thread: index }));
            outcome = outcome.and(ended);
        }
        outcome
    }
}

impl Drop for TargetHandle {
    fn drop(&mut self) {
        // Who wants to know how it ended calls `stop`.
        let _ended = self.join();
    }
}
