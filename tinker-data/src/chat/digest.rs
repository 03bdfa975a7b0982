//! Digests of everything that determines how a conversation is encoded.

use std::io::Write as _;

use super::renderer::Renderer;
use crate::hashing::Hashing;

impl Renderer {
    /// Digest of what determines the tokens and weights of a conversation: tokenizer, template, its variables, and the
    /// answers to learn. It may be another one in another version of this library.
    ///
    /// `None` for the byte tokenizer, which is faster than reading results that were kept, and for templates that print
    /// the time of day.
    pub fn digest(&self) -> Option<String> {
        let mut hash = Hashing::new(std::io::sink());
        hash.write_all(&self.tokenizer().digest()?).ok()?;
        hash.write_all(self.template().identity()?.as_bytes())
            .ok()?;
        write!(hash, "{:?} {}", self.options(), env!("CARGO_PKG_VERSION")).ok()?;
        let hex = hash.digest().map(|byte| format!("{byte:02x}"));
        Some(hex.concat())
    }
}

#[cfg(test)]
#[cfg(all(feature = "templates", feature = "tokenizers"))]
mod tests {
    use super::*;
    use crate::chat::{Learn, Template};
    use crate::tokenizer::Tokenizer;

    fn tokenizer(token: &str) -> Tokenizer {
        let folder = tempfile::tempdir().unwrap();
        let json = format!(
            r#"{{"version": "1.0", "added_tokens": [], "model": {{"type": "WordLevel", "vocab": {{"{token}": 0}}, "unk_token": "{token}"}}}}"#
        );
        std::fs::write(folder.path().join("tokenizer.json"), json).unwrap();
        Tokenizer::from_folder(folder.path()).unwrap()
    }

    #[test]
    fn every_part_counts() {
        let template = |source: &str| Template::jinja(source, [("eos_token", "e")]).unwrap();
        let renderer = |source: &str| Renderer::new(tokenizer("a"), template(source));
        let first = renderer("x").digest().unwrap();
        assert_eq!(renderer("x").digest(), Some(first.clone()));
        let args = [("thinking".to_owned(), false.into())];
        let others = [
            renderer("y"),
            Renderer::new(tokenizer("b"), template("x")),
            Renderer::new(tokenizer("a"), Template::plain()),
            Renderer::new(
                tokenizer("a"),
                Template::jinja("x", [("eos_token", "f")]).unwrap(),
            ),
            Renderer::new(tokenizer("a"), template("x").with_args(args).unwrap()),
            renderer("x").with_learn(Learn::Last),
            renderer("x").with_empty_answers(true),
        ];
        for other in others {
            assert_ne!(other.digest().unwrap(), first, "{other:?}");
        }
        assert_eq!(Renderer::plain().digest(), None);
    }

    #[test]
    fn the_time_is_a_part_of_templates_that_print_it() {
        let at = |source: &str, time: &str| {
            let template = Template::jinja(source, [("eos_token", "e")]).unwrap();
            Renderer::new(tokenizer("a"), template.at(time).unwrap()).digest()
        };
        let dated = "{{ strftime_now('%d %b %Y') }}";
        assert_eq!(
            at(dated, "2026-01-01T10:00:00"),
            at(dated, "2026-01-01T11:00:00")
        );
        assert_ne!(
            at(dated, "2026-01-01T10:00:00"),
            at(dated, "2026-01-02T10:00:00")
        );
        assert_eq!(
            at("x", "2026-01-01T10:00:00"),
            at("x", "2026-01-02T10:00:00")
        );
        assert_eq!(at("{{ strftime_now('%H') }}", "2026-01-01T10:00:00"), None);
    }
}
