//! Mixture of the corpus: kinds of documents and their frequencies.

use fastrand::Rng;

use super::conversation::conversation;
use super::document::Document;
use super::lexicon::word_of;
use super::number;
use super::reading::comprehension;
use super::record::{extraction, record};
use super::rewrite::{Rewrite, by_example};
use super::sentence::{paragraph, sentence};
use super::story::story;
use super::wording::{bare, several};

/// Draws one document. The same generator state gives the same document.
///
/// Long kinds are drawn rarely: by bytes, conversations are two fifths of the corpus, text tasks
/// as bare lines a quarter, running text a quarter, and numbers and records the rest.
pub(crate) fn document(rng: &mut Rng) -> Document {
    match rng.usize(..100) {
        0..46 => bare_task(rng),
        46..52 => {
            let lines = by_example(rng);
            several(rng, &lines)
        }
        52..80 => conversation(rng),
        80..86 => Document::ended(&number::line(rng)),
        86..89 => Document::ended(&record(rng)),
        89 => {
            let exchange = extraction(rng);
            Document::ended(&format!("{}\n{}", exchange.user, exchange.assistant))
        }
        90 => {
            let exchange = comprehension(rng);
            Document::ended(&format!("{}\n{}", exchange.user, exchange.assistant))
        }
        91..94 => Document::ended(&sentence(rng)),
        94..97 => Document::ended(&paragraph(rng)),
        _ => {
            let hero = word_of(rng, &["animal", "bird", "person"]);
            Document::ended(&story(rng, hero))
        }
    }
}

fn bare_task(rng: &mut Rng) -> Document {
    let task = Rewrite::draw(rng);
    bare(rng, &task)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinker_engine::base::END;

    #[test]
    fn the_same_seed_writes_the_same_text() {
        let draw = |seed| {
            let mut rng = Rng::with_seed(seed);
            (0..200)
                .flat_map(|_| document(&mut rng).tokens().to_vec())
                .collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn documents_are_ascii_and_end() {
        let mut rng = Rng::with_seed(1);
        for _ in 0..5_000 {
            let document = document(&mut rng);
            let tokens = document.tokens();
            assert_eq!(tokens.last(), Some(&END));
            assert!(
                tokens.iter().all(|&token| token < 128 || token == END),
                "{}",
                document.readable()
            );
        }
    }

    /// The example data teach pig latin, so the base model must not have seen it.
    #[test]
    fn pig_latin_is_not_in_the_corpus() {
        let mut rng = Rng::with_seed(2);
        for _ in 0..20_000 {
            let text = document(&mut rng).readable().to_ascii_lowercase();
            assert!(!text.contains("latin"), "{text}");
            for word in [
                "eengray", "appleway", "onestay", "oxfay", "atcay", "ogday", "ousemay", "eestray",
            ] {
                assert!(!text.contains(word), "{text}");
            }
        }
    }
}
