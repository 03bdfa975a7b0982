//! A graph uploaded by the official client 0.38, and the expected results of its function.

use tinker_types::CreateCustomLoss;

use super::super::CustomLoss;

const UPLOAD: &str = include_str!("recorded.json");

#[test]
fn a_recorded_graph_gives_what_its_function_gives() {
    let request: CreateCustomLoss = serde_json::from_str(UPLOAD).unwrap();
    let loss = CustomLoss::parse(&request).unwrap();
    let (logprobs, advantages, old) = (
        [-0.5_f32, -0.75, -1.0],
        [0.5_f32, 1.0, -1.0],
        [-0.4_f32, -1.2, -1.0],
    );
    let given = [("advantages", advantages), ("old", old)];
    let given = given.map(|(name, values)| (name.to_owned(), values.to_vec().into()));
    let inputs = loss.inputs(&given.into(), vec![3]).unwrap();
    let evaluate = |lp: [f32; 3]| loss.evaluate(&lp, &inputs).unwrap();
    let got = evaluate(logprobs);

    // def fancy(logprobs, advantages, old), written out.
    let mut surrogate = [0.0; 3];
    for at in 0..3 {
        let ratio = (f64::from(logprobs[at]) - f64::from(old[at])).exp();
        let advantage = f64::from(advantages[at]);
        surrogate[at] = (ratio * advantage).min(ratio.clamp(0.8, 1.2) * advantage);
    }
    let positive: f64 = surrogate.iter().filter(|s| **s > 0.0).sum();
    let tail: f64 = surrogate[1..].iter().sum();
    let want = -(surrogate[0] + tail + 2.0 * positive + 3.0);
    assert!((got.loss - want).abs() < 1e-12, "{} {want}", got.loss);
    let mean = surrogate.iter().sum::<f64>() / 3.0;
    assert!((got.metrics["custom/obj:mean"] - mean).abs() < 1e-12);
    // The second ratio is clipped, so nothing depends on it.
    assert!(got.gradient[0] < 0.0 && got.gradient[1] == 0.0 && got.gradient[2] > 0.0);
    for at in [0, 2] {
        let moved = |by: f32| {
            let mut lp = logprobs;
            lp[at] += by;
            evaluate(lp).loss
        };
        let difference = (moved(1.0 / 1024.0) - moved(-1.0 / 1024.0)) * 512.0;
        assert!((difference - got.gradient[at]).abs() < 1e-5);
    }
}
