//! The shop: its pages one by one, and its counts.

use std::net::SocketAddr;

use loadr_target::{RouteKind, Target, TargetOptions};
use serde_json::{Value, json};

use crate::client::{Answer, Client, start};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

fn ask(client: &mut Client, line: &str, fields: &str, body: &str) -> Answer {
    let length = body.len();
    client.send(format!(
        "{line} HTTP/1.1\r\nHost: here\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
    ));
    client.answer()
}

fn post(client: &mut Client, path: &str, content_type: &str, body: &str) -> Answer {
    let fields = format!("Content-Type: {content_type}\r\n");
    ask(client, &format!("POST {path}"), &fields, body)
}

fn json_of(answer: &Answer) -> Value {
    assert_eq!(answer.field("Content-Type"), Some("application/json"));
    serde_json::from_slice(&answer.body).unwrap()
}

/// Logs in: the token, and the cookie as it goes back.
fn log_in(client: &mut Client, user: &str) -> (String, String) {
    let answer = post(client, "/login", FORM, &format!("user={user}&password=x"));
    assert_eq!(answer.status, 200);
    let cookie = answer.field("Set-Cookie").unwrap().split(';').next().unwrap();
    (json_of(&answer)["token"].as_str().unwrap().to_owned(), cookie.to_owned())
}

fn counts(client: &mut Client) -> Value {
    json_of(&client.get("/counts"))
}

#[test]
fn a_login_gives_a_token_and_a_cookie() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    for (content_type, body) in [(FORM, "user=ada"), (JSON, r#"{"user":"ada"}"#)] {
        let answer = post(&mut client, "/login", content_type, body);
        assert_eq!((answer.status, &json_of(&answer)["user"]), (200, &json!("ada")));
        assert_eq!(json_of(&answer)["token"].as_str().unwrap().len(), 32);
        assert_eq!(answer.field("Set-Cookie"), Some("session=ada; HttpOnly; Path=/"));
    }
    assert_eq!(post(&mut client, "/login", FORM, "name=ada").status, 400);
    assert_eq!(ask(&mut client, "POST /login", "", "").status, 400);
    assert_eq!(counts(&mut client)["logins"], json!({ "ada": 2 }));
}

#[test]
fn an_account_asks_for_the_cookie_until_the_logout() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    assert_eq!(client.get("/account").status, 401);
    let (_, cookie) = log_in(&mut client, "Ada+%C3%96");
    let fields = format!("Cookie: theme=dark; {cookie}\r\n");
    let answer = ask(&mut client, "GET /account", &fields, "");
    assert_eq!((answer.status, json_of(&answer)), (200, json!({ "user": "Ada Ö" })));
    let answer = ask(&mut client, "POST /logout", &fields, "");
    assert_eq!((answer.status, answer.field("Content-Length")), (204, None));
    let cookie = answer.field("Set-Cookie").unwrap();
    assert!(cookie.starts_with("session=; ") && cookie.contains("Max-Age=0"), "{cookie}");
    assert_eq!(ask(&mut client, "GET /account", "Cookie: session=\r\n", "").status, 401);
}

#[test]
fn orders_ask_for_the_token_of_any_thread() {
    let target = Target::bind(TargetOptions { threads: 2, ..TargetOptions::default() });
    let target = target.unwrap().spawn().unwrap();
    let mut client = Client::connect(target.local_addr());
    let (token, _) = log_in(&mut client, "ada");
    let mut other_thread = Client::connect(target.local_addr());
    for client in [&mut client, &mut other_thread] {
        let answer = ask(client, "GET /orders", &format!("Authorization: Bearer {token}\r\n"), "");
        assert_eq!((answer.status, json_of(&answer)), (200, json!({ "orders": [] })));
        for fields in ["", "Authorization: Bearer 0123456789abcdef0123456789abcdef\r\n"] {
            assert_eq!(ask(client, "GET /orders", fields, "").status, 401, "{fields}");
        }
    }
}

