//! The examples with databases: what we counted is what the database has.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use loadr_tests::on_each_runtime;
use loadr_tests::program::{Finished, Invocation, example};
use loadr_tests::saved::Saved;
use tempfile::TempDir;

use super::PATIENCE;

on_each_runtime!(queries_of_a_tokio_client, calls_of_a_library_that_blocks);

/// Runs an example for a hundred and fifty tasks of six users, who all do well.
#[track_caller]
fn run(runtime: &str, name: &str, own: [&str; 2], flags: &str) -> (Finished, Saved) {
    let line = "-u 6 -r 100 -i 150 --shards 2 --only-summary";
    let invocation = Invocation::of(example(name), own).and(line.split_whitespace());
    let (finished, saved) =
        invocation.and(["--runtime", runtime]).and(flags.split_whitespace()).run_saved();
    finished.expect_code(0);
    saved.expect_consistent();
    assert_eq!(saved.failures(), 0, "{finished}");
    assert!(finished.stdout.contains("\nBridge "), "{finished}");
    (finished, saved)
}

/// Requests counted as type `SQL` under this name.
#[track_caller]
fn count(saved: &Saved, name: &str) -> u64 {
    let entries = saved["entries"].as_array().expect("a list");
    let entry = entries.iter().find(|entry| entry["method"] == "SQL" && entry["name"] == name);
    let entry = entry.unwrap_or_else(|| panic!("nothing of {name}: {entries:#?}"));
    entry["requests"].as_u64().expect("a count")
}

fn queries_of_a_tokio_client(runtime: &str) {
    let postgres = Postgres::start();
    let own = ["--database", &postgres.location()];
    let (finished, saved) = run(runtime, "postgres", own, "");
    let (inserts, selects) = (count(&saved, "insert order"), count(&saved, "select orders"));
    assert_eq!((count(&saved, "connect"), inserts + selects), (6, 150), "{finished}");
    assert_eq!(postgres.ask("SELECT count(*) FROM orders"), inserts.to_string(), "{finished}");
    // Two pieces for each connection and one for each query.
    assert_eq!(saved["bridge"]["begun"], 6 * 2 + 150, "{finished}");
    assert_eq!(saved["bridge"]["entries"][0]["name"], "tokio");
}

/// Six users share two threads a shard.
fn calls_of_a_library_that_blocks(runtime: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("shop.sqlite");
    let own = ["--file", file.to_str().expect("a plain path")];
    let (finished, saved) = run(runtime, "sqlite", own, "--blocking-threads 2");
    let (inserts, selects) = (count(&saved, "insert order"), count(&saved, "select orders"));
    assert_eq!((count(&saved, "open"), inserts + selects), (6, 150), "{finished}");
    let database = rusqlite::Connection::open(&file).expect("it is there");
    let rows = database.query_row("SELECT count(*) FROM orders", [], |row| row.get::<_, i64>(0));
    assert_eq!(rows.expect("it has the table"), inserts.cast_signed(), "{finished}");
    assert_eq!(saved["bridge"]["begun"], 156, "{finished}");
    assert_eq!(saved["bridge"]["entries"][0]["name"], "blocking");
}

/// A PostgreSQL of Debian's, on a socket in a folder of its own; it ends with this.
struct Postgres {
    child: Child,
    folder: TempDir,
}

impl Postgres {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        if is_root() {
            // It refuses to run as root.
            let id = Some(NOBODY);
            std::os::unix::fs::chown(folder.path(), id, id).expect("root may give a folder away");
        }
        let mut command = as_nobody(&program("initdb"));
        command.args(["--no-sync", "--username", "postgres", "--auth", "trust", "--pgdata"]);
        let made = command.arg(&data).output().expect("initdb can be run");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut command = as_nobody(&program("postgres"));
        command.args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=16MB"]);
        command.arg("-k").arg(folder.path()).arg("-D").arg(&data).stdin(Stdio::null());
        let log = fs::File::create(folder.path().join("log")).expect("a file");
        let child = command.stdout(Stdio::null()).stderr(log).spawn().expect("postgres can be run");
        let mut postgres = Self { child, folder };
        let begun = Instant::now();
        while postgres.try_ask("SELECT 1").is_none() {
            let ended = postgres.child.try_wait().expect("a child can be waited for");
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "{}", postgres.log());
            thread::sleep(std::time::Duration::from_millis(20));
        }
        postgres
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// As libpq has it.
    fn location(&self) -> String {
        format!("host={} user=postgres", self.folder.path().display())
    }

    /// The only value of the only row of what `query` gives.
    fn ask(&self, query: &str) -> String {
        self.try_ask(query).unwrap_or_else(|| panic!("{query}: {}", self.log()))
    }

    fn try_ask(&self, query: &str) -> Option<String> {
        let mut command = Command::new(program("psql"));
        command.args(["-h", self.folder.path().to_str()?, "-U", "postgres", "-At", "-c", query]);
        let answered = command.output().expect("psql can be run");
        let text = String::from_utf8_lossy(&answered.stdout).trim().to_owned();
        answered.status.success().then_some(text)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // At once, taking its workers along; killed, it would leave them behind.
        let leader = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(leader, rustix::process::Signal::QUIT);
        let _ = self.child.wait();
    }
}

/// User and group of Debian's `nobody` and `nogroup`.
const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// `program`, by somebody who is not root.
fn as_nobody(program: &Path) -> Command {
    let mut command = Command::new(program);
    if is_root() {
        use std::os::unix::process::CommandExt;
        command.uid(NOBODY).gid(NOBODY).current_dir("/");
    }
    command
}

/// Debian keeps what belongs to one version out of the search path.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions
        .map(|version| version.path().join("bin").join(name))
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| PathBuf::from(name))
}
