//! What is where, and who gets in.

use super::sockets::Visitor;
use super::{Page, pages, recordings};
use crate::http::Remote;
use crate::record::library::Library;
use axum::extract::{DefaultBodyLimit, Form, Path, Query, Request, State, WebSocketUpgrade};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use cis_link::StreamName;
use serde::Deserialize;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The longest form.
const MAX_FORM: usize = 8 << 10;
/// The longest message that a browser has to say.
const MAX_MESSAGE: usize = 1 << 10;

/// The cookie of whoever was let in.
#[derive(Clone)]
struct Admitted {
    cookie: String,
    user: String,
}

/// All of it.
pub fn router(page: Arc<Page>) -> Router {
    let inside = Router::new()
        .route("/", get(async || pages::index()))
        .route("/logout", post(logout))
        .route("/api/me", get(me))
        .route("/api/recordings", get(recorded_streams))
        .route("/api/recordings/{stream}", get(recorded))
        .route("/ws/streams", get(list))
        .route("/ws/live/{stream}", get(live))
        .route("/ws/replay/{stream}/{file}", get(replay))
        .route_layer(middleware::from_fn_with_state(page.clone(), admit));
    Router::new()
        .route(
            "/login",
            get(async || pages::login(StatusCode::OK, "")).post(login),
        )
        .route(
            "/static/{file}",
            get(async |Path(file): Path<String>| pages::file(&file)),
        )
        .merge(inside)
        .layer(middleware::from_fn(same_origin))
        .layer(middleware::map_response(harden))
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .with_state(page)
}

async fn harden(mut response: Response) -> Response {
    for (name, value) in pages::HEADERS {
        response.headers_mut().insert(name, value);
    }
    response
}

/// What changes something, and sockets, are for our own pages alone: a browser tells where a request comes from.
async fn same_origin(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let safe = matches!(*request.method(), Method::GET | Method::HEAD);
    if (!safe || headers.contains_key(header::UPGRADE)) && !is_same_origin(headers) {
        return (
            StatusCode::FORBIDDEN,
            "the request does not come from this page\n",
        )
            .into_response();
    }
    next.run(request).await
}

fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = text(header::ORIGIN).and_then(|origin| origin.split_once("://"));
    matches!((origin, text(header::HOST)), (Some((_, origin)), Some(host)) if origin == host)
}

/// Lets in who is logged in; a browser that wants to see the page is led to the form.
async fn admit(State(page): State<Arc<Page>>, mut request: Request, next: Next) -> Response {
    let cookie = cookie(request.headers(), page.secure);
    let Some(user) = page.visitor(&cookie) else {
        return match request.uri().path() {
            "/" => Redirect::to("/login").into_response(),
            _ => (StatusCode::UNAUTHORIZED, "log in first\n").into_response(),
        };
    };
    request.extensions_mut().insert(Admitted { cookie, user });
    next.run(request).await
}

/// With TLS it is bound to this host, and to TLS.
fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-cis" } else { "cis" }
}

fn cookie(headers: &HeaderMap, secure: bool) -> String {
    let wanted = cookie_name(secure);
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == wanted)
        .map_or(String::new(), |(_, value)| value.into())
}

fn set_cookie(value: &str, life: Duration, secure: bool) -> [(header::HeaderName, String); 1] {
    let name = cookie_name(secure);
    let secure = if secure { "; Secure" } else { "" };
    let text = format!(
        "{name}={value}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{secure}",
        life.as_secs()
    );
    [(header::SET_COOKIE, text)]
}

#[derive(Deserialize)]
struct Credentials {
    name: String,
    password: String,
}

