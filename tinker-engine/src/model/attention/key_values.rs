//! Cache of keys and values of one sequence.

use super::super::config::ModelConfig;
use crate::kernels::{Aligned, PANEL};

/// Keys and values of one sequence in one block of the model, in the order the products read them. Sampling keeps them
/// from token to token; training fills them again for each pass.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyValues {
    /// For each key head, panels of [`PANEL`] keys: `[panels, head_dim, PANEL]`.
    keys: Aligned,
    /// For each key head, panels of [`PANEL`] columns: `[panels, capacity, PANEL]`.
    values: Aligned,
    pub(super) capacity: usize,
}

impl KeyValues {
    /// A cache with room for `capacity` positions. The system provides memory as it is filled.
    pub(crate) fn new(config: &ModelConfig, capacity: usize) -> Self {
        let mut cache = Self {
            capacity: capacity.next_multiple_of(PANEL),
            ..Self::default()
        };
        cache.keys = Aligned::zeros(config.num_key_value_heads * cache.key_size(config));
        cache.values = Aligned::zeros(config.num_key_value_heads * cache.value_size(config));
        cache
    }

    /// A copy of the positions after the full pages of the first `n`, with room for `capacity` positions.
    pub(crate) fn tail(&self, config: &ModelConfig, n: usize, capacity: usize) -> Self {
        let mut copy = Self::new(config, capacity);
        if !n.is_multiple_of(PANEL) {
            let mut page = Vec::with_capacity(Self::page_len(config));
            self.read_page(config, n / PANEL, &mut page);
            copy.write_page(config, 0, &page);
        }
        copy
    }

    /// Floats of [`PANEL`] positions, as [`KeyValues::read_page`] copies them.
    pub(crate) fn page_len(config: &ModelConfig) -> usize {
        let width = config.head_dim + config.head_dim.next_multiple_of(PANEL);
        config.num_key_value_heads * width * PANEL
    }

    /// Appends the positions `page * PANEL..(page + 1) * PANEL` to `page_out`, stored or not.
    pub(crate) fn read_page(&self, config: &ModelConfig, page: usize, page_out: &mut Vec<f32>) {
        let hd = config.head_dim;
        for head in 0..config.num_key_value_heads {
            let at = head * self.key_size(config) + page * hd * PANEL;
            page_out.extend_from_slice(&self.keys[at..at + hd * PANEL]);
        }
        for panel in 0..config.num_key_value_heads * hd.div_ceil(PANEL) {
            let at = (panel * self.capacity + page * PANEL) * PANEL;
            page_out.extend_from_slice(&self.values[at..at + PANEL * PANEL]);
        }
    }

    /// Restores a page that [`KeyValues::read_page`] copied, and returns the rest of `from`.
    pub(crate) fn write_page<'a>(
        &mut self,
        config: &ModelConfig,
        page: usize,
        from: &'a [f32],
    ) -> &'a [f32] {
        let (hd, heads) = (config.head_dim, config.num_key_value_heads);
        let (page_in, rest) = from.split_at(Self::page_len(config));
        let (keys, values) = page_in.split_at(heads * hd * PANEL);
        let key_size = self.key_size(config);
        for (head, part) in keys.chunks_exact(hd * PANEL).enumerate() {
            let at = head * key_size + page * hd * PANEL;
            self.keys[at..at + part.len()].copy_from_slice(part);
        }
        for (panel, part) in values.chunks_exact(PANEL * PANEL).enumerate() {
            let at = (panel * self.capacity + page * PANEL) * PANEL;
            self.values[at..at + part.len()].copy_from_slice(part);
        }
        rest
    }

    /// Makes room for `capacity` positions and discards the content.
    pub(crate) fn reserve(&mut self, config: &ModelConfig, capacity: usize) {
        self.capacity = capacity.next_multiple_of(PANEL);
        let (keys, values) = (self.key_size(config), self.value_size(config));
        for (buffer, size) in [(&mut self.keys, keys), (&mut self.values, values)] {
            let size = config.num_key_value_heads * size;
            if buffer.len() < size {
                *buffer = Aligned::zeros(size);
            }
        }
    }

    /// Bytes it takes.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        (self.keys.len() + self.values.len()) * size_of::<f32>()
    }

    fn key_size(&self, config: &ModelConfig) -> usize {
        self.capacity * config.head_dim
    }

    fn value_size(&self, config: &ModelConfig) -> usize {
        self.capacity * config.head_dim.next_multiple_of(PANEL)
    }

    /// Stores key and value heads of one position, from a row of queries, keys and values, `[qkv]`.
    pub(crate) fn put(&mut self, config: &ModelConfig, position: usize, row: &[f32]) {
        let hd = config.head_dim;
        let (query, key) = (config.query_width(), config.key_width());
        let (key_size, value_size) = (self.key_size(config), self.value_size(config));
        for head in 0..config.num_key_value_heads {
            let from = &row[query + head * hd..][..hd];
            let panel =
                &mut self.keys[head * key_size + position / PANEL * hd * PANEL..][..hd * PANEL];
            for (to, value) in panel[position % PANEL..]
                .iter_mut()
                .step_by(PANEL)
                .zip(from)
            {
                *to = *value;
            }
            let from = &row[query + key + head * hd..][..hd];
            for (p, part) in from.chunks(PANEL).enumerate() {
                let at = head * value_size + (p * self.capacity + position) * PANEL;
                self.values[at..at + part.len()].copy_from_slice(part);
            }
        }
    }

    pub(super) fn keys_of(&self, config: &ModelConfig, head: usize) -> &[f32] {
        let size = self.key_size(config);
        &self.keys[head * size..][..size]
    }

    pub(super) fn values_of(&self, config: &ModelConfig, head: usize) -> &[f32] {
        let size = self.value_size(config);
        &self.values[head * size..][..size]
    }
}