#[test]
fn products_cost_three_times_their_number() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    let answer = client.get("/products/14");
    assert_eq!(answer.status, 200);
    assert_eq!(json_of(&answer), json!({ "id": 14, "name": "product 14", "price": 42 }));
    for path in ["/products", "/products/", "/products/x", "/products/-1", "/products/1/2"] {
        assert_eq!(client.get(path).status, 404, "{path}");
    }
}

#[test]
fn a_thing_is_active_from_the_third_look_on() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    let answer = post(&mut client, "/things", JSON, r#"{"n":"x"}"#);
    let made = json_of(&answer);
    assert_eq!((answer.status, &made["n"], &made["status"]), (202, &json!("x"), &json!("PENDING")));
    let path = format!("/things/{}", made["id"].as_str().unwrap());
    let link = format!("{path}/link");
    for is_done in [false, false, true, true] {
        let answer = client.get(&path);
        let expected = match is_done {
            true => json!({ "id": made["id"], "link": link, "status": "ACTIVE" }),
            false => json!({ "id": made["id"], "status": "PENDING" }),
        };
        assert_eq!((answer.status, json_of(&answer)), (200, expected));
    }
    assert_eq!(client.get(&link).body, b"here it is");
    let statuses = [(); 2].map(|()| ask(&mut client, &format!("DELETE {path}"), "", "").status);
    assert_eq!(statuses, [204, 404]);
    assert_eq!((client.get(&path).status, client.get(&link).status), (404, 404));
    for path in ["/things/unknown", "/things/0123456789abcdef0123456789abcdef"] {
        assert_eq!(client.get(path).status, 404, "{path}");
    }
}

#[test]
fn a_basic_authentication_logs_in_too() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    let answer = ask(&mut client, "POST /login", "Authorization: Basic YWRhOng=\r\n", "");
    assert_eq!((answer.status, &json_of(&answer)["user"]), (200, &json!("ada")));
    let admin = |client: &mut Client, login: &str| {
        ask(client, "GET /admin", &format!("Authorization: Basic {login}\r\n"), "")
    };
    assert_eq!(admin(&mut client, "YWRhOng=").status, 401);
    let answer = admin(&mut client, "YWRtaW46YWRtaW4=");
    assert_eq!((answer.status, json_of(&answer)), (200, json!({ "users": 1 })));
}

#[test]
fn a_token_is_good_until_it_is_exchanged_or_given_up() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    let bearer = |token: &str| format!("Content-Type: {JSON}\r\nAuthorization: Bearer {token}\r\n");
    let (first, _) = log_in(&mut client, "ada");
    let answer = ask(&mut client, "GET /me", &bearer(&first), "");
    assert_eq!((answer.status, json_of(&answer)), (200, json!({ "name": "Ada" })));
    let body = format!(r#"{{"token":"{first}"}}"#);
    let second = json_of(&post(&mut client, "/login/refresh", JSON, &body))["token"].clone();
    let second = second.as_str().unwrap();
    assert_eq!(ask(&mut client, "GET /me", &bearer(&first), "").status, 401);
    let answer = ask(&mut client, "PATCH /me", &bearer(second), r#"{"visits":"3"}"#);
    assert_eq!((answer.status, json_of(&answer)), (200, json!({ "name": "Ada", "visits": "3" })));
    assert_eq!(ask(&mut client, "DELETE /login", &bearer(second), "").status, 204);
    assert_eq!(ask(&mut client, "PATCH /me", &bearer(second), "{}").status, 401);
    assert_eq!(ask(&mut client, "GET /orders", &bearer(second), "").status, 401);
}

#[test]
fn an_order_has_an_amount() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    let mut put = |body: &str| {
        ask(&mut client, "PUT /orders/a%201", &format!("Content-Type: {JSON}\r\n"), body)
    };
    let answer = put(r#"{"amount":3,"by":"ada"}"#);
    let expected = json!({ "amount": 3, "by": "ada", "id": "a 1" });
    assert_eq!((answer.status, json_of(&answer)), (200, expected));
    for body in ["", "{}", r#"{"amount":"3"}"#, r#"{"amount":1.5}"#, "[3]"] {
        assert_eq!(put(body).status, 400, "{body}");
    }
}

#[test]
fn pages_that_are_asked_by_query_and_path() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    let uuid = "0f8fad5b-d9cb-469f-a165-70867728950e";
    for (path, expected) in [
        ("/news?lang=en&page=1", json!({ "language": "en", "page": 1 })),
        ("/search?q=m%C3%BCsli+%26+milk", json!({ "hits": 12, "query": "müsli & milk" })),
        (&format!("/resources/{}", uuid.to_uppercase()), json!({ "id": uuid })),
        ("/threads/7", json!({ "id": 7, "more": true, "page": 1 })),
        ("/threads/7?page=5", json!({ "id": 7, "more": false, "page": 5 })),
    ] {
        let answer = client.get(path);
        assert_eq!((answer.status, json_of(&answer)), (200, expected), "{path}");
    }
    for path in ["/news", "/news?page=1", "/news?page=x&lang=en", "/search", "/threads/7?page=x"] {
        assert_eq!(client.get(path).status, 400, "{path}");
    }
    assert_eq!(client.get("/resources/0f8fad5b").status, 404);
}

