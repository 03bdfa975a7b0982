//! Properties of models of random shapes.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
struct Case {
    config: ModelConfig,
    spec: AdapterSpec,
    /// Lengths of the sequences of a batch.
    lengths: Vec<usize>,
}

prop_compose! {
    fn cases()(
        (hidden_size, intermediate_size, vocab_size) in (1..70_usize, 1..70_usize, 2..60_usize),
        num_hidden_layers in 1..4_usize,
        (num_key_value_heads, group, half) in (1..4_usize, 1..4_usize, 1..18_usize),
        [tie_word_embeddings, qkv_bias, o_bias, qk_norm] in any::<[bool; 4]>(),
        (rank, seed) in (1..9_usize, 0..1000_u64),
        [attention, mlp, unembed] in any::<[bool; 3]>(),
        lengths in vec(1..100_usize, 1..12),
    ) -> Case {
        let config = ModelConfig {
            vocab_size,
            hidden_size,
            intermediate_size,
            num_hidden_layers,
            num_attention_heads: num_key_value_heads * group,
            num_key_value_heads,
            head_dim: 2 * half,
            max_position_embeddings: 128,
            tie_word_embeddings,
            qkv_bias,
            o_bias,
            qk_norm,
            ..ModelConfig::tiny()
        };
        let mlp = mlp || !(attention || unembed);
        let rank = rank.min(hidden_size);
        let spec = AdapterSpec { rank, seed, attention, mlp, unembed };
        Case { config, spec, lengths }
    }
}

impl Case {
    fn model(&self) -> Model {
        let mut weights = Weights::random(&self.config, self.spec.seed);
        let mut random = Random::new(9, 9);
        for w in &mut weights.data {
            *w += random.normal(0.1);
        }
        Model::new(self.config.clone(), &weights)
    }

    /// An adapter with `B` away from zero. It is multiplied by 32 / rank, so it is small where the rank is.
    fn adapter(&self) -> Adapter {
        let mut adapter = Adapter::new(&self.config, &self.spec).unwrap();
        let mut random = Random::new(4, 4);
        let deviation = 0.01 * self.spec.rank as f64;
        for w in &mut adapter.data {
            *w += random.normal(deviation);
        }
        adapter
    }

    fn batch(&self) -> TrainBatch {
        let mut random = Random::new(self.spec.seed, 3);
        let vocab = self.config.vocab_size as u64;
        let data = self.lengths.iter().map(|n| TrainDatum {
            tokens: (0..*n)
                .map(|_| (random.next_u64() % vocab) as u32)
                .collect(),
            targets: (0..*n)
                .map(|_| (random.next_u64() % vocab) as u32)
                .collect(),
            targets_per_position: 1,
            weights: Some((0..*n).map(|_| random.uniform(-0.5, 1.0)).collect()),
            ..TrainDatum::default()
        });
        TrainBatch {
            data: data.collect(),
            loss: LossKind::CrossEntropy,
            forward_only: false,
        }
    }
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn results_are_the_same_bits_for_any_number_of_threads(case in cases()) {
        let (model, batch) = (case.model(), case.batch());
        let results = [1, 2, 4].map(|threads| {
            let (mut adapter, mut pool) = (case.adapter(), pool(threads));
            let output = train(&model, &mut adapter, &batch, &mut pool).unwrap();
            let logprobs: Vec<_> = output.logprobs.iter().map(|x| bits(x)).collect();
            (output.loss_sum.to_bits(), logprobs, bits(&adapter.grads))
        });
        prop_assert_eq!(&results[0], &results[1]);
        prop_assert_eq!(&results[0], &results[2]);
    }

    #[test]
    fn a_sequence_has_the_same_bits_alone_and_in_a_batch(case in cases()) {
        let (model, mut batch) = (case.model(), case.batch());
        let (mut adapter, mut pool) = (case.adapter(), pool(2));
        batch.forward_only = true;
        let together = train(&model, &mut adapter, &batch, &mut pool).unwrap();
        for (i, datum) in batch.data.iter().enumerate() {
            let alone = TrainBatch { data: vec![datum.clone()], ..batch.clone() };
            let alone = train(&model, &mut adapter, &alone, &mut pool).unwrap();
            prop_assert_eq!(bits(&alone.logprobs[0]), bits(&together.logprobs[i]));
        }
    }

    #[test]
    fn gradients_agree_with_differences(case in cases()) {
        // The norm of a vector of one or a few numbers is almost a step function, which differences miss.
        prop_assume!(case.config.hidden_size >= 8 && (case.config.head_dim >= 8 || !case.config.qk_norm));
        let (model, mut batch, mut pool) = (case.model(), case.batch(), pool(2));
        let mut adapter = case.adapter();
        train(&model, &mut adapter, &batch, &mut pool).unwrap();
        let (grads, start) = (adapter.grads.clone(), adapter.data.clone());
        batch.forward_only = true;
        // Along the gradient itself the derivative is its norm: see the pretrainer's test.
        let length = norm(&grads);
        let mut loss_at = |h: f64| {
            for ((w, from), g) in adapter.data.iter_mut().zip(&start).zip(&grads) {
                *w = from + (h * f64::from(*g) / length.max(1e-9)) as f32;
            }
            adapter.packed = OnceLock::new();
            train(&model, &mut adapter, &batch, &mut pool).unwrap().loss_sum
        };
        let h = 5e-4 * case.spec.rank as f64;
        // Each of the loss's terms is accurate to about 1e-6, with errors of both signs.
        let terms: usize = case.lengths.iter().sum();
        let noise = 1e-6 * (terms as f64).sqrt() / h;
        let mut slope_at = |h: f64| {
            let near = loss_at(h) - loss_at(-h);
            (8.0 * near - (loss_at(2.0 * h) - loss_at(-2.0 * h))) / (12.0 * h)
        };
        // Where the loss has a large curvature, only a shorter step is accurate.
        let slopes = [slope_at(h), slope_at(h / 8.0)];
        let agrees = |slope: &f64| (slope - length).abs() < 5e-3 * length + 2.0 * noise;
        prop_assert!(
            slopes.iter().any(agrees),
            "{slopes:?} by differences, {length} by the gradient"
        );
    }
}
