//! Workloads of the client's benchmark.

/// Whose client runs a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Ours,
    /// A bare client of hyper, which sends the same bytes and decodes nothing.
    Bare,
    /// The official SDK.
    Official,
}

impl Side {
    pub(crate) const ALL: [Self; 3] = [Self::Ours, Self::Bare, Self::Official];
}

/// A row of the tables.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Workload {
    pub(crate) name: String,
    /// Name of one unit of work.
    pub(crate) unit: &'static str,
    /// The line that the measuring programs read, without the count.
    pub(crate) settings: String,
    /// Units of a round: of the client, of the bare one, and of the official SDK; 0 where one does not run it.
    counts: [usize; Side::ALL.len()],
    /// Samples in flight, for the plot.
    pub(crate) in_flight: Option<usize>,
    /// Time in ms that the server works on a unit.
    pub(crate) work: Option<f64>,
}

/// Unit of the workload without work.
pub(crate) const IDLE: &str = "10 minutes";

impl Workload {
    fn new(name: impl Into<String>, unit: &'static str, settings: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            unit,
            settings: settings.into(),
            counts: [0; Side::ALL.len()],
            in_flight: None,
            work: None,
        }
    }

    /// Runs on both compiled clients and on the official one.
    fn on_all(mut self, compiled: usize, official: usize) -> Self {
        self.counts = [compiled, compiled, official];
        self
    }

    fn without_bare(mut self) -> Self {
        self.counts[Side::Bare as usize] = 0;
        self
    }

    fn with_work(mut self, milliseconds: f64) -> Self {
        self.work = Some(milliseconds);
        self
    }

    pub(crate) fn line(&self, side: Side) -> String {
        format!("{} {}", self.settings, self.counts[side as usize])
    }

    pub(crate) fn runs_on(&self, side: Side) -> bool {
        self.counts[side as usize] > 0
    }
}

pub(crate) fn workloads() -> Vec<Workload> {
    let small = |in_flight: usize| {
        let name = format!("small samples, {in_flight} in flight");
        let mut workload = Workload::new(name, "sample", format!("sample {in_flight}"));
        workload.in_flight = Some(in_flight);
        workload
    };
    let secure = |in_flight: usize| {
        let name = format!("small samples over TLS and HTTP/2, {in_flight} in flight");
        Workload::new(name, "sample", format!("tls sample {in_flight}"))
    };
    let call = |name: &str, settings: &str| Workload::new(name, "call", settings);
    let step = |name: &str, settings: &str| Workload::new(name, "step", settings);
    let sample = |name: &str, settings: &str| Workload::new(name, "sample", settings);
    vec![
        small(1).on_all(4_000, 400),
        small(8).on_all(10_000, 1_000),
        small(64).on_all(20_000, 1_500),
        small(512).on_all(20_000, 1_500),
        small(2_000).on_all(20_000, 2_000),
        secure(64).on_all(20_000, 1_000),
        secure(2_000).on_all(20_000, 2_000),
        secure(20_000).on_all(40_000, 0),
        sample(
            "small samples beside passes of 256 × 4,096 tokens, 64 in flight",
            "beside 64",
        )
        .on_all(10_000, 600),
        sample("small samples of 1,000 clients, one each", "clients 1000").on_all(20_000, 0),
        sample("samples of 16 × 8,192 tokens, 4 in flight", "answer 4").on_all(400, 100),
        sample(
            "samples of 16 × 8,192 tokens, 4 in flight, read in place",
            "view 4",
        )
        .on_all(400, 100),
        // The bare client only reads; the official one reads through lists, and through numpy in the second row.
        Workload::new("decoding of 16 × 8,192 tokens", "answer", "decode").on_all(500, 100),
        Workload::new(
            "decoding of 16 × 8,192 tokens, read in place",
            "answer",
            "decode-view",
        )
        .on_all(1_000, 300),
        call("forward_backward of 256 × 4,096 tokens", "pass 256 4096").on_all(30, 15),
        call("forward_backward of 10 × 65,536 tokens", "pass 10 65536").on_all(40, 15),
        call(
            "forward_backward of 256 × 4,096 tokens, zstd",
            "zstd 256 4096",
        )
        .on_all(20, 10),
        call(
            "forward_backward of 10 × 65,536 tokens, zstd",
            "zstd 10 65536",
        )
        .on_all(20, 10),
        call(
            "forward_backward of 256 × 4,096 tokens over TLS, HTTP/2 and 4 connections",
            "tls lanes 4 256 4096",
        )
        .on_all(20, 10),
        step("steps of 4 × 64 tokens", "step 4 64").on_all(1_000, 150),
        step("steps of 256 × 4,096 tokens", "step 256 4096").on_all(20, 10),
        step(
            "steps of 4 × 64 tokens, of 50 ms each",
            "working 50000 4 64",
        )
        .on_all(40, 20)
        .with_work(50.0),
        // The batch is sent in four requests.
        step(
            "steps of 256 × 4,096 tokens, of 50 ms each",
            "working 12500 256 4096",
        )
        .on_all(40, 20)
        .with_work(50.0),
        Workload::new("an idle session", IDLE, "idle")
            .on_all(20, 20)
            .without_bare(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_settings_and_the_count_of_its_side() {
        let all = workloads();
        let first = all.first().map(|w| Side::ALL.map(|side| w.line(side)));
        let lines = ["sample 1 4000", "sample 1 4000", "sample 1 400"];
        assert_eq!(first, Some(lines.map(str::to_owned)));
        let last = all.last().map(|w| Side::ALL.map(|side| w.runs_on(side)));
        assert_eq!(last, Some([true, false, true]));
    }
}
