//! The admin page of a broker that was started with `posthaste.admin.listener`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::Broker;

/// Status and body of a page.
pub fn admin_get(broker: &Broker, path: &str) -> (u16, String) {
    let ready = std::fs::read_to_string(broker.ready_file()).expect("the broker is ready");
    let ready: serde_json::Value = serde_json::from_str(&ready).expect("whoever sees the ready file sees all of it");
    let address: SocketAddr = ready["admin"].as_str().expect("an admin page").parse().expect("an address");
    let mut stream = TcpStream::connect(address).expect("the page is served");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("it is read");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, body.to_owned())
}
