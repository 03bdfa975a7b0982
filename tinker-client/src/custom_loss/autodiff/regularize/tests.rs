use super::*;

const LOGPROBS: [&[f32]; 2] = [&[-0.5, -1.25, -2.0], &[-0.75, -0.25, -3.0]];

fn data() -> Vec<Datum> {
    let datum = |reference: [f32; 3]| {
        Datum::supervised(&[1, 2], &[3, 4]).with_input("reference", reference.to_vec())
    };
    vec![datum([-0.6, -1.0, -2.5]), datum([-0.5, -0.5, -2.0])]
}

/// A loss whose gradient depends on the log probabilities through every operation.
fn base(logprobs: &[Var]) -> Var {
    let (a, b) = (&logprobs[0], &logprobs[1]);
    let ratio = (a - b).exp();
    let mixed = ratio.clamp(0.6, 1.5).min(&(&ratio * 0.9)).sum() + (a * b).abs().sqrt().mean();
    let bounded = a.max(b).sigmoid().sum() / (1.0 + b.exp().sum()) - (a.log_sigmoid() * b).sum();
    mixed + bounded + (2.0 - a).log().sum() - (-b).sum() * 0.1
}

fn computed(terms: &[Regularizer], logprobs: &[Vec<f32>]) -> CustomLoss {
    let loss = |_: &[Datum], logprobs: &[Var]| Ok::<_, InvalidValue>(base(logprobs));
    regularize(loss, terms.to_vec())(&data(), logprobs).unwrap()
}

/// The slope by central difference in 64 bits, on the loss's own path.
fn slope(terms: &[Regularizer], datum: usize, at: usize) -> f64 {
    let step = 1e-5;
    let loss = |shift: f64| -> f64 {
        let leaves: Vec<Var> = LOGPROBS
            .iter()
            .enumerate()
            .map(|(n, lps)| {
                let shifted = lps.iter().enumerate().map(|(i, &lp)| {
                    let here = n == datum && i == at;
                    f64::from(lp) + if here { shift } else { 0.0 }
                });
                Var::new(shifted)
            })
            .collect();
        let own = base(&leaves);
        let added = terms.iter().map(|term| {
            let term = term.term(&own, &data(), &leaves).unwrap();
            term.number().unwrap()
        });
        own.number().unwrap() + added.sum::<f64>()
    };
    (loss(step) - loss(-step)) / (2.0 * step)
}

fn all() -> Vec<Regularizer> {
    vec![
        Regularizer::l1(0.3),
        Regularizer::l2(0.2),
        Regularizer::elastic_net(0.5, 0.25),
        Regularizer::entropy(0.7),
        Regularizer::kl(0.4, "reference"),
        Regularizer::consistency(0.6),
        Regularizer::orthogonality(0.9),
        Regularizer::gradient_penalty(0.8, 0.5),
    ]
}

#[test]
fn gradients_are_exact_alone_and_together() {
    let logprobs: Vec<Vec<f32>> = LOGPROBS.iter().map(|lps| lps.to_vec()).collect();
    let together = vec![all()];
    let alone = all().into_iter().map(|term| vec![term]);
    for terms in alone.chain(together) {
        let found = computed(&terms, &logprobs);
        for (datum, lps) in LOGPROBS.iter().enumerate() {
            for at in 0..lps.len() {
                let expected = slope(&terms, datum, at);
                let own = f64::from(found.gradients[datum][at]);
                assert!(
                    (own - expected).abs() < 1e-5 * (1.0 + expected.abs()),
                    "{terms:?} [{datum}][{at}]: {own} and not {expected}"
                );
            }
        }
    }
}

#[test]
fn each_term_is_told_with_its_gradient() {
    let logprobs: Vec<Vec<f32>> = LOGPROBS.iter().map(|lps| lps.to_vec()).collect();
    let found = computed(&all(), &logprobs);
    let terms: f64 = found
        .metrics
        .iter()
        .filter_map(|(name, value)| name.starts_with("loss_term/").then_some(value))
        .sum();
    assert!((terms - found.loss).abs() < 1e-9);
    for term in all() {
        assert!(
            found.metrics[&format!("grad_norm/{}", term.name)] > 0.0,
            "{}",
            term.name
        );
    }
    assert!(found.metrics["grad_norm/base"] > 0.0 && found.metrics["grad_norm/total"] > 0.0);
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    let logprobs = vec![vec![-1.0, -2.0], vec![-1.0]];
    let plain = |_: &[Datum], logprobs: &[Var]| Ok::<_, InvalidValue>(logprobs[0].sum());
    let refused = |term: Regularizer, logprobs: &[Vec<f32>]| {
        let mut data = data();
        for datum in &mut data {
            datum.loss_fn_inputs.remove("weights");
        }
        regularize(plain, [term])(&data, logprobs)
            .unwrap_err()
            .to_string()
    };
    assert!(refused(Regularizer::consistency(1.0), &logprobs).contains("one length"));
    assert!(refused(Regularizer::consistency(1.0), &logprobs[..1]).contains("in pairs"));
    assert!(refused(Regularizer::orthogonality(1.0), &logprobs).contains("one length"));
    assert!(refused(Regularizer::kl(1.0, "nowhere"), &logprobs).contains("loss_fn_inputs.nowhere"));
    assert!(refused(Regularizer::elastic_net(1.0, 2.0), &logprobs).contains("l1_ratio"));
    assert!(refused(Regularizer::l1(f64::NAN), &logprobs).contains("weight"));
}

#[test]
fn a_prompt_has_no_effect_unless_it_is_asked_for() {
    let penalty = |term: &Regularizer, prompt: usize| {
        // Two views of a completion of three tokens, behind a prompt of this length.
        let tokens: Vec<u32> = vec![1; prompt];
        let datum = Datum::supervised(&tokens, &[3, 4, 5]);
        let behind = |prompt_value: f32, values: [f32; 3]| {
            [vec![prompt_value; prompt - 1], values.to_vec()].concat()
        };
        let view = |values| behind(-4.0, values);
        let reference = behind(-5.0, [-0.6, -1.0, -2.5]);
        let data = vec![datum.with_input("reference", reference); 2];
        let logprobs = [view([-0.5, -1.25, -2.0]), view([-0.75, -0.25, -3.0])];
        let none = |_: &[Datum], _: &[Var]| Ok::<_, InvalidValue>(Var::constant(0.0));
        let custom = regularize(none, [term.clone()])(&data, &logprobs).unwrap();
        let gradients = custom.gradients.iter();
        let gradients: Vec<f32> = gradients
            .flat_map(|all| all[prompt - 1..].to_vec())
            .collect();
        (custom.loss, gradients)
    };
    let near = |left: f64, right: f64| (left - right).abs() < 1e-6 * (1.0 + left.abs());
    for term in all().into_iter().take(7) {
        let (short, long) = (penalty(&term, 1), penalty(&term, 59));
        assert!(near(short.0, long.0), "{term:?}: {} {}", short.0, long.0);
        for (short, long) in short.1.iter().zip(&long.1) {
            assert!(near(f64::from(*short), f64::from(*long)), "{term:?}");
        }
        // With the same values in both views, the difference of a prompt is 0.
        if !matches!(term.penalty, Penalty::Consistency) {
            let term = term.over_all_targets();
            assert!(!near(penalty(&term, 1).0, penalty(&term, 59).0), "{term:?}");
        }
    }
}
