use super::*;
use crate::backend::{NamedTensor, Snapshot};

#[test]
fn bad_batches_are_refused_by_datum_and_field_and_change_nothing() {
    let mut backend = backend();
    let id = trained(&mut backend, 2, 4);
    let rl = |f: &dyn Fn(&mut TrainDatum)| {
        let mut data: Vec<_> = (0..3)
            .map(|i| TrainDatum {
                advantages: Some(vec![1.0; 6]),
                logprobs: Some(vec![-5.0; 6]),
                ..datum(i, 6)
            })
            .collect();
        f(&mut data[2]);
        TrainBatch {
            data,
            loss: LossKind::Ppo {
                low: 0.8,
                high: 1.2,
            },
            forward_only: false,
        }
    };
    let ce = |f: &dyn Fn(&mut TrainDatum)| TrainBatch {
        loss: LossKind::CrossEntropy,
        ..rl(f)
    };
    let cases: Vec<(TrainBatch, &str)> = vec![
        (batch(Vec::new()), "the batch is empty"),
        (ce(&|d| d.tokens.clear()), "datum 2: model_input is empty"),
        (
            ce(&|d| d.tokens = vec![0; 129]),
            "datum 2: model_input has 129 tokens; this model's context is 128",
        ),
        (
            ce(&|d| d.tokens[4] = 300),
            "datum 2: model_input[4] is 300; token ids run from 0 to 299",
        ),
        (
            ce(&|d| d.targets[5] = u32::MAX),
            "datum 2: target_tokens[5]",
        ),
        (
            ce(&|d| d.targets.truncate(5)),
            "datum 2: target_tokens has 5 elements",
        ),
        (
            ce(&|d| d.weights = Some(vec![1.0; 5])),
            "datum 2: weights has 5 elements",
        ),
        (
            ce(&|d| d.weights = Some(vec![1.0, 1.0, f32::NAN, 1.0, 1.0, 1.0])),
            "datum 2: weights[2] is NaN",
        ),
        (
            ce(&|d| d.targets_per_position = 0),
            "datum 2: target_tokens has 0 targets",
        ),
        (
            rl(&|d| d.targets_per_position = 2),
            "datum 2: target_tokens has 2 targets",
        ),
        (
            rl(&|d| d.advantages = None),
            "datum 2: advantages is missing",
        ),
        (rl(&|d| d.logprobs = None), "datum 2: logprobs is missing"),
        (
            rl(&|d| d.advantages = Some(vec![f32::INFINITY; 6])),
            "datum 2: advantages[0] is inf",
        ),
        (
            rl(&|d| d.logprobs = Some(vec![f32::NEG_INFINITY; 6])),
            "datum 2: logprobs[0] is -inf",
        ),
        (
            rl(&|d| d.clip_high = Some(vec![1.0; 7])),
            "datum 2: clip_high_threshold has 7 elements",
        ),
        (
            rl(&|d| d.clip_low = Some(vec![f32::NAN; 6])),
            "datum 2: clip_low_threshold[0] is NaN",
        ),
        (
            TrainBatch {
                loss: LossKind::Cispo {
                    low: 2.0,
                    high: 1.0,
                },
                ..rl(&|_| ())
            },
            "the clip thresholds 2 and 1",
        ),
        (
            TrainBatch {
                loss: LossKind::Dro { beta: f32::NAN },
                ..rl(&|_| ())
            },
            "beta is NaN",
        ),
    ];
    let good = batch(vec![datum(1, 20)]);
    let before = (
        backend.export(id, true).unwrap(),
        backend.train(id, &good).unwrap(),
    );
    for (batch, says) in cases {
        let error = backend.train(id, &batch).unwrap_err();
        assert!(error.message().starts_with(says), "{error}");
        assert_eq!(error.category(), crate::backend::ErrorCategory::User);
    }
    assert_eq!(
        before,
        (
            backend.export(id, true).unwrap(),
            backend.train(id, &good).unwrap()
        )
    );
    // The refused batches left nothing among the gradients either.
    backend.step(id, &constants(0.1)).unwrap();
    let mut clean = super::backend();
    let same = trained(&mut clean, 2, 4);
    clean.train(same, &good).unwrap();
    clean.train(same, &good).unwrap();
    clean.step(same, &constants(0.1)).unwrap();
    assert_eq!(
        backend.export(id, true).unwrap(),
        clean.export(same, true).unwrap()
    );
}

#[test]
fn bad_jobs_are_refused() {
    let mut backend = backend();
    let good = job(None, tokens(0, 4), 0);
    let with = |f: &dyn Fn(&mut SampleJob)| {
        let mut job = good.clone();
        f(&mut job);
        job
    };
    for (job, says) in [
        (with(&|j| j.prompt.clear()), "prompt is empty"),
        (with(&|j| j.prompt = vec![0; 129]), "prompt has 129 tokens"),
        (with(&|j| j.prompt[3] = 300), "prompt[3] is 300"),
        (with(&|j| j.num_samples = 0), "num_samples is 0"),
        (with(&|j| j.num_samples = usize::MAX), "num_samples is"),
        (with(&|j| j.temperature = f32::NAN), "temperature is NaN"),
        (with(&|j| j.temperature = -1.0), "temperature is -1"),
        (with(&|j| j.top_p = 0.0), "top_p is 0"),
        (with(&|j| j.top_p = 1.5), "top_p is 1.5"),
        (with(&|j| j.top_k = Some(0)), "top_k is 0"),
        (
            with(&|j| j.stop = StopRule::Text(vec![String::new()])),
            "stop holds an empty text",
        ),
        (
            with(&|j| j.weights = Some(SamplingWeights(Arc::new(Foreign)))),
            "the sampling weights",
        ),
    ] {
        let error = backend.submit(job).unwrap_err();
        assert!(error.message().starts_with(says), "{error}");
    }
    assert_eq!(backend.live_jobs(), 0);
    assert!(backend.advance().is_empty());
}