async fn login(
    State(page): State<Arc<Page>>,
    Extension(Remote(remote)): Extension<Remote>,
    Form(form): Form<Credentials>,
) -> Response {
    let wait = |seconds: u64| {
        let mut response = pages::login(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many attempts. Wait a little and try again.",
        );
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        response
    };
    if let Err(left) = page.attempts.take(remote.ip(), Instant::now()) {
        tracing::warn!(%remote, "web: too many attempts to log in");
        return wait(left.as_secs() + 1);
    }
    let Ok(place) = page.checks.clone().try_acquire_owned() else {
        return wait(1);
    };
    let Credentials { name, password } = form;
    let users = page.users.get();
    let checked = tokio::task::spawn_blocking(move || {
        // Held until it is done: who hangs up meanwhile does not make room for another check.
        let _place = place;
        let right = users
            .as_ref()
            .as_ref()
            .is_some_and(|users| users.verify(&name, &password));
        right.then_some(name)
    });
    let Ok(Some(name)) = checked.await else {
        tracing::warn!(%remote, "web: wrong name or password");
        return pages::login(StatusCode::UNAUTHORIZED, "Wrong name or password.");
    };
    page.attempts.forgive(remote.ip());
    match page.sessions.begin(&name, Instant::now()) {
        Ok(cookie) => {
            tracing::info!(%remote, user = name, "web: logged in");
            let cookie = set_cookie(&cookie, page.sessions.life(), page.secure);
            (cookie, Redirect::to("/")).into_response()
        }
        Err(e) => {
            tracing::error!("web: no random numbers: {e}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn logout(State(page): State<Arc<Page>>, Extension(admitted): Extension<Admitted>) -> Response {
    page.sessions.end(&admitted.cookie);
    let cookie = set_cookie("", Duration::ZERO, page.secure);
    (cookie, Redirect::to("/login")).into_response()
}

async fn me(State(page): State<Arc<Page>>, Extension(admitted): Extension<Admitted>) -> Response {
    let recordings = page.recordings.is_some();
    Json(serde_json::json!({"user": admitted.user, "recordings": recordings})).into_response()
}

async fn recorded_streams(State(page): State<Arc<Page>>) -> Response {
    files(page, recordings::streams).await
}

async fn recorded(State(page): State<Arc<Page>>, Path(stream): Path<String>) -> Response {
    match stream.parse::<StreamName>() {
        Ok(stream) => files(page, move |library| recordings::list(library, &stream)).await,
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

/// What `look` finds among the recordings.
async fn files<T, F>(page: Arc<Page>, look: F) -> Response
where
    T: serde::Serialize + Send + 'static,
    F: FnOnce(&Library) -> std::io::Result<Vec<T>> + Send + 'static,
{
    let look = move || page.recordings.as_ref().map_or(Ok(Vec::new()), look);
    match tokio::task::spawn_blocking(look).await {
        Ok(Ok(found)) => Json(found).into_response(),
        Ok(Err(e)) => {
            tracing::warn!("web: recordings: {e}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn list(
    State(page): State<Arc<Page>>,
    Extension(admitted): Extension<Admitted>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let upgrade = upgrade.max_message_size(MAX_MESSAGE);
    upgrade.on_upgrade(move |socket| Visitor::new(page, admitted.cookie, socket).list())
}

async fn live(
    State(page): State<Arc<Page>>,
    Extension(admitted): Extension<Admitted>,
    Path(stream): Path<String>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let Ok(stream) = stream.parse() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let upgrade = upgrade.max_message_size(MAX_MESSAGE);
    upgrade.on_upgrade(move |socket| Visitor::new(page, admitted.cookie, socket).live(stream))
}

#[derive(Deserialize)]
struct Position {
    #[serde(default)]
    from: f64,
}

async fn replay(
    State(page): State<Arc<Page>>,
    Extension(admitted): Extension<Admitted>,
    Path((stream, file)): Path<(String, String)>,
    Query(position): Query<Position>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let (Ok(stream), Ok(from)) = (stream.parse(), Duration::try_from_secs_f64(position.from)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let upgrade = upgrade.max_message_size(MAX_MESSAGE);
    upgrade.on_upgrade(move |socket| Visitor::new(page, admitted.cookie, socket).replay(stream, file, from))
}
