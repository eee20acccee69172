//! What the page is made of: plain HTML, style sheets and modules, compiled in. They come from nowhere else, so that it works offline.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// What a browser may do with them: nothing from elsewhere, nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self' blob:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Headers of every response.
pub const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Name, type and content of every static file.
const FILES: &[(&str, &str, &str)] = &[
    (
        "style.css",
        "text/css; charset=utf-8",
        include_str!("static/style.css"),
    ),
    ("icon.svg", "image/svg+xml", include_str!("static/icon.svg")),
    ("app.js", SCRIPT, include_str!("static/app.js")),
    ("boxes.js", SCRIPT, include_str!("static/boxes.js")),
    ("camera.js", SCRIPT, include_str!("static/camera.js")),
    ("dom.js", SCRIPT, include_str!("static/dom.js")),
    ("list.js", SCRIPT, include_str!("static/list.js")),
    ("player.js", SCRIPT, include_str!("static/player.js")),
    ("recordings.js", SCRIPT, include_str!("static/recordings.js")),
    ("socket.js", SCRIPT, include_str!("static/socket.js")),
];

/// A static file.
pub fn file(name: &str) -> Response {
    match FILES.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, text)) => ([(header::CONTENT_TYPE, *kind)], *text).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The page.
pub fn index() -> Response {
    html(StatusCode::OK, include_str!("static/index.html").into())
}

/// The form to log in, with a word about what went wrong.
pub fn login(status: StatusCode, message: &str) -> Response {
    let text = include_str!("static/login.html").replace("<!-- message -->", message);
    html(status, text)
}

fn html(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response()
}