#[test]
fn adapters_of_no_use_are_refused() {
    let mut backend = backend();
    let spec = AdapterSpec {
        rank: 4,
        seed: 0,
        attention: true,
        mlp: true,
        unembed: true,
    };
    for spec in [
        AdapterSpec { rank: 0, ..spec },
        AdapterSpec { rank: 33, ..spec },
        AdapterSpec {
            attention: false,
            mlp: false,
            unembed: false,
            ..spec
        },
    ] {
        assert!(backend.create(&spec).is_err());
    }
    let mut other = CpuBackend::random(
        ModelConfig {
            hidden_size: 16,
            ..config()
        },
        0,
    )
    .unwrap();
    let id = other.create(&spec).unwrap();
    assert!(backend.import(&other.export(id, true).unwrap()).is_err());
    let job = job(Some(other.snapshot(id).unwrap()), tokens(0, 4), 0);
    assert!(backend.submit(job).is_err());
}

#[test]
fn weights_that_overflow_fail_the_job_and_nothing_else() {
    let mut backend = backend();
    let id = trained(&mut backend, 2, 4);
    let mut state = backend.export(id, false).unwrap();
    for tensor in &mut state.tensors {
        tensor.data = vec![1e30; tensor.data.len()].into();
    }
    let broken = Some(backend.restore(&state).unwrap());
    let bad = backend.submit(job(broken, tokens(0, 4), 0)).unwrap();
    let good = backend.submit(job(None, tokens(0, 4), 0)).unwrap();
    let mut ended = BTreeMap::new();
    while backend.live_jobs() > 0 {
        ended.extend(backend.advance());
    }
    assert!(
        ended[&bad]
            .as_ref()
            .unwrap_err()
            .message()
            .contains("not finite")
    );
    assert_eq!(ended[&good].as_ref().unwrap().sequences[0].tokens.len(), 20);
}

#[test]
fn weights_of_the_base_in_an_adapters_file_are_left_out_if_they_are_its_own() {
    let mut backend = backend();
    let id = trained(&mut backend, 2, 4);
    let state = backend.export(id, false).unwrap();
    let head = &backend.model.head.backward;
    let (rows, width) = (head.depth(), head.columns());
    let mut data = vec![0.0; rows * width];
    for (at, row) in data.chunks_exact_mut(width).enumerate() {
        head.copy_row(at, row);
    }
    let with = |data: Vec<f32>| {
        let mut state = state.clone();
        state.tensors.push(NamedTensor {
            name: "base_model.model.lm_head.base_layer.weight".to_owned(),
            shape: vec![rows, width],
            data: data.into(),
        });
        state
    };
    let copied = backend.import(&with(data.clone())).unwrap();
    assert_eq!(backend.export(copied, false).unwrap(), state);
    data[7] += 0.5;
    let error = backend.import(&with(data)).unwrap_err();
    let said = error.message();
    assert!(
        said.contains("lm_head.base_layer.weight, which differs"),
        "{said}"
    );
}

#[test]
fn an_adapter_keeps_the_scaling_it_came_with() {
    let mut backend = backend();
    let id = trained(&mut backend, 1, 4);
    let mut state = backend.export(id, false).unwrap();
    let half = |tensor: &mut NamedTensor| {
        let halves = tensor.data.iter().map(|x| x / 2.0);
        tensor.data = halves.collect::<Vec<_>>().into();
    };
    let logprobs = |backend: &mut CpuBackend, id| {
        let asked = TrainBatch {
            forward_only: true,
            ..batch(vec![datum(3, 20)])
        };
        backend.train(id, &asked).unwrap().logprobs
    };
    let whole = logprobs(&mut backend, id);
    let of_b = |tensor: &&mut NamedTensor| tensor.name.ends_with("lora_B.weight");
    state.tensors.iter_mut().filter(of_b).for_each(half);
    state.alpha *= 2.0;
    let scaled = backend.import(&state).unwrap();
    assert_eq!(
        logprobs(&mut backend, scaled),
        whole,
        "powers of two are exact"
    );
    assert_eq!(backend.export(scaled, false).unwrap(), state);
    state.alpha = f32::INFINITY;
    assert!(backend.import(&state).is_err());
}

/// Weights of another backend.
struct Foreign;

impl Snapshot for Foreign {
    fn bytes(&self) -> usize {
        0
    }

    fn write(&self, _: &mut dyn std::io::Write) -> std::io::Result<()> {
        Ok(())
    }
}
