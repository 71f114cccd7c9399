//! A forum: users wander between boards, and in a board they read threads until they have had enough.

use std::cell::Cell;

use loadr::prelude::*;

const BOARDS: [&str; 3] = ["news", "sports", "music"];

/// What each user has of its own; its tasks run one at a time, so a cell is enough.
#[derive(Default)]
struct Place {
    board: Cell<&'static str>,
    thread: Cell<u64>,
}

type Reader = User<Place>;

async fn front_page(reader: Reader) {
    reader.client.get("/").send().await;
}

async fn enter_board(reader: Reader) {
    reader.state.board.set(*reader.choose(&BOARDS));
}

async fn list_threads(reader: Reader) {
    let board = reader.state.board.get();
    reader.client.get(format!("/boards/{board}")).name("/boards/[board]").send().await;
}

async fn open_thread(reader: Reader) {
    let thread = reader.random(1..=99);
    reader.state.thread.set(thread);
    reader.client.get(format!("/threads/{thread}")).name("/threads/[id]").send().await;
}

async fn reply(reader: Reader) {
    // Everything in here is counted under one name.
    let _group = reader.client.rename_requests("reply");
    let thread = reader.state.thread.get();
    reader.client.get(format!("/threads/{thread}")).send().await;
    let photo = Part::file("photo", "me.png", "image/png", "a photo");
    let parts = [Part::text("text", "+1"), photo];
    reader.client.post(format!("/threads/{thread}/replies")).multipart(parts).send().await;
}

async fn leave(reader: Reader) -> TaskResult {
    // A task set never ends by itself: its users go on in the set around it from here.
    reader.interrupt()
}

fn main() -> ExitCode {
    let thread = TaskSet::new("thread")
        .sequential()
        .weight(4)
        .wait(constant(0.1))
        .task(open_thread)
        .task(task(reply).tag("writing"))
        .task(leave);
    let board = TaskSet::new("board")
        .weight(5)
        .on_start(enter_board)
        .task(task(list_threads).weight(3))
        .task(leave)
        .set(thread);
    let reader = UserClass::new("Reader")
        .host("http://127.0.0.1:8080")
        .wait(between(0.05, 0.2))
        .task(task(front_page).weight(2))
        .set(board);
    loadr::run(Test::new().user(reader))
}
