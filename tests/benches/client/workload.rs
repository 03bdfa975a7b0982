//! Work of one measurement.

use std::str::FromStr;

use crate::Outcome;

/// Work of one measurement, read from a line.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Workload {
    /// `sample IN_FLIGHT COUNT`: samples with prompts of 32 tokens and answers of 16.
    Sample { in_flight: usize, count: usize },
    /// `beside IN_FLIGHT COUNT`: such samples while batches of 256 × 4,096 tokens are sent one after another.
    Beside { in_flight: usize, count: usize },
    /// `clients CLIENTS COUNT`: such samples of many clients, each of which has one in flight.
    Clients { clients: usize, count: usize },
    /// `answer IN_FLIGHT COUNT`: samples with answers of 16 sequences of 8,192 tokens, each value of which is read.
    Answer { in_flight: usize, count: usize },
    /// `view IN_FLIGHT COUNT`: the same, read in place.
    View { in_flight: usize, count: usize },
    /// `decode COUNT`: decodes such an answer into vectors and reads each value.
    Decode { count: usize },
    /// `decode-view COUNT`: the same, read in place.
    DecodeView { count: usize },
    /// `pass ROWS TOKENS COUNT`: passes, one after another.
    Pass(Passes),
    /// `zstd ROWS TOKENS COUNT`: compressed passes.
    Compressed(Passes),
    /// `lanes CONNECTIONS ROWS TOKENS COUNT`: passes over so many connections.
    Lanes { connections: usize, passes: Passes },
    /// `step ROWS TOKENS COUNT`: passes with an optimizer step, each begun when the last has ended.
    Step(Passes),
    /// `working MICROSECONDS ROWS TOKENS COUNT`: such steps, and the server works on each request of a pass.
    Working { microseconds: u64, steps: Passes },
    /// `idle SECONDS`: a client that is not used.
    Idle { seconds: u64 },
}

/// Passes of one batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Passes {
    pub(crate) rows: usize,
    pub(crate) tokens: usize,
    pub(crate) count: usize,
}

impl FromStr for Workload {
    type Err = Box<dyn std::error::Error + Send + Sync>;

    fn from_str(line: &str) -> Outcome<Self> {
        let mut words = line.split_whitespace();
        let verb = words.next().unwrap_or_default();
        let numbers: Result<Vec<usize>, _> = words.map(str::parse).collect();
        let passes = |rows, tokens, count| Passes {
            rows,
            tokens,
            count,
        };
        Ok(match (verb, numbers?.as_slice()) {
            ("sample", &[in_flight, count]) => Self::Sample { in_flight, count },
            ("beside", &[in_flight, count]) => Self::Beside { in_flight, count },
            ("clients", &[clients, count]) => Self::Clients { clients, count },
            ("answer", &[in_flight, count]) => Self::Answer { in_flight, count },
            ("view", &[in_flight, count]) => Self::View { in_flight, count },
            ("decode", &[count]) => Self::Decode { count },
            ("decode-view", &[count]) => Self::DecodeView { count },
            ("pass", &[rows, tokens, count]) => Self::Pass(passes(rows, tokens, count)),
            ("zstd", &[rows, tokens, count]) => Self::Compressed(passes(rows, tokens, count)),
            ("lanes", &[connections, rows, tokens, count]) => Self::Lanes {
                connections,
                passes: passes(rows, tokens, count),
            },
            ("step", &[rows, tokens, count]) => Self::Step(passes(rows, tokens, count)),
            ("working", &[microseconds, rows, tokens, count]) => Self::Working {
                microseconds: microseconds as u64,
                steps: passes(rows, tokens, count),
            },
            ("idle", &[seconds]) => Self::Idle {
                seconds: seconds as u64,
            },
            _ => return Err(format!("unknown workload {line:?}").into()),
        })
    }
}
