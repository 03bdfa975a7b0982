//! Prefix cache: keys and values of earlier prompts, in pages, so that a common beginning is not run again.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};

use crate::kernels::PANEL;
use crate::model::{KeyValues, Lora, Model};

/// Tokens of a page: one panel of keys, so that pages are copied without rearranging.
pub(super) const PAGE: usize = PANEL;

/// Pages of prompts by adapter and all tokens up to the end of the page. The least recently used page is evicted first.
/// Packed adapters never change, so a page is valid as long as its adapter exists; it is dropped with the adapter.
#[derive(Debug)]
pub(super) struct PrefixCache {
    most_bytes: usize,
    /// Bytes of one page; 0 before the first.
    page_bytes: usize,
    /// Tick of the last use; also numbers the pages.
    tick: u64,
    roots: HashMap<usize, Root>,
    pages: HashMap<Key, Page>,
    /// Keys by the tick of their last use. A page is always older than the one before it.
    ages: BTreeMap<u64, Key>,
}

/// Root of the pages of an adapter.
#[derive(Debug)]
struct Root {
    number: u64,
    /// Keeps the adapter's address from being reused; `None` for the base model.
    adapter: Option<Weak<Lora>>,
}

/// The page before it, or the root, and its own tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    before: u64,
    tokens: [u32; PAGE],
}

#[derive(Debug)]
struct Page {
    number: u64,
    root: u64,
    tick: u64,
    /// Keys and values of all blocks, in order.
    content: Arc<[f32]>,
}

impl PrefixCache {
    /// A cache of at most this many bytes; 0 disables it.
    pub(super) fn new(most_bytes: usize) -> Self {
        Self {
            most_bytes,
            page_bytes: 0,
            tick: 0,
            roots: HashMap::new(),
            pages: HashMap::new(),
            ages: BTreeMap::new(),
        }
    }

    /// Whether it is enabled.
    pub(super) fn is_on(&self) -> bool {
        self.most_bytes > 0
    }

    /// The cached pages that `tokens` begins with.
    pub(super) fn find(&mut self, lora: Option<&Arc<Lora>>, tokens: &[u32]) -> Vec<Arc<[f32]>> {
        let Some(root) = self.roots.get(&address(lora)) else {
            return Vec::new();
        };
        let mut before = root.number;
        let (mut keys, mut found) = (Vec::new(), Vec::new());
        for tokens in tokens.as_chunks::<PAGE>().0 {
            let key = Key {
                before,
                tokens: *tokens,
            };
            let Some(page) = self.pages.get(&key) else {
                break;
            };
            before = page.number;
            found.push(Arc::clone(&page.content));
            keys.push(key);
        }
        self.touch(&keys);
        found
    }

    /// Adds the full pages of `tokens`, whose keys and values are in `caches`.
    pub(super) fn insert(
        &mut self,
        model: &Model,
        lora: Option<&Arc<Lora>>,
        tokens: &[u32],
        caches: &[KeyValues],
    ) {
        let len = caches.len() * KeyValues::page_len(&model.config);
        self.page_bytes = len * size_of::<f32>() + size_of::<(Key, Page, Key)>();
        let most = self.most_bytes / self.page_bytes;
        let mut keys = Vec::new();
        self.forget_dropped();
        let root = self.root(lora);
        let mut before = root;
        for (p, tokens) in tokens.as_chunks::<PAGE>().0.iter().enumerate().take(most) {
            let key = Key {
                before,
                tokens: *tokens,
            };
            let next = self.next_tick();
            let page = self.pages.entry(key).or_insert_with(|| {
                let mut content = Vec::with_capacity(len);
                for cache in caches {
                    cache.read_page(&model.config, p, &mut content);
                }
                self.ages.insert(next, key);
                Page {
                    number: next,
                    root,
                    tick: next,
                    content: content.into(),
                }
            });
            before = page.number;
            keys.push(key);
        }
        self.touch(&keys);
        // The pages just touched fit, so the oldest is never one of them.
        while self.pages.len() > most
            && let Some((_, key)) = self.ages.pop_first()
        {
            self.pages.remove(&key);
        }
    }

    /// Bytes it holds now.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.pages.len() * self.page_bytes
    }

    /// Marks a chain of pages as used, the last first, so that it is evicted before the pages it follows.
    fn touch(&mut self, chain: &[Key]) {
        for key in chain.iter().rev() {
            let next = self.next_tick();
            if let Some(page) = self.pages.get_mut(key) {
                self.ages.remove(&page.tick);
                page.tick = next;
                self.ages.insert(next, *key);
            }
        }
    }

    fn root(&mut self, lora: Option<&Arc<Lora>>) -> u64 {
        let number = self.next_tick();
        let root = self.roots.entry(address(lora)).or_insert_with(|| Root {
            number,
            adapter: lora.map(Arc::downgrade),
        });
        root.number
    }

    /// Drops the pages of adapters that no longer exist.
    fn forget_dropped(&mut self) {
        let is_gone = |root: &Root| {
            let adapter = root.adapter.as_ref();
            adapter.is_some_and(|adapter| adapter.strong_count() == 0)
        };
        let gone: Vec<u64> = (self.roots.extract_if(|_, root| is_gone(root)))
            .map(|(_, root)| root.number)
            .collect();
        if gone.is_empty() {
            return;
        }
        for (_, page) in (self.pages).extract_if(|_, page| gone.contains(&page.root)) {
            self.ages.remove(&page.tick);
        }
    }

    fn next_tick(&mut self) -> u64 {
        self.tick += 1;
        self.tick
    }
}

fn address(lora: Option<&Arc<Lora>>) -> usize {
    lora.map_or(0, |lora| Arc::as_ptr(lora) as usize)
}
