//! The examples that are scenario files: what each is run with, and which routes its names stand for.

use loadr_tests::program::Invocation;
use loadr_tests::workspace_root;

use super::{Open, travel};

/// Makes a journey to both shops of each row, `FILE: FLAGS, [NAMES]`, and a list of the files.
macro_rules! journeys {
    ($($file:ident: $flags:literal, [$($names:literal),+ $(,)?];)+) => {
        const FILES: &[&str] = &[$(stringify!($file)),+];

        $(
            fn $file(open: Open) {
                let path = workspace_root().join("harness/examples");
                let path = path.join(concat!(stringify!($file), ".toml"));
                let program = Invocation::new(["-f".as_ref(), path.as_os_str()]);
                travel(open, program, $flags, &[$($names),+]);
            }
        )+

        in_each_shop!($($file),+);
    };
}

journeys! {
    async_poll: "-u 20 -r 100 -i 40", [
        "POST /things = POST /things",
        "GET /things/[id] = GET /things/<identity>",
        "ASYNC POST /things/ID - async",
        "ASYNC POST /things/ID - ready",
        "GET /things/[id]/link = GET /things/<identity>/link",
        "DELETE /things/[id] = DELETE /things/<identity>",
        "GET /queue = GET /queue",
    ];
    data_feeder: "-u 6 -r 100 -i 50 --shards 1", [
        "POST /login = POST /login",
        "GET /search = GET /search",
        "PUT /orders/[id] = PUT /orders/<identity>",
    ];
    login_token: "-u 10 -r 100 -i 20", [
        "POST log in = POST /login",
        "GET /me = GET /me",
        "PATCH /me = PATCH /me",
        "DELETE log out = DELETE /login",
    ];
    nested_task_sets: "-u 30 -r 100 -i 150", [
        "GET / = GET /",
        "GET /boards/[board] = GET /boards/<board>",
        "GET /threads/[id] + GET /threads/[id]?page = GET /threads/<int:number>",
        "POST /threads/${thread}/replies = POST /threads/<int:number>/replies",
    ];
    readme_journey: "-u 25 -r 100 -i 50", [
        "GET /resources/UUID = GET /resources/<uuid:identity>",
        "POST /things = POST /things",
    ];
    shape_stages: "--stop-timeout 20", [
        "GET / = GET /",
        "GET /admin = GET /admin",
    ];
    shop: "-u 4 -r 100 -i 30", [
        "POST /login = POST /login",
        "GET /products/[id] = GET /products/<int:number>",
        "GET /orders = GET /orders",
        "POST /things = POST /things",
        "GET /things/[id] = GET /things/<identity>",
        "ASYNC POST /things/ID - async",
        "GET front page = GET / + GET /news",
    ];
}

/// Files that send the shop nothing: they run programs, or call a server of their own.
const WITHOUT_REQUESTS: [&str; 5] =
    ["driver", "test_suite", "websocket", "websocket_keepalive", "xmlrpc"];

#[test]
fn every_file_has_its_row() {
    let folder = std::fs::read_dir(workspace_root().join("harness/examples")).expect("examples");
    let paths = folder.map(|entry| entry.expect("an entry of a folder").path());
    let files = paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let mut files: Vec<String> = files
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .filter(|name| !WITHOUT_REQUESTS.contains(&name.as_str()))
        .collect();
    files.sort_unstable();
    assert_eq!(files, FILES);
}
