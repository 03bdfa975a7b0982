//! Pieces of a rendered conversation, and their tokens with loss weights.

use super::rendered::Rendered;
use crate::error::ChatError;
use crate::tokenizer::Tokenizer;

/// A piece of a rendered conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) content: Content,
    /// The loss counts its tokens.
    pub(super) is_learned: bool,
}

/// Content of a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// Text. It may contain special tokens in their written form.
    Text(String),
    /// The tokenizer's end token.
    End,
}

impl Piece {
    pub(super) fn text(text: impl Into<String>, is_learned: bool) -> Self {
        Self {
            content: Content::Text(text.into()),
            is_learned,
        }
    }

    pub(super) const END: Self = Self {
        content: Content::End,
        is_learned: true,
    };
}

/// The pieces of a rendered text, all of them learned or none.
pub(super) fn of_rendered(rendered: &Rendered, is_learned: bool) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(rendered.ends.len() * 2 + 1);
    let mut done = 0;
    for &end in &rendered.ends {
        pieces.push(Piece::text(&rendered.text[done..end], is_learned));
        pieces.push(Piece {
            is_learned,
            ..Piece::END
        });
        done = end;
    }
    pieces.push(Piece::text(&rendered.text[done..], is_learned));
    pieces
}

/// Tokens and their loss weights, each `[T]`: 1 where a piece is learned, else 0.
///
/// Adjacent texts are encoded as one, because a tokenizer may merge across the boundary; a token
/// belongs to the piece in which it starts.
pub(super) fn encode(
    pieces: &[Piece],
    tokenizer: &Tokenizer,
) -> Result<(Vec<u32>, Vec<f32>), ChatError> {
    let (mut tokens, mut weights) = (Vec::new(), Vec::new());
    for run in pieces.chunk_by(|a, b| is_text(a) && is_text(b)) {
        if run[0].content == Content::End {
            let end = tokenizer.end_token().ok_or_else(|| {
                ChatError::new(
                    "the tokenizer names no end token; use the chat template of the model",
                )
            })?;
            tokens.push(end);
            weights.push(weight(&run[0]));
            continue;
        }
        let mut text = String::new();
        let mut ends = Vec::with_capacity(run.len());
        for piece in run {
            if let Content::Text(part) = &piece.content {
                text.push_str(part);
                ends.push((text.len(), weight(piece)));
            }
        }
        for (token, start) in tokenizer.encode_with_starts(&text)? {
            tokens.push(token);
            let piece = ends.partition_point(|(end, _)| *end <= start);
            weights.push(ends.get(piece).map_or(0.0, |(_, weight)| *weight));
        }
    }
    Ok((tokens, weights))
}

fn is_text(piece: &Piece) -> bool {
    matches!(piece.content, Content::Text(_))
}

fn weight(piece: &Piece) -> f32 {
    f32::from(u8::from(piece.is_learned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_takes_the_weight_of_the_piece_it_starts_in() {
        let pieces = [
            Piece::text("ab", false),
            Piece::text("", true),
            Piece::text("c", true),
            Piece::END,
            Piece::text("d", false),
        ];
        let (tokens, weights) = encode(&pieces, &Tokenizer::bytes()).unwrap();
        assert_eq!(tokens, [97, 98, 99, 256, 100]);
        assert_eq!(weights, [0.0, 0.0, 1.0, 1.0, 0.0]);
    }
}
