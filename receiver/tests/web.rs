//! The web page's doors: who gets in, who does not, and what a browser is told to allow. What is behind them is tested in a
//! real browser by scripts/test-web.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use cis_receiver::Receiver;
use cis_receiver::config::Config;
use common::http::{Response, exchange, get, request, text};
use common::{Camera, Site, wait_for};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;

const WEB: &str = "[rtsp]\nenabled = false\n[json]\noutput = 'none'\n[record]\nfolder = 'recordings'\n\
                   [web]\naddress = '127.0.0.1:0'\nusers = 'users.toml'\n";
const PASSWORD: &str = "a password for tests";

/// Adds a user by the program itself.
fn add_user(site: &Site, name: &str, password: &str) -> (Option<i32>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cis-receiver"))
        .args(["users", "add", "--file"])
        .arg(site.path("users.toml"))
        .arg(name)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), told)
}

fn page(more: &str) -> (Site, Receiver, SocketAddr) {
    let site = Site::new(&["gate-1"]);
    assert_eq!(add_user(&site, "ann", PASSWORD), (Some(0), String::new()));
    let receiver = site.receiver(&format!("{WEB}{more}"));
    let address = receiver.web_address().unwrap();
    (site, receiver, address)
}

fn log_in(address: SocketAddr, name: &str, password: &str) -> Response {
    let body = format!("name={name}&password={}", password.replace(' ', "+"));
    let headers = format!("Origin: http://{address}\r\nContent-Type: application/x-www-form-urlencoded\r\n");
    request(address, "POST", "/login", &headers, &body)
}

/// The cookie of a log-in, as it is sent back.
fn cookie(response: &Response) -> String {
    let cookie = response.header("set-cookie").unwrap().split(';').next().unwrap();
    format!("Cookie: {cookie}\r\n")
}

fn status(address: SocketAddr, path: &str, headers: &str) -> u16 {
    request(address, "GET", path, headers, "").status
}

#[test]
fn nothing_but_the_login_is_open() {
    let (_site, receiver, address) = page("");
    let response = get(address, "/");
    assert_eq!(
        (response.status, response.header("location")),
        (303, Some("/login"))
    );
    for path in [
        "/api/me",
        "/api/recordings",
        "/api/recordings/gate-1",
        "/ws/streams",
        "/ws/live/gate-1",
        "/ws/replay/gate-1/a.cis",
    ] {
        assert_eq!(status(address, path, ""), 401, "{path}");
        assert_eq!(status(address, path, "Cookie: cis=0123\r\n"), 401, "{path}");
    }
    let response = log_in(address, "ann", "a wrong password");
    assert_eq!(response.status, 401);
    assert!(response.body.contains("Wrong name or password"));
    assert_eq!(log_in(address, "eve", PASSWORD).status, 401);
    let response = log_in(address, "ann", PASSWORD);
    assert_eq!(response.status, 303);
    let set = response.header("set-cookie").unwrap();
    assert!(
        set.contains("HttpOnly") && set.contains("SameSite=Strict") && !set.contains("Secure"),
        "{set}"
    );
    let cookie = cookie(&response);
    assert_eq!(status(address, "/", &cookie), 200);
    assert_eq!(status(address, "/api/me", &cookie), 200);
    let origin = format!("{cookie}Origin: http://{address}\r\n");
    assert_eq!(request(address, "POST", "/logout", &origin, "").status, 303);
    assert_eq!(
        status(address, "/api/me", &cookie),
        401,
        "the cookie of an ended session"
    );
    receiver.shutdown();
}

#[test]
fn other_pages_can_do_nothing_and_browsers_are_told_so() {
    let (_site, receiver, address) = page("");
    let body = format!("name=ann&password={}", PASSWORD.replace(' ', "+"));
    for origin in ["", "Origin: http://evil.example\r\n", "Origin: null\r\n"] {
        let headers = format!("{origin}Content-Type: application/x-www-form-urlencoded\r\n");
        assert_eq!(
            request(address, "POST", "/login", &headers, &body).status,
            403,
            "{origin}"
        );
    }
    let cookie = cookie(&log_in(address, "ann", PASSWORD));
    let socket = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let foreign = format!("{cookie}{socket}Origin: http://evil.example\r\n");
    assert_eq!(status(address, "/ws/streams", &foreign), 403);
    for path in ["/login", "/static/app.js", "/nothing"] {
        let response = get(address, path);
        let policy = response.header("content-security-policy").unwrap();
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
        assert!(
            !response.body.contains("http://") && !response.body.contains("https://"),
            "{path} works offline"
        );
    }
    receiver.shutdown();
}

