use super::*;

const LOSSES: [LossKind; 5] = [
    LossKind::CrossEntropy,
    LossKind::ImportanceSampling,
    LossKind::Ppo {
        low: 0.8,
        high: 1.2,
    },
    LossKind::Cispo {
        low: 0.5,
        high: 1.5,
    },
    LossKind::Dro { beta: 0.3 },
];

fn datum(advantage: f32) -> TrainDatum {
    TrainDatum {
        weights: Some(vec![advantage]),
        advantages: Some(vec![advantage]),
        logprobs: Some(vec![-1.25]),
        ..TrainDatum::default()
    }
}

#[test]
fn slopes_agree_with_differences() {
    for loss in LOSSES {
        for advantage in [-1.5, 0.75] {
            let datum = datum(advantage);
            for lp in [-3.0_f32, -1.3, -1.25, -1.2, -1.0, -0.5] {
                let at = |lp: f32| term(loss, &datum, 0, lp).unwrap();
                let h = 1.0 / 1024.0;
                let mut differences = (at(lp + h).loss - at(lp - h).loss) / f64::from(2.0 * h);
                if let LossKind::Cispo { low, high } = loss {
                    // Its ratio has no gradient, which differences do not reflect.
                    let ratio = f64::from(lp + 1.25)
                        .exp()
                        .clamp(f64::from(low), f64::from(high));
                    differences = -ratio * f64::from(advantage);
                }
                let slope = f64::from(at(lp).slope);
                assert!(
                    (slope - differences).abs() < 1e-4,
                    "{loss:?} {advantage} {lp}: {slope} {differences}"
                );
            }
        }
    }
}

#[test]
fn values_are_those_of_the_definitions() {
    let datum = datum(2.0);
    let lp = -0.25_f32;
    let ratio = 1.0_f64.exp();
    let loss = |kind| term(kind, &datum, 0, lp).unwrap().loss;
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} {b}");
    close(loss(LossKind::CrossEntropy), 0.5);
    close(loss(LossKind::ImportanceSampling), -2.0 * ratio);
    close(
        loss(LossKind::Ppo {
            low: 0.8,
            high: 1.2,
        }),
        -2.4,
    );
    close(
        loss(LossKind::Cispo {
            low: 0.0,
            high: 2.0,
        }),
        1.0,
    );
    close(loss(LossKind::Dro { beta: 0.5 }), 0.5 + 0.25);
}

#[test]
fn ppo_lets_a_ratio_come_back() {
    // Outside the bounds on the side where the clipped product is the greater one, the gradient stays.
    let ppo = LossKind::Ppo {
        low: 0.8,
        high: 1.2,
    };
    let slope = |advantage, lp| term(ppo, &datum(advantage), 0, lp).unwrap().slope;
    assert!(slope(1.0, -0.25) == 0.0 && slope(-1.0, -0.25) > 0.0);
    assert!(slope(-1.0, -2.25) == 0.0 && slope(1.0, -2.25) < 0.0);
}

#[test]
fn bounds_of_a_token_go_first() {
    let ppo = LossKind::Ppo {
        low: 0.8,
        high: 1.2,
    };
    let datum = TrainDatum {
        clip_high: Some(vec![2.0]),
        ..datum(1.0)
    };
    assert!((term(ppo, &datum, 0, -0.25).unwrap().loss + 2.0).abs() < 1e-6);
}

#[test]
fn cells_without_weight_have_no_term() {
    for loss in LOSSES {
        let datum = TrainDatum {
            logprobs: Some(vec![f32::NAN]),
            ..datum(0.0)
        };
        assert_eq!(term(loss, &datum, 0, f32::NEG_INFINITY), None);
    }
}
