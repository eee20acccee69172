//! The least of an HTTP client.
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// A response.
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Response {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Self {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.into(),
            body: body.into(),
        }
    }
}

/// Sends a request over a connection that is there already.
pub fn exchange(mut socket: impl Read + Write, request: &str) -> Response {
    socket.write_all(request.as_bytes()).unwrap();
    let mut text = Vec::new();
    // A TLS peer that closes without a word is as good as one that says so.
    let _ = socket.read_to_end(&mut text);
    Response::parse(&String::from_utf8_lossy(&text))
}

/// Sends a request with these further headers.
pub fn request(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Response {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(super::DEADLINE)).unwrap();
    exchange(socket, &text(address, method, path, headers, body))
}

/// The text of a request.
pub fn text(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

/// What a GET gives.
pub fn get(address: SocketAddr, path: &str) -> Response {
    request(address, "GET", path, "", "")
}
