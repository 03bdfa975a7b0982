//! Disturbances of training runs besides kills.
#![cfg(unix)]

use std::time::Duration;

use crate::program::Workplace;
use crate::serve::Server;

/// A disturbance of a run besides kills.
pub(crate) enum Disturbance {
    None,
    /// The server is killed and restarted.
    Restarts(Option<(Server, &'static str)>),
}

impl Disturbance {
    /// Starts the server.
    pub(crate) fn begin(&mut self, work: &Workplace) {
        let data = ["--data-dir", "data"];
        match self {
            Self::None => {}
            Self::Restarts(server) => {
                let started = Server::start_with(work, &data);
                let url: &'static str = started.url.clone().leak();
                *server = Some((started, url));
            }
        }
    }

    /// Options that select the server.
    pub(crate) fn place(&self) -> [&'static str; 2] {
        match self {
            Self::None => ["--data-dir", "data"],
            Self::Restarts(server) => ["--base-url", server.as_ref().unwrap().1],
        }
    }

    /// Strikes a run in progress, and gives it some time to go on.
    pub(crate) fn strike(&mut self, work: &Workplace, random: &mut Random, whole_time: Duration) {
        let Self::Restarts(server) = self else {
            return;
        };
        let url = server.as_ref().unwrap().1;
        let (_, port) = url.rsplit_once(':').unwrap();
        *server = None;
        let restarted = Server::start_at(work, port, &["--data-dir", "data"]);
        *server = Some((restarted, url));
        std::thread::sleep(whole_time.mul_f64(random.share()));
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
