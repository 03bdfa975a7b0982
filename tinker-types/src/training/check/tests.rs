use super::*;

#[test]
fn a_fault_is_named_with_its_place() {
    let good = Datum::supervised(&[1, 2], &[3]);
    let message = |bad: Datum| {
        Loss::cross_entropy()
            .check(&[good.clone(), bad])
            .unwrap_err()
            .to_string()
    };
    assert!(Loss::cross_entropy().check(&[]).is_err());
    assert!(message(Datum::default()).starts_with("data[1].model_input: "));
    assert_eq!(
        message(Datum::supervised(&[1, 2], &[])),
        "data[1].model_input: is empty; a datum needs at least one input token, and a completion at least one token"
    );
    assert!(
        message(good.clone().with_input("weights", vec![1.0]))
            .contains("1 positions for 2 input tokens")
    );
    assert_eq!(
        message(good.clone().with_input("weights", vec![1.0, f32::NAN])),
        "data[1].loss_fn_inputs.weights[1]: is NaN; losses take finite numbers"
    );
    assert!(
        message(good.clone().with_input("target_tokens", vec![-1_i64, 0]))
            .contains("target_tokens[0]")
    );
    assert!(
        message(good.clone().with_input("weights", vec![1_i64, 0]))
            .contains("is int64, must be float32")
    );
    let mut pointer = good.clone();
    pointer.model_input.chunks = vec![crate::Chunk::text([u32::MAX])];
    assert!(message(pointer).starts_with("data[1].model_input.chunks[0].tokens[0]: 4294967295"));
    let reinforced = Datum::reinforced(&[1], &[2, 3], &[-1.0; 2], &[1.0; 2]).unwrap();
    let check = |datum: &Datum| Loss::stable_reinforce().check(std::slice::from_ref(datum));
    let error = check(&reinforced).unwrap_err().to_string();
    assert!(
        error.starts_with("data[0].model_input_spans: is missing"),
        "{error}"
    );
    let mut recorded = reinforced.with_provenance_of("q", 1).unwrap();
    assert!(check(&recorded).is_ok());
    recorded.model_input_spans.pop();
    let error = check(&recorded).unwrap_err().to_string();
    assert!(
        error.starts_with("data[0].model_input_spans: cover 1 positions"),
        "{error}"
    );
    let ppo = Loss::ppo().check(&[good]).unwrap_err().to_string();
    assert_eq!(
        ppo,
        "data[0].loss_fn_inputs.logprobs: is missing; ppo needs it"
    );
}

#[test]
fn unknown_inputs_are_named() {
    let message = |loss: Loss, name: &str| {
        let reinforced = Datum::reinforced(&[1], &[2], &[-1.0], &[1.0]).unwrap();
        let datum = reinforced.with_input(name, vec![1.0_f32]);
        loss.check(&[datum]).unwrap_err().to_string()
    };
    assert_eq!(
        message(Loss::cross_entropy(), "wieghts"),
        "data[0].loss_fn_inputs.wieghts: is not known; cross_entropy takes target_tokens, and optionally weights"
    );
    assert!(message(Loss::ppo(), "advantage").ends_with(
        "ppo takes target_tokens, logprobs, advantages, and optionally clip_low_threshold, clip_high_threshold"
    ));
    assert!(message(Loss::dro(), "mask").contains("multiply advantages by the mask"));
    assert!(message(Loss::cross_entropy(), "mask").contains("the weight 0 in weights"));
    let datum = Datum::supervised(&[1], &[2]).with_input("anything", vec![1.0_f32]);
    assert!(
        Loss::new(LossFn::Other("new".into()))
            .check(&[datum])
            .is_ok()
    );
}

#[test]
fn constants_have_names_and_ranges() {
    let message = |loss: Loss| loss.check_constants().unwrap_err().to_string();
    assert_eq!(
        message(Loss::ppo().with("epsilon", 0.2)),
        "loss_fn_config.epsilon: is not known; ppo takes clip_low_threshold and clip_high_threshold"
    );
    assert!(message(Loss::cross_entropy().with("beta", 1.0)).contains("takes no constants"));
    assert!(message(Loss::ppo().with_clip(1.2, 0.8)).contains("1.2 to 0.8 is not a range"));
    let negative = Loss::ppo().with("clip_high_threshold", -1.0);
    assert!(message(negative).contains("default to -1 is not a range"));
    assert!(message(Loss::dro().with_beta(f64::NAN)).contains("finite"));
    assert!(message(Loss::dro().with_beta(-1.0)).contains("0 or more"));
    assert!(message(Loss::dro().with("beta", "x")).contains("text"));
    assert!(message(Loss::new(LossFn::Custom)).contains("upload a loss"));
    assert!(
        Loss::new(LossFn::Other("new".into()))
            .with("x", 1.0)
            .check_constants()
            .is_ok()
    );
}

#[test]
fn log_probabilities_of_samples_are_not_positive() {
    let datum = |logprob: f32, advantage: f32| {
        Datum::reinforced(&[1], &[2, 3], &[-1.0, logprob], &[1.0, advantage]).unwrap()
    };
    let check = |datum| {
        Loss::ppo()
            .check(&[datum])
            .map_err(|error| error.to_string())
    };
    assert_eq!(
        check(datum(0.5, 1.0)).unwrap_err(),
        "data[0].loss_fn_inputs.logprobs[1]: is 0.5; a log probability is at most 0"
    );
    assert!(
        check(datum(f32::NAN, 1.0))
            .unwrap_err()
            .contains("finite numbers")
    );
    for fine in [datum(0.0005, 1.0), datum(0.5, 0.0), datum(f32::NAN, 0.0)] {
        assert_eq!(check(fine), Ok(()));
    }
}

#[test]
fn several_targets_need_as_many_weights() {
    let matrix = |values: usize| TensorData::from(vec![1_i64; values]).with_shape([2, values / 2]);
    let datum = Datum::supervised(&[1, 2], &[3]).with_input(TARGETS, matrix(4).unwrap());
    let error = |loss: Loss, datum: &Datum| {
        loss.check(std::slice::from_ref(datum))
            .unwrap_err()
            .to_string()
    };
    assert!(
        error(Loss::cross_entropy(), &datum)
            .contains("has 1 values for each position, the targets have 2")
    );
    let policy = datum
        .with_input("logprobs", vec![-1.0_f32; 2])
        .with_input("advantages", vec![1.0_f32; 2]);
    assert!(error(Loss::ppo(), &policy).contains("only cross_entropy takes more than one"));
    let huge = TensorData::csr(Elements::Float32([].into()), [0, 0, 0], [], [2, 1 << 50]).unwrap();
    let wide = policy
        .with_input(TARGETS, vec![1_i64; 2])
        .with_input("logprobs", huge);
    assert!(error(Loss::ppo(), &wide).contains("values for each position; give one"));
}
