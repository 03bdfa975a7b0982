//! Parsing and checking of an uploaded graph.

use std::collections::{BTreeMap, HashMap};

use tinker_types::{Graph, GraphInput, GraphNode, InvalidValue};

use super::arg::Arg;
use super::call::Function;
use super::ops;

/// Most nodes of one graph.
const MOST_NODES: usize = 4096;

/// Most inputs of one graph, including the log probabilities.
const MOST_INPUTS: usize = 16;

/// A graph that can be run.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) inputs: Vec<GraphInput>,
    pub(super) nodes: Vec<Node>,
    pub(super) loss: Arg,
    pub(super) metrics: BTreeMap<String, Arg>,
}

/// One operation.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) does: Does,
}

/// Kind of a node.
#[derive(Debug)]
pub(super) enum Does {
    /// Returns the input with this index.
    Input(usize),
    Call {
        function: Function,
        args: Vec<Arg>,
        kwargs: BTreeMap<String, Arg>,
    },
}

impl Program {
    /// Parses a graph. A graph that cannot run is refused with the name of the node.
    pub(super) fn parse(inputs: &[GraphInput], graph: &Graph) -> Result<Self, InvalidValue> {
        check_inputs(inputs)?;
        if graph.format != 1 {
            return Err(InvalidValue::new(
                "graph.format",
                format!("is {}; format 1 is read here", graph.format),
            ));
        }
        let count = graph.nodes.len();
        if count > MOST_NODES {
            return Err(InvalidValue::new(
                "graph.nodes",
                format!("has {count} nodes; {MOST_NODES} is the most"),
            ));
        }
        let Some((output, body)) = graph
            .nodes
            .split_last()
            .filter(|(last, _)| last.op == "output")
        else {
            return Err(InvalidValue::new(
                "graph.nodes",
                "do not end with an output",
            ));
        };
        let mut reader = Reader {
            inputs,
            places: HashMap::new(),
            taken: 0,
            nodes: Vec::new(),
        };
        for node in body {
            let does = reader.read(node).map_err(|why| at(node, why))?;
            reader.places.insert(node.name.clone(), reader.nodes.len());
            reader.nodes.push(Node {
                name: node.name.clone(),
                does,
            });
        }
        if reader.taken != inputs.len() {
            let why = format!("take {} of {} inputs", reader.taken, inputs.len());
            return Err(InvalidValue::new("graph.nodes", why));
        }
        let (loss, metrics) = reader.output(output).map_err(|why| at(output, why))?;
        Ok(Self {
            inputs: inputs.to_vec(),
            nodes: reader.nodes,
            loss,
            metrics,
        })
    }
}

fn at(node: &GraphNode, why: String) -> InvalidValue {
    InvalidValue::new(format!("graph.nodes.{}", node.name), why)
}

fn check_inputs(inputs: &[GraphInput]) -> Result<(), InvalidValue> {
    let refuse = |place: String, why: String| Err(InvalidValue::new(place, why));
    if inputs.len() > MOST_INPUTS {
        let why = format!("has {} entries; {MOST_INPUTS} is the most", inputs.len());
        return refuse("inputs".to_owned(), why);
    }
    match inputs.first() {
        Some(first) if first.name == "logprobs" && (1..=2).contains(&first.rank) => {}
        _ => {
            let why = "is not logprobs of rank 1 or 2, which come first".to_owned();
            return refuse("inputs[0]".to_owned(), why);
        }
    }
    for (index, input) in inputs.iter().enumerate() {
        if input.rank > 2 {
            let why = format!("is {}; give 0, 1 or 2", input.rank);
            return refuse(format!("inputs[{index}].rank"), why);
        }
        if inputs[..index].iter().any(|other| other.name == input.name) {
            let why = format!("{:?} is given twice", input.name);
            return refuse(format!("inputs[{index}].name"), why);
        }
    }
    Ok(())
}

struct Reader<'a> {
    inputs: &'a [GraphInput],
    places: HashMap<String, usize>,
    taken: usize,
    nodes: Vec<Node>,
}

impl Reader<'_> {
    fn read(&mut self, node: &GraphNode) -> Result<Does, String> {
        if self.places.contains_key(&node.name) {
            return Err("has the name of an earlier node".to_owned());
        }
        let function = match node.op.as_str() {
            "placeholder" => return self.input(node),
            "call_function" => ops::function(&node.target),
            "call_method" => ops::method(&node.target),
            other => {
                return Err(format!(
                    "{other:?} is not offered here; use functions and methods of tensors"
                ));
            }
        };
        let function = function.ok_or_else(|| {
            format!(
                "calls {:?}, which is not offered here; write it with other functions, or run the loss on the client",
                node.target
            )
        })?;
        let place = |name: &str| self.places.get(name).copied();
        let args = node.args.iter().map(|json| Arg::parse(json, &place));
        let args = args.collect::<Result<Vec<_>, _>>()?;
        let kwargs = node
            .kwargs
            .iter()
            .map(|(name, json)| Ok((name.clone(), Arg::parse(json, &place)?)));
        let kwargs = kwargs.collect::<Result<BTreeMap<_, _>, String>>()?;
        Ok(Does::Call {
            function,
            args,
            kwargs,
        })
    }

    fn input(&mut self, node: &GraphNode) -> Result<Does, String> {
        let place = self.taken;
        match self.inputs.get(place) {
            Some(input) if input.name == node.target => {
                self.taken += 1;
                Ok(Does::Input(place))
            }
            _ => Err(format!(
                "takes {:?}, which is not the next input",
                node.target
            )),
        }
    }

    fn output(&self, node: &GraphNode) -> Result<(Arg, BTreeMap<String, Arg>), String> {
        let place = |name: &str| self.places.get(name).copied();
        let [pair] = &node.args[..] else {
            return Err(
                "does not have exactly one argument, the pair of loss and metrics".to_owned(),
            );
        };
        let Arg::List(pair) = Arg::parse(pair, &place)? else {
            return Err("is not a pair of loss and metrics".to_owned());
        };
        let Ok([loss @ Arg::Node(_), Arg::Dict(metrics)]) = <[Arg; 2]>::try_from(pair) else {
            return Err("is not a pair of a tensor, the loss, and a dict, the metrics".to_owned());
        };
        for name in metrics.keys() {
            if !is_metric(name) {
                return Err(format!(
                    "has metric {name:?}; a name is custom/<letters, digits, _./->:sum or :mean"
                ));
            }
        }
        Ok((loss, metrics))
    }
}

fn is_metric(name: &str) -> bool {
    let Some((name, "sum" | "mean")) = name.rsplit_once(':') else {
        return false;
    };
    let Some(name) = name.strip_prefix("custom/") else {
        return false;
    };
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_./-".contains(&b))
}
