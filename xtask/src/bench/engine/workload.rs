//! Workloads of the benchmark.

/// A workload, in the syntax of the measuring programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Workload {
    /// Its row of the table, or its point on a curve.
    pub(crate) key: String,
    /// Heading of its column.
    pub(crate) who: &'static str,
    /// The line sent to the worker.
    pub(crate) line: String,
}

/// Column of the engine.
pub(crate) const ENGINE: &str = "tinker-local";
/// Column that all ratios refer to.
pub(crate) const EAGER: &str = "PyTorch";
pub(crate) const COMPILE: &str = "torch.compile";
pub(crate) const BF16: &str = "bf16 autocast";

/// Keys of the matrix products that determine the peak.
pub(crate) const PEAK: &str = "product";
/// The row whose share of the peak is reported.
pub(crate) const TRAIN_M: &str = "train M";

impl Workload {
    fn new(key: &str, who: &'static str, line: String) -> Self {
        Self {
            key: key.to_owned(),
            who,
            line,
        }
    }

    /// Whether PyTorch runs it.
    pub(crate) fn is_torch(&self) -> bool {
        self.who != ENGINE
    }
}

/// Rows of the table with their goals: at least, and better.
pub(crate) const GOALS: [(&str, &str); 6] = [
    ("train S", "1.8×, 3×"),
    (TRAIN_M, "1.6×, 2×"),
    ("sample S, 1 at once", "15×, 25×"),
    ("sample S, 16 at once", "10×, 20×"),
    ("sample M, 1 at once", "-"),
    ("sample M, 16 at once", "2.5×, 5×"),
];

/// Workloads of the comparison with PyTorch.
pub(crate) fn comparisons() -> Vec<Workload> {
    let mut all = Vec::new();
    for (key, settings) in [
        ("train S", "S batch=8 length=256 rank=16"),
        (TRAIN_M, "M batch=8 length=512 rank=16"),
    ] {
        all.push(Workload::new(key, ENGINE, format!("train {settings}")));
        for (who, how) in [(EAGER, "eager"), (COMPILE, "compile"), (BF16, "bf16")] {
            all.push(Workload::new(
                key,
                who,
                format!("train {settings} how={how}"),
            ));
        }
    }
    for (key, settings) in [
        ("sample S, 1 at once", "S batch=1 prompt=16 length=240"),
        ("sample S, 16 at once", "S batch=16 prompt=16 length=240"),
        ("sample M, 1 at once", "M batch=1 prompt=16 length=112"),
        ("sample M, 16 at once", "M batch=16 prompt=16 length=112"),
    ] {
        for who in [ENGINE, EAGER] {
            all.push(Workload::new(key, who, format!("sample {settings}")));
        }
    }
    all
}

/// Matrix products; the best rate of any is the peak of the machine.
pub(crate) fn peaks() -> Vec<Workload> {
    vec![
        Workload::new(PEAK, ENGINE, "product m=240 n=1024 k=256".to_owned()),
        Workload::new(PEAK, ENGINE, "product m=256 n=3072 k=512".to_owned()),
        Workload::new(PEAK, EAGER, "product m=1024 n=3072 k=512".to_owned()),
        Workload::new(PEAK, EAGER, "product m=2048 n=2048 k=2048".to_owned()),
    ]
}

/// Floating point operations of the matrix products for one token of training `M` with sequences of `length`:
/// only those that the gradients of the adapter need.
pub(crate) fn operations_in_train_m(length: usize) -> f64 {
    let (d, qkv, query, ff, blocks, vocab, rank) =
        (512.0, 1024.0, 512.0, 1536.0, 8.0, 4096.0, 16.0);
    let frozen = d * qkv + query * d + d * 2.0 * ff + ff * d;
    // Forward and backward pass through the frozen weights, except the gradient of the first block's input.
    let frozen = blocks * 2.0 * frozen - d * qkv + 2.0 * d * vocab;
    let low = |input: f64, outputs: &[f64]| {
        let outputs: f64 = outputs.iter().map(|output| output + input).sum();
        rank * outputs
    };
    let low = low(d, &[512.0, 256.0, 256.0]) + low(query, &[d]) + low(d, &[ff, ff]) + low(ff, &[d]);
    // Each is used once in the forward pass and twice in the backward pass.
    let low = blocks * 3.0 * low;
    // Forward: scores and sums over the preceding positions. Backward: twice that, and the scores again.
    let attention = blocks * (2.0 + 5.0) * query * (length as f64 + 1.0) / 2.0;
    2.0 * (frozen + low + attention)
}