#[test]
fn a_board_links_to_its_threads() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    let answer = client.get("/boards/a%20%3Cb");
    assert_eq!((answer.status, answer.field("Content-Type")), (200, Some("text/html")));
    let html = String::from_utf8(answer.body).unwrap();
    assert!(html.starts_with("<html><body><h1>a &lt;b</h1><a href=\"/threads/1\">"), "{html}");
    assert_eq!(html.matches("href").count(), 8);
}

#[test]
fn a_reply_has_a_text_and_a_photo() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    let mut reply = |text: &str, name: &str| {
        let body = format!(
            "--b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\n{text}\r\n\
             --b\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"p\"\r\n\r\n\
             12345\r\n--b--\r\n"
        );
        post(&mut client, "/threads/3/replies", "multipart/form-data; boundary=b", &body)
    };
    let answer = reply("hello", "photo");
    assert_eq!((answer.status, json_of(&answer)), (201, json!({ "bytes": 5, "thread": 3 })));
    assert_eq!((reply("", "photo").status, reply("hello", "picture").status), (400, 400));
}

#[test]
fn the_queue_grows_shorter_over_and_over() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    for length in [9, 6, 3, 0, 12, 9] {
        let state = if length > 0 { "open" } else { "closed" };
        let expected = json!({ "length": length, "state": state });
        assert_eq!(json_of(&client.get("/queue")), expected);
    }
}

#[test]
fn what_is_old_is_elsewhere() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    let answer = client.get("/old");
    assert_eq!((answer.status, answer.field("Location")), (302, Some("/")));
}

#[test]
fn every_third_request_is_too_much_for_the_flaky_page() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    let statuses: Vec<_> = (0..7).map(|_| client.get("/flaky").status).collect();
    assert_eq!(statuses, [200, 200, 503, 200, 200, 503, 200]);
}

#[test]
fn an_upload_is_measured_part_by_part() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    let photo = "\r\n--x".repeat(50_000);
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nhello\r\n\
         --b\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"p.png\"\r\n\
         Content-Type: image/png\r\n\r\n{photo}\r\n--b--\r\n"
    );
    let answer = post(&mut client, "/upload", "multipart/form-data; boundary=b", &body);
    assert_eq!(answer.status, 200);
    let expected = json!({ "fields": { "text": "hello" }, "files": { "photo": 250_000 } });
    assert_eq!(json_of(&answer), expected);
    let answer = post(&mut client, "/upload", "multipart/form-data; boundary=other", &body);
    assert_eq!(answer.status, 400);
    assert_eq!(client.get("/").status, 200, "the connection goes on");
}

#[test]
fn bodies_that_are_used_have_the_limit_of_echo_and_others_none() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    let fields = "Host: h\r\nContent-Length: 16777217\r\n";
    for line in ["POST /logout", "PUT /upload"] {
        client.send(format!("{line} HTTP/1.1\r\n{fields}\r\n"));
        client.send(vec![b'x'; 16_777_217]);
        assert!(matches!(client.answer().status, 204 | 405), "{line}");
    }
    client.send(format!("POST /upload HTTP/1.1\r\n{fields}\r\n"));
    assert_eq!(client.answer().status, 413);
    client.expect_close();
}

