//! The example with a driver: Python's own client, against the XML-RPC server of Locust's old example.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use loadr_tests::on_each_runtime;
use loadr_tests::program::{Invocation, output_of};
use loadr_tests::workspace_root;
use serde_json::Value;

on_each_runtime!(driver);

/// The server, until this is dropped.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start() -> Self {
        let mut command = Command::new("python3");
        command.arg(workspace_root().join("tests/data/xmlrpc_server.py"));
        command.args(["--port", "0", "--sleep", "0.01"]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = child.spawn().expect("python3 can be run");
        let output = child.stdout.take().expect("it is piped");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).expect("it says where it listens");
        let url = line.trim().rsplit(' ').next().unwrap_or_default().to_owned();
        let server = Self { child, url };
        assert!(server.url.starts_with("http://127.0.0.1:"), "{line}");
        server
    }

    /// Calls that it has had of this method.
    fn count(&self, method: &str) -> u64 {
        let script = "import sys, xmlrpc.client; \\
                      print(xmlrpc.client.ServerProxy(sys.argv[1]).counts().get(sys.argv[2], 0))";
        let output = output_of("python3", &["-c", script, &self.url, method]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).trim().parse().expect("a count")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn driver(runtime: &str) {
    let server = Server::start();
    let file = workspace_root().join("harness/examples/driver.toml");
    // The place of the server is told in a variable, as people would.
    let assignment = format!("SERVER={}", server.url);
    let program = Invocation::new(["-f".as_ref(), file.as_os_str()]).under("env", [assignment]);
    let line = "-u 10 -r 100 -i 60 --shards 2 --headless --only-summary --runtime";
    let (finished, saved) = program.and(line.split_whitespace()).and([runtime]).run_saved();
    finished.expect_code(0);
    saved.expect_consistent();
    assert_eq!((saved.failures(), saved.cut_off()), (0, 0), "{finished}");
    let entries = saved["entries"].as_array().expect("a list");
    let of = |method: &str, name: &str| {
        let is_meant = |entry: &&Value| entry["method"] == method && entry["name"] == name;
        entries.iter().find(is_meant).unwrap_or_else(|| panic!("no {name}\n{finished}"))
    };
    let ours = ["get_time", "get_random_number"].map(|name| {
        let entry = of("xmlrpc", name);
        assert!(entry["body_bytes"].as_u64() > Some(100), "the server's bytes\n{finished}");
        entry["requests"].as_u64().expect("a count")
    });
    assert_eq!(
        ours,
        ["get_time", "get_random_number"].map(|name| server.count(name)),
        "{finished}"
    );
    assert_eq!(ours.iter().sum::<u64>(), 60, "{finished}");
    assert_eq!(of("DRIVER", "start")["requests"], 10, "{finished}");
}
