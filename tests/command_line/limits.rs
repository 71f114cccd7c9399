//! What the system refuses: descriptors, io_uring, lockable memory.

use std::time::Duration;

use loadr_tests::program::{Invocation, output_of};
use loadr_tests::{start_target, url};

/// Makes the kernel refuse io_uring to what it runs; see its source.
const WITHOUT_IO_URING: &str = env!("CARGO_BIN_EXE_without_io_uring");

#[test]
fn too_many_users_for_the_descriptors_are_refused_with_both_figures() {
    output_of("prlimit", &["--version"]);
    let invocation = Invocation::words("-u 500 http://127.0.0.1:9/");
    let finished = invocation.under("prlimit", ["--nofile=200:300"]).run();
    let line = finished.expect_one_line();
    // The soft limit is raised to the hard one first.
    assert!(line.contains("limit is 300") && line.contains("500 users need"), "{line}");
    assert!(line.contains("ulimit -n"), "{line}");
}

#[test]
fn a_soft_limit_is_raised_for_the_users() {
    let target = start_target();
    let invocation = Invocation::new(["-u", "150", "-n", "300", &url(&target, "/")]);
    let (finished, saved) = invocation.under("prlimit", ["--nofile=64:1000"]).run_saved();
    finished.expect_code(0);
    assert_eq!(saved.requests(), 300);
}

/// Without io_uring, `auto` says so in a line with the reason, and takes epoll.
#[test]
fn auto_falls_back_to_epoll() {
    let target = start_target();
    let invocation = Invocation::new(["-n", "100", "-u", "3", &url(&target, "/")]);
    let (finished, saved) = invocation.under(WITHOUT_IO_URING, [""; 0]).run_saved();
    finished.expect_code(0);
    assert_eq!(saved.requests(), 100);
    assert_eq!(saved["environment"]["runtime"]["asked"], "auto");
    assert_eq!(saved["environment"]["runtime"]["used"], "monoio-epoll");
    let told = finished.stderr.lines().filter(|line| line.contains("epoll")).collect::<Vec<_>>();
    let [line] = told[..] else { panic!("one line is wanted: {told:#?}") };
    assert!(line.contains("io_uring") && line.contains("not permitted"), "{line}");
}

#[test]
fn a_runtime_asked_for_by_name_does_not_fall_back() {
    for runtime in ["monoio", "glommio"] {
        let invocation = Invocation::words("-n 100 http://127.0.0.1:9/ --runtime").and([runtime]);
        let finished = invocation.under(WITHOUT_IO_URING, [""; 0]).run();
        let line = finished.expect_one_line();
        assert!(line.contains(runtime), "{line}");
    }
}

#[test]
fn epoll_needs_no_io_uring() {
    let target = start_target();
    let invocation =
        Invocation::new(["--runtime", "monoio-epoll", "-n", "100", &url(&target, "/")]);
    let finished = invocation.under(WITHOUT_IO_URING, [""; 0]).run();
    finished.expect_code(0);
}

/// glommio takes its memory from what may be locked; root is above the limit, so it may do without.
#[test]
fn lockable_memory_is_asked_for_with_figures() {
    let target = start_target();
    let invocation =
        Invocation::new(["--runtime", "glommio", "-n", "10", "-u", "2", &url(&target, "/")]);
    let limited = invocation.within(Duration::from_secs(30));
    let finished = limited.under("prlimit", ["--memlock=65536:65536"]).run();
    match finished.code {
        Some(0) => {}
        _ => {
            let line = finished.expect_one_line();
            assert!(line.contains("64 KiB") && line.contains("ulimit -l"), "{line}");
        }
    }
}
