//! Layout of an adapter: the place of each matrix in one flat array.

use std::ops::Range;

use super::config::ModelConfig;
use super::layout::Table;
use crate::backend::AdapterSpec;

/// `lora_alpha` of new adapters.
const ALPHA: f32 = 32.0;

/// The matrices of one site: the `A` of all its projections side by side, then each `B`.
#[derive(Debug, Clone)]
pub(crate) struct SiteSlots {
    /// Length of an input row.
    pub(crate) input: usize,
    pub(crate) a: Range<usize>,
    /// For each projection: length of the output row, and place of `B`.
    pub(crate) parts: Vec<(usize, Range<usize>)>,
}

/// The layout of an adapter.
#[derive(Debug, Clone)]
pub(crate) struct AdapterLayout {
    pub(crate) rank: usize,
    /// Numerator of the scaling: an adapter adds `alpha / rank * B A`.
    pub(crate) alpha: f32,
    pub(crate) table: Table,
    /// For each block: query, key and value; attention output; gate and up; down.
    pub(crate) blocks: Vec<[Option<SiteSlots>; 4]>,
    pub(crate) head: Option<SiteSlots>,
}

impl AdapterLayout {
    /// The layout of an adapter of this shape on this model, with the names of a PEFT file.
    pub(crate) fn new(config: &ModelConfig, spec: &AdapterSpec) -> Self {
        let mut table = Table::default();
        let (d, ff, q, kv) = (
            config.hidden_size,
            config.intermediate_size,
            config.query_width(),
            config.key_width(),
        );
        let mut site = |wanted: bool, place: &str, input: usize, parts: &[(&str, usize)]| {
            wanted.then(|| push_site(&mut table, spec.rank, place, input, parts))
        };
        let blocks = (0..config.num_hidden_layers)
            .map(|i| {
                let attention = format!("model.layers.{i}.self_attn.");
                let mlp = format!("model.layers.{i}.mlp.");
                [
                    site(
                        spec.attention,
                        &attention,
                        d,
                        &[("q_proj", q), ("k_proj", kv), ("v_proj", kv)],
                    ),
                    site(spec.attention, &attention, q, &[("o_proj", d)]),
                    site(spec.mlp, &mlp, d, &[("gate_proj", ff), ("up_proj", ff)]),
                    site(spec.mlp, &mlp, ff, &[("down_proj", d)]),
                ]
            })
            .collect();
        let head = site(spec.unembed, "", d, &[("lm_head", config.vocab_size)]);
        Self {
            rank: spec.rank,
            alpha: ALPHA,
            table,
            blocks,
            head,
        }
    }

    /// Factor of the product of the two matrices: `alpha / rank`.
    pub(crate) fn scale(&self) -> f32 {
        self.alpha / self.rank as f32
    }
}

fn push_site(
    table: &mut Table,
    rank: usize,
    place: &str,
    input: usize,
    parts: &[(&str, usize)],
) -> SiteSlots {
    let name =
        |part: &str, matrix: char| format!("base_model.model.{place}{part}.lora_{matrix}.weight");
    let start = table.len;
    for (part, _) in parts {
        table.push(name(part, 'A'), &[rank, input]);
    }
    let a = start..table.len;
    let b =
        |&(part, output): &(&str, usize)| (output, table.push(name(part, 'B'), &[output, rank]));
    let parts = parts.iter().map(b).collect();
    SiteSlots { input, a, parts }
}
