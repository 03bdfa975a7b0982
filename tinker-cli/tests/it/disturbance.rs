//! Disturbances of training runs besides kills.
#![cfg(unix)]

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::program::Workplace;
use crate::relay::{faulty, listen};
use crate::serve::Server;

const ENGINE: [&str; 2] = ["--data-dir", "data"];

/// Disturbances of a run besides kills.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disturbance {
    None,
    /// 30 of 100 requests fail on their way to a server.
    Faults,
    /// The server is killed and restarted.
    Restarts,
    /// Both.
    FaultsAndRestarts,
}

/// The place where a run is disturbed: the engine in its process, or a server.
pub(crate) struct Place<'a> {
    work: &'a Workplace,
    server: Option<Server>,
    url: String,
    restarts: bool,
}

impl<'a> Place<'a> {
    /// Starts the server, if the disturbance needs one.
    pub(crate) fn new(work: &'a Workplace, disturbance: Disturbance) -> Self {
        let mut place = Self {
            work,
            server: None,
            url: String::new(),
            restarts: matches!(
                disturbance,
                Disturbance::Restarts | Disturbance::FaultsAndRestarts
            ),
        };
        if disturbance == Disturbance::None {
            return place;
        }
        let server = Server::start_with(work, &ENGINE);
        place.url.clone_from(&server.url);
        place.server = Some(server);
        if disturbance != Disturbance::Restarts {
            let upstream = place.url.strip_prefix("http://").unwrap().to_owned();
            let count: &'static AtomicU64 = Box::leak(Box::default());
            place.url = listen(move |stream| faulty(&upstream, count, |_| true, stream));
        }
        place
    }

    /// Options that select the place.
    pub(crate) fn options(&self) -> [&str; 2] {
        if self.url.is_empty() {
            ENGINE
        } else {
            ["--base-url", &self.url]
        }
    }

    /// Strikes a run in progress, and gives it some time to go on.
    pub(crate) fn strike(&mut self, random: &mut Random, run_time: Duration) {
        if !self.restarts {
            return;
        }
        let Some(server) = self.server.take() else {
            return;
        };
        let port = server.url.rsplit_once(':').unwrap().1.to_owned();
        drop(server);
        self.server = Some(Server::start_at(self.work, &port, &ENGINE));
        std::thread::sleep(run_time.mul_f64(random.share()));
    }
}

/// A generator of moments.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn share(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}