/// Cost over one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Curve {
    /// `train` or `sample`.
    pub(crate) verb: &'static str,
    /// `S` or `M`.
    pub(crate) shape: &'static str,
    /// The setting.
    pub(crate) along: &'static str,
    pub(crate) values: &'static [usize],
    /// The other settings.
    pub(crate) fixed: &'static str,
}

impl Curve {
    pub(crate) fn title(&self) -> String {
        let Self {
            verb, shape, along, ..
        } = self;
        format!("{verb} {shape} against {along}")
    }

    pub(crate) fn points(&self) -> impl Iterator<Item = Workload> {
        let Self {
            verb,
            shape,
            along,
            fixed,
            ..
        } = self;
        self.values.iter().map(move |value| {
            let line = format!("{verb} {shape} {along}={value} {fixed}");
            Workload::new(&value.to_string(), ENGINE, line)
        })
    }
}

/// All curves.
pub(crate) fn curves() -> Vec<Curve> {
    let curve = |verb, shape, along, values, fixed| Curve {
        verb,
        shape,
        along,
        values,
        fixed,
    };
    vec![
        curve(
            "train",
            "S",
            "batch",
            &[1, 2, 3, 4, 5, 6, 8, 9, 12, 16, 24, 32],
            "length=256",
        ),
        curve("train", "M", "batch", &[1, 2, 3, 4, 6, 8], "length=256"),
        curve(
            "train",
            "S",
            "length",
            &[8, 16, 32, 64, 128, 192, 256, 384, 512, 768, 1024],
            "batch=8",
        ),
        curve(
            "train",
            "S",
            "rank",
            &[1, 2, 4, 8, 16, 24, 32, 48, 64],
            "batch=8 length=256",
        ),
        curve(
            "train",
            "S",
            "adapters",
            &[1, 2, 4, 8, 16],
            "batch=2 length=256",
        ),
        curve(
            "sample",
            "S",
            "batch",
            &[1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 16, 17, 24, 25, 32, 48, 64],
            "length=64",
        ),
        curve(
            "sample",
            "M",
            "batch",
            &[1, 2, 3, 4, 5, 8, 12, 16, 24, 32],
            "length=16",
        ),
        curve(
            "sample",
            "S",
            "prompt",
            &[
                1, 16, 32, 64, 128, 192, 256, 320, 384, 448, 512, 576, 640, 704, 768, 832, 896, 960,
            ],
            "batch=16 length=48 decode=1",
        ),
        curve(
            "sample",
            "S",
            "samples",
            &[1, 2, 4, 8, 16],
            "batch=16 prompt=512 length=48 decode=1",
        ),
        curve(
            "sample",
            "S",
            "rank",
            &[1, 2, 4, 8, 16, 24, 32, 48, 64],
            "batch=16 length=64 adapters=1",
        ),
        curve(
            "sample",
            "S",
            "adapters",
            &[1, 2, 3, 4, 6, 8, 12, 16],
            "batch=16 length=64",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_goal_is_measured_on_both_sides() {
        let all = comparisons();
        for (key, ..) in GOALS {
            for who in [ENGINE, EAGER] {
                assert!(all.iter().any(|w| w.key == key && w.who == who), "{key}");
            }
        }
    }

    #[test]
    fn operations_of_a_token() {
        // 25 M frozen weights in blocks and 2 M in the head, twice; by hand.
        let millions = operations_in_train_m(512) / 1e6;
        assert!((120.0..140.0).contains(&millions), "{millions}");
    }
}
