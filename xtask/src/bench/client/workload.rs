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

/// A row of the table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Workload {
    pub(crate) name: String,
    /// Name of one unit of work.
    pub(crate) unit: &'static str,
    /// The line that the measuring programs read, without the count.
    settings: String,
    /// Units of a round: of the compiled clients, and of the official one.
    counts: [usize; 2],
    /// Most times the processor time of the bare client, where there is a goal.
    pub(crate) goal: Option<f64>,
    /// Whether the bare client runs it.
    pub(crate) is_bare: bool,
    /// Its place in the plot.
    pub(crate) in_flight: Option<usize>,
}

impl Workload {
    pub(crate) fn line(&self, side: Side) -> String {
        let [compiled, official] = self.counts;
        let count = if side == Side::Official {
            official
        } else {
            compiled
        };
        format!("{} {count}", self.settings)
    }

    pub(crate) fn runs_on(&self, side: Side) -> bool {
        side != Side::Bare || self.is_bare
    }
}

pub(crate) fn workloads() -> Vec<Workload> {
    let small = |in_flight: usize, counts, goal| Workload {
        name: format!("small samples, {in_flight} in flight"),
        unit: "sample",
        settings: format!("sample {in_flight}"),
        counts,
        goal,
        is_bare: true,
        in_flight: Some(in_flight),
    };
    let other = |name: &str, unit, settings: &str, counts, goal| Workload {
        name: name.to_owned(),
        unit,
        settings: settings.to_owned(),
        counts,
        goal,
        is_bare: true,
        in_flight: None,
    };
    let steps = |name: &str, settings: &str, counts| Workload {
        is_bare: false,
        ..other(name, "step", settings, counts, None)
    };
    vec![
        small(1, [5_000, 500], None),
        small(8, [10_000, 1_000], None),
        small(64, [20_000, 2_000], None),
        small(512, [20_000, 2_000], None),
        small(2_000, [20_000, 3_000], Some(1.6)),
        other(
            "samples of 16 × 8,192 tokens, 4 in flight",
            "sample",
            "answer 4",
            [400, 100],
            None,
        ),
        other(
            "forward_backward of 256 × 4,096 tokens",
            "call",
            "pass 256 4096",
            [30, 15],
            Some(1.5),
        ),
        other(
            "forward_backward of 10 × 65,536 tokens",
            "call",
            "pass 10 65536",
            [40, 15],
            Some(1.5),
        ),
        steps("steps of 4 × 64 tokens", "step 4 64", [1_000, 200]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_settings_and_the_count_of_its_side() {
        let all = workloads();
        let first = all.first().map(|w| Side::ALL.map(|side| w.line(side)));
        let lines = ["sample 1 5000", "sample 1 5000", "sample 1 500"];
        assert_eq!(first, Some(lines.map(str::to_owned)));
    }
}
