//! Answers put off. Times are only held from below: a busy machine may add to any of them.

use std::time::{Duration, Instant};

use crate::client::{Client, PATIENCE, get, start};

#[test]
fn a_delay_lasts_at_least_what_was_asked() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    for (path, micros, text) in [
        ("/delay/0", 0, "delayed 0.000000 ms\n"),
        ("/delay/0.25", 250, "delayed 0.250000 ms\n"),
        ("/delay/20", 20_000, "delayed 20.000000 ms\n"),
        ("/delay/1500us", 1500, "delayed 1.500000 ms\n"),
    ] {
        let start = Instant::now();
        assert_eq!(client.get(path).text(), text);
        let took = start.elapsed();
        assert!(took >= Duration::from_micros(micros) && took < PATIENCE, "{path}: {took:?}");
    }
    assert_eq!(client.get("/delay/-1").status, 400);
}

#[test]
fn other_connections_go_on_meanwhile() {
    let target = start();
    let mut waiting = Client::connect(target.local_addr());
    waiting.send(get("/delay/1h").replace("1h", "60m"));
    let mut other = Client::connect(target.local_addr());
    for _ in 0..100 {
        assert_eq!(other.get("/").status, 200);
        assert_eq!(other.get("/delay/0.1").status, 200);
    }
}

#[test]
fn many_delays_end_in_the_order_of_their_deadlines() {
    let target = start();
    let mut clients: Vec<_> = (0..50).map(|_| Client::connect(target.local_addr())).collect();
    let start = Instant::now();
    for (index, client) in clients.iter_mut().enumerate() {
        client.send(get(&format!("/delay/{}", 50 - index)));
    }
    for (index, client) in clients.iter_mut().enumerate().rev() {
        client.answer();
        assert!(start.elapsed() >= Duration::from_millis(50 - index as u64));
    }
}

#[test]
fn what_is_behind_a_delay_waits_even_if_the_client_reads_late() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    // More than socket buffers hold, so that the delay begins while answers before it are unsent.
    let requests = get("/bytes/16000").repeat(1000) + &get("/delay/1") + &get("/");
    client.send(requests);
    let mut other = Client::connect(target.local_addr());
    assert_eq!(other.get("/delay/5").status, 200);
    for _ in 0..1000 {
        assert_eq!(client.answer().body.len(), 16_000);
    }
    assert_eq!(client.answer().text(), "delayed 1.000000 ms\n");
    assert_eq!(client.answer().text(), "hello world\n");
}

#[test]
fn a_stall_holds_its_requests_once() {
    let target = start();
    let path = "/stall?after=0&for=150ms";
    let start = Instant::now();
    let mut clients: Vec<_> = (0..5).map(|_| Client::connect(target.local_addr())).collect();
    clients.iter_mut().for_each(|client| client.send(get(path)));
    let mut other = Client::connect(target.local_addr());
    assert_eq!(other.get("/").status, 200, "other paths go on");
    assert_eq!(clients[0].answer().text(), "delayed 150.000000 ms\n");
    assert!(start.elapsed() >= Duration::from_millis(150));
    for client in &mut clients[1..] {
        assert!(client.answer().text().starts_with("delayed "));
    }
    for client in &mut clients {
        assert_eq!(client.get(path).text(), "delayed 0.000000 ms\n", "it is over");
    }
    assert_eq!(other.get(&format!("{path}&run=2")).text(), "delayed 150.000000 ms\n");
}

#[test]
fn before_a_stall_answers_come_at_once() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    for _ in 0..10 {
        assert_eq!(client.get("/stall?after=60m&for=1s").text(), "delayed 0.000000 ms\n");
    }
    assert_eq!(client.get("/stall?after=soon&for=1s").status, 400);
}

#[test]
fn random_delays_repeat_from_their_seed() {
    let draw = |law: &str, seed: u64| {
        let target = start();
        let mut client = Client::connect(target.local_addr());
        let path = format!("/random-delay?law={law}&mean=0.2&seed={seed}");
        (0..20).map(|_| client.get(&path).text().to_owned()).collect::<Vec<_>>()
    };
    for law in ["exponential", "bimodal", "pareto"] {
        let first = draw(law, 1);
        assert_eq!(first, draw(law, 1), "{law}");
        assert_ne!(first, draw(law, 2), "{law}");
    }
    assert!(draw("fixed", 1).iter().all(|text| text == "delayed 0.200000 ms\n"));
}

#[test]
fn random_delays_follow_the_order_of_arrival_over_all_connections() {
    let path = "/random-delay?law=exponential&mean=0.1&seed=4";
    let target = start();
    let mut one = Client::connect(target.local_addr());
    let alone: Vec<_> = (0..10).map(|_| one.get(path).text().to_owned()).collect();
    let target = start();
    let mut clients = [(); 2].map(|()| Client::connect(target.local_addr()));
    let shared: Vec<_> = (0..10).map(|k| clients[k % 2].get(path).text().to_owned()).collect();
    assert_eq!(alone, shared);
}
