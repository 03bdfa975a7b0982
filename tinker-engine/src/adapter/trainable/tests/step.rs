use super::*;

#[test]
fn adamw_is_torchs() {
    // Three steps of torch.optim.AdamW computed by hand in f64 from its documentation.
    let c = AdamStep {
        learning_rate: 0.1,
        beta1: 0.9,
        beta2: 0.95,
        eps: 1e-3,
        weight_decay: 0.2,
        grad_clip_norm: 1.5,
    };
    let mut adapter = shaken();
    let mut expected: Vec<f64> = adapter.data.iter().map(|w| f64::from(*w)).collect();
    let (mut m, mut v) = (vec![0.0; expected.len()], vec![0.0; expected.len()]);
    for step in 1..=3 {
        let mut random = Random::new(step, 0);
        let grads: Vec<f32> = (0..expected.len()).map(|_| random.normal(0.2)).collect();
        let exact = grads
            .iter()
            .map(|g| f64::from(*g).powi(2))
            .sum::<f64>()
            .sqrt();
        let clip = if step == 2 { 0.0 } else { 1.5 };
        let factor = if clip > 0.0 {
            (clip / (exact + 1e-6)).min(1.0)
        } else {
            1.0
        };
        adapter.accumulate(&grads);
        let norm = adapter
            .step(&AdamStep {
                grad_clip_norm: clip,
                ..c
            })
            .unwrap();
        assert!(
            (norm - exact).abs() < 1e-6 * exact && (exact > 1.5),
            "{norm} {exact}"
        );
        for i in 0..expected.len() {
            let g = f64::from(grads[i]) * factor;
            m[i] = 0.9 * m[i] + 0.1 * g;
            v[i] = 0.95 * v[i] + 0.05 * g * g;
            let (m_hat, v_hat) = (
                m[i] / (1.0 - 0.9_f64.powi(step as i32)),
                v[i] / (1.0 - 0.95_f64.powi(step as i32)),
            );
            expected[i] *= 1.0 - 0.1 * 0.2;
            expected[i] -= 0.1 * m_hat / (v_hat.sqrt() + 1e-3);
        }
        for (w, e) in adapter.data.iter().zip(&expected) {
            assert!(
                (f64::from(*w) - e).abs() < 1e-5 * e.abs().max(0.1),
                "step {step}: {w} {e}"
            );
        }
    }
    // Without gradients the momentum still moves the weights, as torch's does with gradients of zero.
    let before = adapter.data.clone();
    assert!(
        adapter
            .step(&AdamStep {
                weight_decay: 0.0,
                ..c
            })
            .unwrap()
            < 1e-300
    );
    assert!(before != adapter.data);
}

#[test]
fn what_is_not_finite_changes_nothing() {
    let model = model();
    let mut pool = pool(2);
    let good = batch(LossKind::ImportanceSampling, 1);
    let c = AdamStep {
        learning_rate: 0.1,
        beta1: 0.9,
        beta2: 0.95,
        eps: 1e-12,
        weight_decay: 0.0,
        grad_clip_norm: 0.0,
    };
    let mut adapter = shaken();
    train(&model, &mut adapter, &good, &mut pool).unwrap();
    adapter.step(&c).unwrap();
    train(&model, &mut adapter, &good, &mut pool).unwrap();
    let (data, grads, first) = (
        adapter.data.clone(),
        adapter.grads.clone(),
        adapter.optimizer.first.clone(),
    );

    // A ratio that overflows is found in the batch.
    let mut bad = good.clone();
    bad.data[2].logprobs = Some(vec![-1e4; 5]);
    let error = train(&model, &mut adapter, &bad, &mut pool).unwrap_err();
    assert!(
        error
            .message()
            .starts_with("datum 2: its loss or gradient is not finite"),
        "{error}"
    );
    assert_eq!(adapter.grads, grads);

    // Finite terms whose gradients overflow, too.
    bad.data[2].logprobs = good.data[2].logprobs.clone();
    bad.data[2].advantages = Some(vec![3e37; 5]);
    let error = train(&model, &mut adapter, &bad, &mut pool).unwrap_err();
    assert!(error.message().contains("not finite"), "{error}");
    assert_eq!(adapter.grads, grads);

    // Accumulated gradients and a step that overflow are refused as well; both drop the gradients.
    adapter.grads[0] = f32::INFINITY;
    assert!(adapter.step(&c).is_err());
    assert!(adapter.grads.iter().all(|g| *g == 0.0));
    adapter.grads.copy_from_slice(&grads);
    assert!(
        adapter
            .step(&AdamStep {
                learning_rate: 1e300,
                ..c
            })
            .is_err()
    );
    assert!(adapter.step(&AdamStep { beta1: 1.0, ..c }).is_err());
    assert!(adapter.step(&AdamStep { eps: f64::NAN, ..c }).is_err());
    assert_eq!(
        (data, first, 1),
        (
            adapter.data,
            adapter.optimizer.first,
            adapter.optimizer.step
        )
    );
}

#[test]
fn an_exported_adapter_goes_on_as_if_never_stopped() {
    let model = model();
    let mut pool = pool(2);
    let batch = batch(LossKind::CrossEntropy, 1);
    let c = AdamStep {
        learning_rate: 0.01,
        beta1: 0.9,
        beta2: 0.95,
        eps: 1e-12,
        weight_decay: 0.0,
        grad_clip_norm: 0.0,
    };
    let mut step = |adapter: &mut Adapter| {
        train(&model, adapter, &batch, &mut pool).unwrap();
        adapter.step(&c).unwrap();
    };
    let mut whole = shaken();
    step(&mut whole);
    let mut state = whole.export(true);
    assert_eq!(
        state.tensors[0].name,
        "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
    );
    assert_eq!(
        state.tensors.last().unwrap().name,
        "base_model.model.lm_head.lora_B.weight"
    );
    // Files do not keep an order.
    state.tensors.reverse();
    let optimizer = state.optimizer.as_mut().unwrap();
    optimizer.first.reverse();
    optimizer.second.reverse();
    let mut resumed = Adapter::import(&config(), &state).unwrap();
    step(&mut whole);
    step(&mut resumed);
    assert!(whole.data == resumed.data && resumed.optimizer.step == 2);

    state.tensors[0].data = vec![f32::NAN; state.tensors[0].data.len()].into();
    assert!(
        Adapter::import(&config(), &state)
            .unwrap_err()
            .message()
            .contains("lm_head.lora_B.weight")
    );
    state.tensors.pop();
    assert!(Adapter::import(&config(), &state).is_err());
    let wrong = AdapterState {
        spec: AdapterSpec { rank: 4, ..spec() },
        ..whole.export(false)
    };
    assert!(
        Adapter::import(&config(), &wrong)
            .unwrap_err()
            .message()
            .contains("shape [3, 20]")
    );
}