#[test]
fn guessing_is_stopped() {
    let (_site, receiver, address) = page("");
    let tries: Vec<_> = (0..8)
        .map(|_| log_in(address, "ann", "a guess at it").status)
        .collect();
    assert_eq!(tries[..5], [401; 5]);
    assert_eq!(tries[7], 429);
    let response = log_in(address, "ann", PASSWORD);
    assert_eq!(response.status, 429, "neither is the right one looked at");
    assert!(response.header("retry-after").is_some());
    receiver.shutdown();
}

#[test]
fn recordings_are_listed_and_nothing_else_can_be_had() {
    let (site, receiver, address) = page("");
    let mut camera = Camera::start(&site, "gate-1", receiver.address(), 10).connected();
    camera.frames(30);
    camera.finish();
    wait_for("the stream has ended", || receiver.ended().0 == 1);
    wait_for("the recording", || site.recordings("gate-1").len() == 1);
    let cookie = cookie(&log_in(address, "ann", PASSWORD));
    let body = |path: &str| request(address, "GET", path, &cookie, "").body;
    assert_eq!(body("/api/recordings"), r#"["gate-1"]"#);
    let listed: serde_json::Value = serde_json::from_str(&body("/api/recordings/gate-1")).unwrap();
    let file = site.recordings("gate-1")[0]
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(listed[0]["file"], file.as_str());
    assert_eq!(listed[0]["late"], false);
    for path in [
        "/api/recordings/..",
        "/api/recordings/%2e%2e%2f",
        "/api/recordings/..%2f..",
        "/static/..%2fapp.js",
    ] {
        assert_eq!(status(address, path, &cookie), 404, "{path}");
    }
    receiver.shutdown();
}

#[test]
fn with_tls_the_cookie_is_bound_to_it_and_plain_http_gets_nothing() {
    let (site, receiver, address) = page("certificate = 'server.pem'\nkey = 'server.key'\n");
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(common::DEADLINE)).unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = std::io::Read::read_to_end(&mut socket, &mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");

    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(site.path("ca.pem")).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connection =
        rustls::ClientConnection::new(Arc::new(client), "localhost".try_into().unwrap()).unwrap();
    let stream = rustls::StreamOwned::new(connection, TcpStream::connect(address).unwrap());
    let body = format!("name=ann&password={}", PASSWORD.replace(' ', "+"));
    let headers = format!("Origin: https://{address}\r\nContent-Type: application/x-www-form-urlencoded\r\n");
    let response = exchange(stream, &text(address, "POST", "/login", &headers, &body));
    assert_eq!(response.status, 303);
    let set = response.header("set-cookie").unwrap();
    assert!(
        set.starts_with("__Host-cis=") && set.contains("; Secure"),
        "{set}"
    );
    receiver.shutdown();
}

#[test]
fn a_page_that_anybody_could_read_is_refused() {
    let site = Site::new(&[]);
    let error = |web: &str| {
        let toml = site.toml(&format!("[web]\n{web}"));
        let config = Config::from_toml(&toml, &site.path("receiver.toml"));
        config.err().map(|e| e.to_string()).unwrap_or_default()
    };
    assert!(error("address = '127.0.0.1:8080'").contains("web.users"));
    let open = error("address = '0.0.0.0:8080'\nusers = 'users.toml'");
    assert!(
        open.contains("0.0.0.0:8080") && open.contains("web.certificate"),
        "{open}"
    );
    assert!(error("address = '127.0.0.1:8080'\nusers = 'u'\nkey = 'k'").contains("belong together"));
    for legal in [
        "address = '127.0.0.1:8080'\nusers = 'users.toml'",
        "address = '0.0.0.0:8080'\nusers = 'users.toml'\ncertificate = 'c'\nkey = 'k'",
        "address = '0.0.0.0:8080'\ninsecure = true",
    ] {
        assert_eq!(error(legal), "", "{legal}");
    }
}

#[test]
fn passwords_and_names_that_cannot_be_are_told() {
    let site = Site::new(&[]);
    let (code, told) = add_user(&site, "ann", "short");
    assert_eq!(code, Some(1));
    assert!(told.contains("5 bytes; legal: 10..=1024"), "{told}");
    let (code, told) = add_user(&site, "an n", PASSWORD);
    assert_eq!(code, Some(1));
    assert!(told.contains("`an n`"), "{told}");
    assert!(!site.path("users.toml").exists());
}
