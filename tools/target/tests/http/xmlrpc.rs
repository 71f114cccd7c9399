//! XML-RPC over real sockets.

use loadr_target::RouteKind;

use crate::client::{Answer, Client, start};

fn call(client: &mut Client, path: &str, body: &str) -> Answer {
    let len = body.len();
    client.send(format!(
        "POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: text/xml\r\nContent-Length: {len}\r\n\r\n{body}"
    ));
    client.answer()
}

fn body(method: &str, params: &str) -> String {
    format!(
        "<?xml version='1.0'?>\n<methodCall>\n<methodName>{method}</methodName>\n\
         <params>{params}</params>\n</methodCall>\n"
    )
}

#[test]
fn calls_are_answered_under_both_paths() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    let range =
        "<param><value><int>0</int></value></param><param><value><int>100</int></value></param>";
    for path in ["/RPC2", "/xmlrpc"] {
        for (method, params, part) in [
            ("get_time", "", "<value><double>1"),
            ("get_random_number", range, "<value><int>"),
            ("echo", "<param><value>a</value></param>", "<array><data>\n<value>a</value>\n</data>"),
            ("system.listMethods", "", "<value><string>get_time</string></value>"),
            ("get_space", "", "<int>-32601</int>"),
        ] {
            let answer = call(&mut client, path, &body(method, params));
            assert_eq!((answer.status, answer.field("Content-Type")), (200, Some("text/xml")));
            assert!(answer.text().contains(part), "{method}: {}", answer.text());
        }
    }
    assert!(call(&mut client, "/RPC2", "<methodCall>").text().contains("<int>-32700</int>"));
    let answer = client.get("/RPC2");
    assert_eq!((answer.status, answer.field("Allow")), (405, Some("POST")));
    assert_eq!(target.stop().unwrap().served(RouteKind::XmlRpc), 12);
}

#[test]
fn large_calls_come_back_whole() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    let value = format!("<value><string>{}</string></value>", "x".repeat(1_000_000));
    let params = format!("<param>{value}</param>").repeat(3);
    let answer = call(&mut client, "/RPC2", &body("echo", &params));
    assert_eq!(answer.text().matches(&value).count(), 3);
}
