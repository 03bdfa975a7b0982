//! Layout of a model: the place of each tensor in one flat array.

use std::ops::Range;

use super::config::ModelConfig;

/// A named tensor inside a flat array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Name in the file.
    pub(crate) name: String,
    /// Row-major shape.
    pub(crate) shape: Vec<usize>,
    /// Place of its elements.
    pub(crate) at: Range<usize>,
}

/// The tensors of a flat array, in order and without gaps.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    /// The tensors.
    pub(crate) slots: Vec<Slot>,
    /// Elements of all of them.
    pub(crate) len: usize,
}

impl Table {
    /// Appends a tensor.
    pub(crate) fn push(&mut self, name: String, shape: &[usize]) -> Range<usize> {
        let at = self.len..self.len + shape.iter().product::<usize>();
        self.len = at.end;
        self.slots.push(Slot {
            name,
            shape: shape.to_vec(),
            at: at.clone(),
        });
        at
    }
}

/// Places of the tensors of one block. Projections that read the same input lie side by side and are used as one matrix.
#[derive(Debug, Clone)]
pub(crate) struct BlockSlots {
    pub(crate) input_norm: Range<usize>,
    pub(crate) qkv: Range<usize>,
    pub(crate) qkv_bias: Option<Range<usize>>,
    pub(crate) q_norm: Option<Range<usize>>,
    pub(crate) k_norm: Option<Range<usize>>,
    pub(crate) o: Range<usize>,
    pub(crate) o_bias: Option<Range<usize>>,
    pub(crate) post_norm: Range<usize>,
    pub(crate) gate_up: Range<usize>,
    pub(crate) down: Range<usize>,
}

/// Places of the tensors of a model.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) table: Table,
    pub(crate) embed: Range<usize>,
    pub(crate) blocks: Vec<BlockSlots>,
    pub(crate) norm: Range<usize>,
    /// The embedding's place if they are tied.
    pub(crate) head: Range<usize>,
}

impl Layout {
    /// The tensors in a range of whole tensors.
    pub(crate) fn slots(&self, at: &Range<usize>) -> &[Slot] {
        let slots = &self.table.slots;
        let from = slots.partition_point(|slot| slot.at.start < at.start);
        let to = slots.partition_point(|slot| slot.at.start < at.end);
        &slots[from..to]
    }

    /// The layout of a model, with the names of its Hugging Face file.
    pub(crate) fn new(config: &ModelConfig) -> Self {
        let mut table = Table::default();
        let (d, ff, hd) = (
            config.hidden_size,
            config.intermediate_size,
            config.head_dim,
        );
        let (q, kv) = (config.query_width(), config.key_width());
        let embed = table.push("model.embed_tokens.weight".into(), &[config.vocab_size, d]);
        let blocks = (0..config.num_hidden_layers)
            .map(|i| {
                let name = |part: &str| format!("model.layers.{i}.{part}");
                let input_norm = table.push(name("input_layernorm.weight"), &[d]);
                let qkv = join(&[
                    table.push(name("self_attn.q_proj.weight"), &[q, d]),
                    table.push(name("self_attn.k_proj.weight"), &[kv, d]),
                    table.push(name("self_attn.v_proj.weight"), &[kv, d]),
                ]);
                let qkv_bias = config.qkv_bias.then(|| {
                    join(&[
                        table.push(name("self_attn.q_proj.bias"), &[q]),
                        table.push(name("self_attn.k_proj.bias"), &[kv]),
                        table.push(name("self_attn.v_proj.bias"), &[kv]),
                    ])
                });
                let q_norm = config
                    .qk_norm
                    .then(|| table.push(name("self_attn.q_norm.weight"), &[hd]));
                let k_norm = config
                    .qk_norm
                    .then(|| table.push(name("self_attn.k_norm.weight"), &[hd]));
                let o = table.push(name("self_attn.o_proj.weight"), &[d, q]);
                let o_bias = config
                    .o_bias
                    .then(|| table.push(name("self_attn.o_proj.bias"), &[d]));
                let post_norm = table.push(name("post_attention_layernorm.weight"), &[d]);
                let gate_up = join(&[
                    table.push(name("mlp.gate_proj.weight"), &[ff, d]),
                    table.push(name("mlp.up_proj.weight"), &[ff, d]),
                ]);
                let down = table.push(name("mlp.down_proj.weight"), &[d, ff]);
                BlockSlots {
                    input_norm,
                    qkv,
                    qkv_bias,
                    q_norm,
                    k_norm,
                    o,
                    o_bias,
                    post_norm,
                    gate_up,
                    down,
                }
            })
            .collect();
        let norm = table.push("model.norm.weight".into(), &[d]);
        let head = if config.tie_word_embeddings {
            embed.clone()
        } else {
            table.push("lm_head.weight".into(), &[config.vocab_size, d])
        };
        Self {
            table,
            embed,
            blocks,
            norm,
            head,
        }
    }
}

fn join<const N: usize>(parts: &[Range<usize>; N]) -> Range<usize> {
    parts[0].start..parts[N - 1].end
}
