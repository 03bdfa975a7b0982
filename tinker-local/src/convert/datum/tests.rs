use tinker_types::{
    Chunk, Elements, ForwardBackward, Image, ImageFormat, Loss, ModelInput, TensorData,
};

use super::*;

fn model() -> BaseModelInfo {
    BaseModelInfo::new("tiny", "qwen3", 10, 4)
}

fn convert_one(datum: Datum, loss: &Loss) -> Result<TrainDatum, String> {
    converted(&[datum], loss).map(|mut data| data.remove(0))
}

fn converted(data: &[Datum], loss: &Loss) -> Result<Vec<TrainDatum>, String> {
    let request = ForwardBackward::new("m".into(), 1, data, loss.clone());
    let pass = super::super::pass(&request, &model(), |_| panic!("{loss:?} is uploaded"));
    pass.map(|pass| pass.batch.data)
        .map_err(|error| error.to_string())
}

fn supervised(datum: Datum) -> Result<TrainDatum, String> {
    convert_one(datum, &Loss::cross_entropy())
}

fn good() -> Datum {
    Datum::supervised(&[1, 2], &[3])
}

#[test]
fn a_supervised_datum_arrives_as_it_is() {
    let datum = supervised(good()).unwrap();
    assert_eq!((datum.tokens, datum.targets), (vec![1, 2], vec![2, 3]));
    assert_eq!(datum.weights, Some(vec![0.0, 1.0]));
}

#[test]
fn missing_weights_are_ones() {
    let mut datum = good();
    datum.loss_fn_inputs.remove("weights");
    assert_eq!(supervised(datum).unwrap().weights, Some(vec![1.0, 1.0]));
}

#[test]
fn sparse_targets_are_spread_and_need_weights() {
    let ids = TensorData::csr(Elements::Int64([7, 8].into()), [0, 1, 2], [0, 2], [2, 3]).unwrap();
    let weights = TensorData::csr(
        Elements::Float32([0.5, 0.25].into()),
        [0, 1, 2],
        [0, 2],
        [2, 3],
    )
    .unwrap();
    let datum = Datum::new(ModelInput::from_tokens([1, 2])).with_input("target_tokens", ids);
    assert!(
        supervised(datum.clone())
            .unwrap_err()
            .contains("weights: is missing")
    );
    let datum = supervised(datum.with_input("weights", weights)).unwrap();
    assert_eq!(datum.targets_per_position, 3);
    assert_eq!(datum.targets, [7, 0, 0, 0, 0, 8]);
    assert_eq!(datum.weights.unwrap(), [0.5, 0.0, 0.0, 0.0, 0.0, 0.25]);
}

#[test]
fn a_huge_sparse_matrix_is_refused_before_it_is_spread() {
    let matrix = |elements| TensorData::csr(elements, [0, 0, 0], [], [2, 1 << 50]).unwrap();
    let datum = Datum::new(ModelInput::from_tokens([1, 2]))
        .with_input("target_tokens", matrix(Elements::Int64([].into())))
        .with_input("weights", matrix(Elements::Float32([].into())));
    assert!(supervised(datum).unwrap_err().contains("give 1 to 10"));
}

#[test]
fn faults_are_named_with_place_and_fix() {
    let image = Image {
        data: vec![1],
        format: ImageFormat::Png,
        expected_tokens: Some(1),
    };
    let cases = [
        (Datum::default(), "data[0].model_input: is empty"),
        (
            Datum::supervised(&[1; 5], &[1]),
            "data[0].model_input.chunks: hold 5 tokens, tiny takes at most 4",
        ),
        (
            Datum::supervised(&[1, 10], &[1]),
            "data[0].model_input.chunks[0].tokens[1]: is 10; the ids of tiny run from 0 to 9",
        ),
        (
            Datum::new(ModelInput::new(vec![Chunk::Image(image)]))
                .with_input("target_tokens", vec![1_i64]),
            "data[0].model_input.chunks[0]: is not text; tiny reads text only",
        ),
        (
            Datum::new(ModelInput::from_tokens([1])),
            "data[0].loss_fn_inputs.target_tokens: is missing",
        ),
        (
            good().with_input("target_tokens", vec![1_i64]),
            "target_tokens: has 1 positions for 2 input tokens",
        ),
        (
            good().with_input("target_tokens", vec![1_i64, 10]),
            "target_tokens[1]: is 10",
        ),
        (
            good().with_input("target_tokens", vec![-100_i64, 1]),
            "target_tokens[0]: is -100",
        ),
        (
            good().with_input("target_tokens", vec![1.0_f32, 2.0]),
            "target_tokens: is float32, must be int64",
        ),
        (
            good().with_input("weights", vec![f32::NAN, 1.0]),
            "weights[0]: is NaN",
        ),
        (
            good().with_input("weights", vec![1.0_f32]),
            "weights: has 1 positions",
        ),
        (
            good().with_input("weight", vec![1.0_f32, 1.0]),
            "loss_fn_inputs.weight: is not known; cross_entropy takes target_tokens, and optionally weights",
        ),
    ];
    for (datum, message) in cases {
        let said = supervised(datum).unwrap_err();
        assert!(said.contains(message), "{said} does not say {message}");
    }
    assert!(converted(&[], &Loss::cross_entropy()).is_err());
}

#[test]
fn policy_losses_need_their_arrays() {
    let ppo = Loss::ppo();
    assert!(
        convert_one(good(), &ppo)
            .unwrap_err()
            .contains("logprobs: is missing")
    );
    let datum = Datum::reinforced(&[1], &[2, 3], &[-0.5, -0.6], &[1.0, -1.0]).unwrap();
    let converted = convert_one(
        datum
            .clone()
            .with_input("clip_low_threshold", vec![0.5_f32, 0.6]),
        &ppo,
    )
    .unwrap();
    assert_eq!(converted.clip_low, Some(vec![0.5, 0.6]));
    assert_eq!(
        (converted.advantages, converted.weights),
        (Some(vec![1.0, -1.0]), None)
    );
    let wide = TensorData::from(vec![1_i64; 4]).with_shape([2, 2]).unwrap();
    assert!(
        convert_one(datum.with_input("target_tokens", wide), &ppo)
            .unwrap_err()
            .contains("only cross_entropy")
    );
}
