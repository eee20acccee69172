//! The RTSP server: one thread, one mount point per open stream, one encoding pipeline per watched stream.

mod factory;

use crate::live::Live;
use crate::view::{View, encode};
use crate::{Error, config};
use cis_link::StreamName;
use factory::Factory;
use gst::glib;
use gst_rtsp_server::gio;
use gst_rtsp_server::prelude::*;
use gst_rtsp_server::{RTSPFilterResult, RTSPMountPoints, RTSPServer, RTSPSessionPool};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// How often sessions of clients that went away without a word are looked for.
const CLEANUP: Duration = Duration::from_secs(2);

/// A running RTSP server.
pub struct Server {
    server: RTSPServer,
    mounts: RTSPMountPoints,
    main_loop: glib::MainLoop,
    address: SocketAddr,
    settings: Arc<Live<encode::Settings>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Binds the address and starts the thread `cis-rtsp`. GStreamer and the cis elements must be there.
    /// Players who come find the settings of that moment.
    pub fn start(config: &config::Rtsp, settings: Arc<Live<encode::Settings>>) -> Result<Self, Error> {
        let (server, mounts, pool) = (RTSPServer::new(), RTSPMountPoints::new(), RTSPSessionPool::new());
        pool.set_max_sessions(config.max_clients);
        server.set_address(&config.address.ip().to_string());
        server.set_service(&config.address.port().to_string());
        server.set_mount_points(Some(&mounts));
        server.set_session_pool(Some(&pool));
        let bind = |reason: String| Error::Bind {
            what: "rtsp.address",
            address: config.address,
            reason,
        };
        let context = glib::MainContext::new();
        let source = server
            .create_source(None::<&gio::Cancellable>)
            .map_err(|e| bind(e.message().into()))?;
        source.attach(Some(&context));
        let port = u16::try_from(server.bound_port()).map_err(|_| bind("no port was bound".into()))?;
        glib::timeout_source_new(
            CLEANUP,
            Some("cis-rtsp-cleanup"),
            glib::Priority::LOW,
            move || {
                pool.cleanup();
                glib::ControlFlow::Continue
            },
        )
        .attach(Some(&context));
        let main_loop = glib::MainLoop::new(Some(&context), false);
        let thread = std::thread::Builder::new().name("cis-rtsp".into()).spawn({
            let main_loop = main_loop.clone();
            move || {
                // Nobody else has this context, so it can always be had.
                let _ = context.with_thread_default(|| main_loop.run());
                source.destroy();
            }
        });
        let thread = thread.map_err(Error::Thread)?;
        let address = SocketAddr::new(config.address.ip(), port);
        Ok(Self {
            server,
            mounts,
            main_loop,
            address,
            settings,
            thread: Some(thread),
        })
    }

    /// Where players connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes a stream's view available.
    pub fn add(&self, stream: &StreamName, view: Arc<View>) {
        self.mounts
            .add_factory(&path(stream), Factory::new(view, self.settings.clone()));
    }

    /// Ends a stream's view; its viewers are told by the view itself.
    pub fn remove(&self, stream: &StreamName) {
        self.mounts.remove_factory(&path(stream));
    }

    /// Disconnects every viewer and ends the thread.
    pub fn stop(&mut self) {
        self.server
            .client_filter(Some(&mut |_, _| RTSPFilterResult::Remove));
        // By the loop itself: it may not have started yet, and a loop that starts forgets that it was told to quit.
        let main_loop = self.main_loop.clone();
        let quit = glib::idle_source_new(Some("cis-rtsp-quit"), glib::Priority::DEFAULT, move || {
            main_loop.quit();
            glib::ControlFlow::Break
        });
        quit.attach(Some(&self.main_loop.context()));
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has been reported by then.
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn path(stream: &StreamName) -> String {
    format!("/{stream}")
}
