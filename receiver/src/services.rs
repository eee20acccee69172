//! The runtime of everything that speaks to a network besides cameras and players: brokers, web servers. One thread; video never waits for it.

use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;

/// How long a service may go on sending what it has when the receiver ends: it has to count what is left.
const GOODBYE: Duration = Duration::from_millis(1500);
/// How long services get to send what they have when the receiver ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// The running services.
pub struct Services {
    runtime: Runtime,
    stop: watch::Sender<bool>,
    tasks: Vec<(&'static str, tokio::task::JoinHandle<()>)>,
}

/// Tells a service that the receiver ends.
#[derive(Clone, Debug)]
pub struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// Returns when the receiver ends.
    pub async fn wait(&mut self) {
        // An error says that the services themselves are gone.
        let _ = self.0.wait_for(|stopping| *stopping).await;
    }

    /// Does `work` until it is done, or, when the receiver ends, for a little longer.
    pub async fn limit(mut self, work: impl Future<Output = ()>) {
        let end = async {
            self.wait().await;
            tokio::time::sleep(GOODBYE).await;
        };
        tokio::select! {
            () = work => {}
            () = end => {}
        }
    }
}

impl Services {
    /// Starts the thread `cis-services`.
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(16)
            .thread_name("cis-services")
            .enable_all()
            .build()?;
        Ok(Self {
            runtime,
            stop: watch::Sender::new(false),
            tasks: Vec::new(),
        })
    }

    /// Where tasks may be spawned and futures waited for before the service runs.
    pub fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    /// Runs a service until it ends by itself, as it must soon after `Stopping` says so.
    pub fn run<F, S>(&mut self, name: &'static str, service: S)
    where
        S: FnOnce(Stopping) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
        let task = self.runtime.spawn(service(Stopping(self.stop.subscribe())));
        self.tasks.push((name, task));
    }

    /// Tells all services to end and waits for them, but not for long.
    pub fn shutdown(self) {
        self.stop.send_replace(true);
        let tasks = self.tasks;
        self.runtime.block_on(async {
            let deadline = tokio::time::Instant::now() + FAREWELL;
            for (name, task) in tasks {
                match tokio::time::timeout_at(deadline, task).await {
                    Ok(Ok(())) => {}
                    Ok(Err(e)) => tracing::error!("{name} failed: {e}"),
                    Err(_) => tracing::warn!("{name} did not end within {FAREWELL:?} and is cut off"),
                }
            }
        });
        self.runtime.shutdown_background();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn a_service_that_ends_is_waited_for_and_one_that_hangs_is_not() {
        let mut services = Services::start().unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        services.run("ends", {
            let ended = ended.clone();
            |mut stopping| async move {
                stopping.wait().await;
                ended.store(true, Ordering::Relaxed);
            }
        });
        services.run("hangs", |_| std::future::pending());
        services.shutdown();
        assert!(ended.load(Ordering::Relaxed));
    }
}
