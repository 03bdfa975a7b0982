//! Combination of the results of a batch that was sent in several requests.

use std::collections::BTreeMap;

use tinker_types::ForwardBackwardOutput;

type Metrics = BTreeMap<String, f64>;

/// One output for the whole batch: outputs in order, metrics reduced by the suffix after the colon of their name. The
/// first part determines the kind of output and the metrics; a metric that another part lacks is omitted.
pub(crate) fn combine(mut parts: Vec<ForwardBackwardOutput>) -> ForwardBackwardOutput {
    if parts.len() == 1 {
        return parts.swap_remove(0);
    }
    let metrics = reduce_all(&parts);
    let mut parts = parts.into_iter();
    let mut whole = parts.next().unwrap_or_default();
    for part in parts {
        whole.loss_fn_outputs.extend(part.loss_fn_outputs);
    }
    whole.metrics = metrics;
    whole
}

fn reduce_all(parts: &[ForwardBackwardOutput]) -> Metrics {
    let mut metrics = Metrics::new();
    let weights: Vec<f64> = parts
        .iter()
        .map(|part| part.loss_fn_outputs.len() as f64)
        .collect();
    for name in parts.iter().take(1).flat_map(|part| part.metrics.keys()) {
        let values: Option<Vec<f64>> = parts
            .iter()
            .map(|part| part.metrics.get(name).copied())
            .collect();
        let Some(values) = values else {
            continue;
        };
        let reduction = name.rsplit_once(':').map(|(_, reduction)| reduction);
        match reduction.and_then(|reduction| reduce(reduction, &values, &weights)) {
            Some(value) => {
                metrics.insert(name.clone(), value);
            }
            // `unique`, no reduction or an unknown one: keep the values of all parts.
            None => {
                for (index, value) in values.into_iter().enumerate() {
                    let suffix = if index == 0 {
                        String::new()
                    } else {
                        format!("_{index}")
                    };
                    metrics.insert(format!("{name}{suffix}"), value);
                }
            }
        }
    }
    metrics
}

fn reduce(reduction: &str, values: &[f64], weights: &[f64]) -> Option<f64> {
    let first = *values.first()?;
    // A NaN is kept; `f64::min` and `f64::max` would drop it.
    let pick = |better: fn(f64, f64) -> f64| {
        values.iter().skip(1).fold(first, |best, &value| {
            if best.is_nan() || value.is_nan() {
                f64::NAN
            } else {
                better(best, value)
            }
        })
    };
    Some(match reduction {
        "sum" => values.iter().sum(),
        "mean" => mean(values, weights),
        "min" => pick(f64::min),
        "max" => pick(f64::max),
        "slack" => pick(f64::max) - mean(values, weights),
        // 64-bit checksums, sent as doubles.
        "hash2" => {
            let sum = values
                .iter()
                .fold(0_u64, |sum, &value| sum.wrapping_add(value as i128 as u64));
            sum as f64
        }
        _ => return None,
    })
}

/// Mean weighted by the number of data of each part; unweighted if no part has data.
fn mean(values: &[f64], weights: &[f64]) -> f64 {
    let total: f64 = weights.iter().sum();
    if total > 0.0 {
        let sum: f64 = values
            .iter()
            .zip(weights)
            .map(|(value, weight)| value * weight)
            .sum();
        return sum / total;
    }
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part(data: usize, metrics: &[(&str, f64)]) -> ForwardBackwardOutput {
        let mut part = ForwardBackwardOutput::default();
        part.loss_fn_outputs = (0..data)
            .map(|n| BTreeMap::from([("n".to_owned(), vec![n as f32].into())]))
            .collect();
        part.metrics = metrics
            .iter()
            .map(|(name, value)| ((*name).to_owned(), *value))
            .collect();
        part
    }

    #[test]
    fn each_reduction() {
        let names = [
            "a:sum", "a:mean", "a:min", "a:max", "a:slack", "a:hash2", "a:unique", "loss", "a:new",
        ];
        let of = |value: f64| names.map(|name| (name, value));
        let whole = combine(vec![part(1, &of(2.0)), part(3, &of(6.0))]);
        let expected = [
            ("a:sum", 8.0),
            ("a:mean", 5.0),
            ("a:min", 2.0),
            ("a:max", 6.0),
            ("a:slack", 1.0),
            ("a:hash2", 8.0),
            ("a:unique", 2.0),
            ("a:unique_1", 6.0),
            ("loss", 2.0),
            ("loss_1", 6.0),
            ("a:new", 2.0),
            ("a:new_1", 6.0),
        ];
        assert_eq!(whole.metrics, part(0, &expected).metrics);
        assert_eq!(whole.loss_fn_outputs.len(), 4);
    }

    #[test]
    fn checksums_are_added_modulo_their_width() {
        let half = 2_f64.powi(63);
        let parts = [half, half, 5.0].map(|value| part(1, &[("a:hash2", value)]));
        let whole = combine(parts.into());
        assert_eq!(whole.metrics.get("a:hash2"), Some(&5.0));
    }

    #[test]
    fn no_data_is_no_division_by_zero() {
        let of = [("a:mean", 2.0), ("a:slack", 2.0)];
        let whole = combine(vec![part(0, &of), part(0, &of)]);
        assert_eq!(
            whole.metrics,
            part(0, &[("a:mean", 2.0), ("a:slack", 0.0)]).metrics
        );
    }

    #[test]
    fn a_metric_some_part_lacks_is_left_out_and_a_nan_is_kept() {
        let first = part(1, &[("a:sum", 1.0), ("b:sum", 1.0), ("c:max", 1.0)]);
        let whole = combine(vec![first, part(1, &[("b:sum", 2.0), ("c:max", f64::NAN)])]);
        assert_eq!(whole.metrics.len(), 2);
        assert!(whole.metrics["c:max"].is_nan());
    }

    #[test]
    fn one_part_stays_as_it_is() {
        let only = part(2, &[("loss", 1.0), ("a:new", 2.0)]);
        assert_eq!(combine(vec![only.clone()]), only);
    }

    proptest! {
        #[test]
        fn any_split_joins_back_to_the_whole(
            values in proptest::collection::vec(-1e3_f64..1e3, 1..40),
            cuts in proptest::collection::vec(1_usize..6, 1..40),
        ) {
            // The report of a server for some data.
            let report = |values: &[f64]| {
                let sum: f64 = values.iter().sum();
                let mut report = part(0, &[
                    ("v:sum", sum),
                    ("v:mean", sum / values.len() as f64),
                    ("v:min", values.iter().copied().fold(f64::INFINITY, f64::min)),
                    ("v:max", values.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
                ]);
                let output = |&value: &f64| BTreeMap::from([("v".to_owned(), vec![value as f32].into())]);
                report.loss_fn_outputs = values.iter().map(output).collect();
                report
            };
            let mut left = &values[..];
            let mut parts = Vec::new();
            for cut in cuts.into_iter().cycle() {
                if left.is_empty() {
                    break;
                }
                let (now, later) = left.split_at(cut.min(left.len()));
                parts.push(report(now));
                left = later;
            }
            let (joined, whole) = (combine(parts), report(&values));
            prop_assert_eq!(joined.loss_fn_outputs, whole.loss_fn_outputs);
            prop_assert_eq!(joined.metrics.len(), whole.metrics.len());
            for (name, value) in whole.metrics {
                let found = joined.metrics[&name];
                prop_assert!((found - value).abs() < 1e-7, "{}: {} {}", name, found, value);
            }
        }
    }
}
