//! Training requests of each loss, as seeds.

use tinker_types::proto::encode_request;
use tinker_types::{Datum, Elements, ForwardBackward, Loss, LossFn, ModelInput, TensorData};

pub(super) fn data() -> Vec<Datum> {
    let targets = TensorData::csr(Elements::Int64([3, 4].into()), [0, 1, 2], [0, 1], [2, 2]);
    let weights = TensorData::csr(
        Elements::Float32([0.5, 0.5].into()),
        [0, 1, 2],
        [0, 1],
        [2, 2],
    );
    vec![
        Datum::supervised(&[1, 2], &[3]),
        Datum::new(ModelInput::from_tokens([1, 2]))
            .with_input("target_tokens", targets.expect("a matrix"))
            .with_input("weights", weights.expect("a matrix")),
        Datum::new(ModelInput::from_tokens([1, 2]))
            .with_input("target_tokens", vec![2_i64, 3])
            .with_input("logprobs", vec![-0.5_f32, -1.0])
            .with_input("advantages", vec![1.0_f32, -1.0])
            .with_input("clip_low_threshold", vec![0.8_f32, 0.9]),
    ]
}

/// Training requests of each loss, as protobuf.
pub(super) fn trainings(model: &str) -> Vec<Vec<u8>> {
    let [plain, sparse, policy] = &data()[..] else {
        return Vec::new();
    };
    let losses = [
        (Loss::cross_entropy(), plain),
        (Loss::cross_entropy(), sparse),
        (Loss::importance_sampling(), policy),
        (Loss::ppo().with_clip(0.8, 1.2), policy),
        (Loss::cispo(), policy),
        (Loss::dro().with_beta(0.1), policy),
        (Loss::new(LossFn::Gspo), policy),
    ];
    let encode = |(loss, datum): (Loss, &Datum)| {
        let request = ForwardBackward::new(model.into(), 1, vec![datum.clone()], loss);
        encode_request(&request).expect("a good request").to_vec()
    };
    losses.into_iter().map(encode).collect()
}
