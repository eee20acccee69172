//! What no single option of `[cluster]` and `[worker]` can tell.

use super::{Cluster, Error, Worker};

/// Refuses what cannot work.
pub fn check(cluster: &Cluster, worker: &Worker) -> Result<(), Error> {
    let conflict = |text: String| Err(Error::Conflict(text));
    if cluster.servers.is_empty() {
        return conflict(
            "cluster.servers is empty; legal: at least one nats://HOST:PORT or tls://HOST:PORT".into(),
        );
    }
    for server in &cluster.servers {
        let known = server.starts_with("nats://") || server.starts_with("tls://");
        let address = server.parse::<async_nats::ServerAddr>();
        if !known || address.is_err() || address.is_ok_and(|address| address.host().is_empty()) {
            return conflict(format!(
                "cluster.servers has `{server}`; legal: nats://HOST:PORT or tls://HOST:PORT"
            ));
        }
    }
    let fits = |text: &str, most, upper| {
        let legal =
            |b: u8| b.is_ascii_alphanumeric() && (upper || !b.is_ascii_uppercase()) || b == b'-' || b == b'_';
        (1..=most).contains(&text.len()) && text.bytes().all(legal)
    };
    if !fits(&cluster.prefix, 32, false) {
        return conflict(format!(
            "cluster.prefix is `{}`; legal: 1 to 32 of a-z, 0-9, `-` and `_`",
            cluster.prefix
        ));
    }
    if let Some(name) = worker.name.as_deref().filter(|name| !fits(name, 64, true)) {
        return conflict(format!(
            "worker.name is `{name}`; legal: 1 to 64 of a-z, A-Z, 0-9, `-` and `_`"
        ));
    }
    if cluster.certificate.is_some() != cluster.key.is_some() {
        return conflict(
            "cluster.certificate and cluster.key belong together: one of them is not set".into(),
        );
    }
    if cluster.credentials.is_some() && cluster.token_file.is_some() {
        return conflict(
            "cluster.credentials and cluster.token-file are both set; legal: one of them".into(),
        );
    }
    if worker.timeout < 3 * worker.heartbeat {
        return conflict(format!(
            "worker.timeout is {} ms and worker.heartbeat {} ms; legal: a time-out of at least three heartbeats",
            worker.timeout, worker.heartbeat
        ));
    }
    // The broker demands it; and an answer older than its frame's second coming would be no help.
    if cluster.duplicate_window > cluster.results_max_age {
        return conflict(format!(
            "cluster.duplicate-window is {} s; legal: at most cluster.results-max-age, {} s",
            cluster.duplicate_window, cluster.results_max_age
        ));
    }
    Ok(())
}