#[test]
fn head_has_the_status_of_get_and_other_methods_are_refused() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    client.send("HEAD /products/5 HTTP/1.1\r\nHost: h\r\n\r\n");
    let (status, head) = client.head();
    assert_eq!((status, head.len()), (200, client.get("/products/5").head.len()));
    for (line, allowed) in
        [("GET /login", "POST, DELETE, OPTIONS"), ("DELETE /products/5", "GET, HEAD, OPTIONS")]
    {
        let answer = ask(&mut client, line, "", "");
        assert_eq!((answer.status, answer.field("Allow")), (405, Some(allowed)), "{line}");
    }
}

#[test]
fn counts_have_the_names_of_the_model_and_leave_themselves_out() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    assert_eq!(counts(&mut client), json!({ "logins": {}, "requests": {} }));
    for line in [
        "GET /",
        "GET /",
        "PUT /",
        "GET /",
        "GET /products/1",
        "GET /products/2",
        "POST /things",
        "GET /things/x",
        "GET /login",
        "OPTIONS /login",
        "GET /nowhere",
        "PURGE /nowhere",
        "GET /status/200",
        "PUT /counts",
    ] {
        ask(&mut client, line, "", "");
    }
    client.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    client.head();
    let requests = json!({
        "GET /": 3,
        "HEAD /": 1,
        "PUT /": 1,
        "GET /products/<int:number>": 2,
        "POST /things": 1,
        "GET /things/<identity>": 1,
        "OPTIONS /login": 1,
        "GET unknown": 2,
        "OTHER unknown": 1,
    });
    assert_eq!(counts(&mut client), json!({ "logins": {}, "requests": requests }));
    assert_eq!(target.stop().unwrap().served(RouteKind::Shop), 9);
}

/// One customer among many; how many of the flaky answers were failures.
fn visit(address: SocketAddr, user: &str, rounds: usize) -> usize {
    let mut client = Client::connect(address);
    let mut failures = 0;
    for round in 0..rounds {
        let (token, _) = log_in(&mut client, user);
        let fields = format!("Authorization: Bearer {token}\r\n");
        assert_eq!(ask(&mut client, "GET /orders", &fields, "").status, 200);
        assert_eq!(client.get("/").status, 200);
        assert_eq!(client.get(&format!("/products/{round}")).status, 200);
        failures += usize::from(client.get("/flaky").status == 503);
        let made = json_of(&ask(&mut client, "POST /things", "", ""));
        let path = format!("/things/{}", made["id"].as_str().unwrap());
        let looks = [(); 3].map(|()| json_of(&client.get(&path))["status"].clone());
        assert_eq!(looks, ["PENDING", "PENDING", "ACTIVE"]);
    }
    failures
}

#[test]
fn counts_are_exact_whatever_the_threads() {
    const CUSTOMERS: usize = 6;
    const ROUNDS: usize = 100;
    let target = Target::bind(TargetOptions { threads: 3, ..TargetOptions::default() });
    let target = target.unwrap().spawn().unwrap();
    let address = target.local_addr();
    let failures: usize = std::thread::scope(|scope| {
        let customers: Vec<_> = (0..CUSTOMERS)
            .map(|customer| {
                scope.spawn(move || visit(address, ["ada", "bob"][customer % 2], ROUNDS))
            })
            .collect();
        customers.into_iter().map(|customer| customer.join().unwrap()).sum()
    });
    let all = CUSTOMERS * ROUNDS;
    assert_eq!(failures, all / 3);
    let requests = json!({
        "GET /": all,
        "POST /login": all,
        "GET /orders": all,
        "GET /products/<int:number>": all,
        "GET /flaky": all,
        "POST /things": all,
        "GET /things/<identity>": 3 * all,
    });
    let logins = json!({ "ada": all / 2, "bob": all / 2 });
    let counted = counts(&mut Client::connect(address));
    assert_eq!(counted, json!({ "logins": logins, "requests": requests }));
}
