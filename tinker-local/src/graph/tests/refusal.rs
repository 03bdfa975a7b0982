//! Refused graphs and their error messages.

use serde_json::{Value as Json, json};

use super::*;

fn refused(make: impl FnOnce(&mut Sketch) -> Json) -> String {
    let mut sketch = Sketch::new(&[("logprobs", 1)]);
    let loss = make(&mut sketch);
    sketch.program(&loss, &json!({})).unwrap_err().to_string()
}

fn fails(make: impl FnOnce(&mut Sketch) -> Json) -> String {
    let mut sketch = Sketch::new(&[("logprobs", 1)]);
    let loss = make(&mut sketch);
    let program = sketch.program(&loss, &json!({})).unwrap();
    program.run(&[vector(&[1.0, 2.0, 3.0])]).unwrap_err()
}

#[test]
fn unknown_operations_are_refused_when_they_are_uploaded() {
    for target in [
        "torch.linalg.svd",
        "torch.load",
        "operator.iadd",
        "operator.methodcaller",
        "builtins.eval",
        "os.system",
        "math.gamma",
        "add_",
        "backward",
        "item",
        "numpy",
        "__class__",
        "torch.nn.functional.dropout",
        "torch.rand",
    ] {
        let refusal = refused(|s| s.call(target, json!([of("logprobs")])));
        assert!(
            refusal.starts_with("graph.nodes.n1: calls") && refusal.contains("is not offered here"),
            "{refusal}"
        );
    }
    for op in ["get_attr", "call_module", "nothing"] {
        let refusal = refused(|s| {
            s.call("sum", json!([of("logprobs")]));
            s.nodes[1].op = op.into();
            of("n1")
        });
        assert!(
            refusal.starts_with("graph.nodes.n1: ") && refusal.contains(op),
            "{refusal}"
        );
    }
}

#[test]
fn graphs_that_hang_together_badly_are_refused() {
    let later = refused(|s| s.call("sum", json!([of("n9")])));
    assert_eq!(
        later,
        r#"graph.nodes.n1: refers to "n9", which is not an earlier node"#
    );
    assert!(
        refused(|s| s.call("sum", json!([{"secret": 1}]))).contains("not a form of an argument")
    );
    assert!(
        refused(|s| s.call("to", json!([of("logprobs"), {"dtype": "float16"}])))
            .contains("float16")
    );
    assert!(refused(|_| json!(1.0)).contains("is not a pair of a tensor"));
    let twice = refused(|s| {
        s.call("sum", json!([of("logprobs")]));
        s.nodes[1].name = "logprobs".into();
        of("logprobs")
    });
    assert!(twice.contains("name of an earlier node"), "{twice}");

    let names = |inputs: &[(&str, u8)]| {
        let mut sketch = Sketch::new(inputs);
        let loss = sketch.call("sum", json!([of(inputs[0].0)]));
        sketch.program(&loss, &json!({})).unwrap_err().to_string()
    };
    assert!(names(&[("x", 1)]).starts_with("inputs[0]: is not logprobs"));
    assert!(names(&[("logprobs", 0)]).starts_with("inputs[0]"));
    assert!(names(&[("logprobs", 1), ("y", 3)]).starts_with("inputs[1].rank: is 3"));
    assert!(names(&[("logprobs", 1), ("y", 1), ("y", 1)]).contains("given twice"));

    let metric = |name: &str| {
        let mut sketch = Sketch::new(&[("logprobs", 1)]);
        let loss = sketch.call("sum", json!([of("logprobs")]));
        sketch.program(&loss, &json!({ name: loss })).is_err()
    };
    assert!(!metric("custom/a:sum") && !metric("custom/a/b-c.d_0:mean"));
    for bad in [
        "loss:sum",
        "custom/:sum",
        "custom/a",
        "custom/a:max",
        "custom/A:sum",
        "custom/a b:sum",
    ] {
        assert!(metric(bad), "{bad}");
    }
    let mut open = Sketch::new(&[("logprobs", 1)]);
    open.call("sum", json!([of("logprobs")]));
    let graph = Graph {
        format: 1,
        nodes: open.nodes,
    };
    assert!(
        Program::parse(&open.inputs, &graph)
            .unwrap_err()
            .to_string()
            .contains("do not end with an output")
    );
    let graph = Graph {
        format: 2,
        nodes: vec![],
    };
    assert!(
        Program::parse(&open.inputs, &graph)
            .unwrap_err()
            .to_string()
            .contains("is 2")
    );
}

#[test]
fn what_goes_wrong_in_a_run_names_the_node() {
    let cases: Vec<(String, &str)> = vec![
        (
            fails(|s| of("logprobs").clone_into_loss(s)),
            "make it a single number",
        ),
        (
            fails(|s| s.call("sum", json!([of("logprobs"), 1]))),
            "node n1: dim 1 is out of range",
        ),
        (
            fails(|s| s.call("operator.getitem", json!([of("logprobs"), 3]))),
            "node n1: index 3 is outside of 3",
        ),
        (
            fails(|s| s.call("view", json!([of("logprobs"), 2]))),
            "node n1: shape [3] can't become [2]",
        ),
        (
            fails(|s| s.call_with("sum", json!([of("logprobs")]), json!({"out": 1}))),
            "takes no argument \"out\"",
        ),
        (
            fails(|s| s.call("sum", json!([of("logprobs"), 0, false, null, 1]))),
            "takes at most 4 arguments",
        ),
        (
            fails(|s| s.call("clamp", json!([of("logprobs")]))),
            "takes min, max or both",
        ),
        (
            fails(|s| s.call("math.exp", json!([of("logprobs")]))),
            "use the function of torch",
        ),
        (
            fails(|s| s.call("getattr", json!([of("logprobs"), "data_ptr"]))),
            "attribute \"data_ptr\"",
        ),
        (
            fails(|s| s.call("torch.gather", json!([of("logprobs"), 0, of("logprobs")]))),
            "takes whole numbers",
        ),
    ];
    for (failure, want) in cases {
        assert!(failure.contains(want), "{failure}");
    }
    let whole = fails(|s| {
        let long = s.call("long", json!([of("logprobs")]));
        s.call("sum", json!([long]))
    });
    assert!(whole.contains("no single float"), "{whole}");
}

trait AsLoss {
    fn clone_into_loss(&self, sketch: &mut Sketch) -> Json;
}

impl AsLoss for Json {
    /// A loss that is not a single number.
    fn clone_into_loss(&self, sketch: &mut Sketch) -> Json {
        sketch.call("operator.neg", json!([self]))
    }
}

#[test]
fn a_small_graph_can_not_take_all_memory() {
    let huge = fails(|s| {
        let huge = s.call("torch.ones", json!([1 << 20, 1 << 20]));
        s.call("sum", json!([huge]))
    });
    assert!(huge.contains("more than the loss may compute"), "{huge}");
    let overflow = fails(|s| {
        let huge = s.call("torch.ones", json!([i64::MAX, i64::MAX]));
        s.call("sum", json!([huge]))
    });
    assert!(overflow.contains("more than"), "{overflow}");
    let growing = fails(|s| {
        let mut grown = of("logprobs");
        for _ in 0..30 {
            grown = s.call("torch.cat", json!([[grown, grown]]));
        }
        s.call("sum", json!([grown]))
    });
    assert!(growing.contains("more than"), "{growing}");
    let stretched = fails(|s| {
        let wide = s.call("expand", json!([of("logprobs"), 1_i64 << 40, 3]));
        s.call("sum", json!([wide]))
    });
    assert!(stretched.contains("more than"), "{stretched}");
}
