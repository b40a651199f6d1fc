//! What turns one text into another, as edits of the parts that differ.
//!
//! Lines first; then words within the lines that differ; then characters within words, where these are
//! alike. The smallest unit is what a reader takes for one character (a grapheme cluster), so that no accent is cut
//! from its letter and no emoji from its parts when edits of two replicas meet.

use super::diff::{Hunk, hunks};
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// Removes a range of the old text, in bytes, and puts a piece of the new one there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) old: Range<usize>,
    pub(super) new: Range<usize>,
}

/// Steps that one comparison may take on each level.
const STEPS: usize = 2_000_000;
/// Edits that one search may find before it goes on from where it is. Its memory grows with the square.
const REACH: usize = 400;
/// Words longer than this are compared whole.
const WORD: usize = 400;

/// The edits from `old` to `new`, in order.
pub(super) fn edits(old: &str, new: &str) -> Vec<Edit> {
    let (old_lines, new_lines) = (Pieces::lines(old), Pieces::lines(new));
    let by_line = compare(&old_lines, &new_lines, reach(old_lines.pieces.len() + new_lines.pieces.len()));
    let differing = by_line.iter().map(|edit| edit.old.len() + edit.new.len()).sum();
    let mut found = Vec::new();
    for edit in by_line {
        refine(old, new, edit, reach(differing), &mut found);
    }
    found
}

fn reach(elements: usize) -> usize {
    (STEPS / elements.max(1)).clamp(8, REACH)
}

/// Splits an edit of whole lines into edits of words and characters.
fn refine(old: &str, new: &str, edit: Edit, reach: usize, found: &mut Vec<Edit>) {
    if edit.old.is_empty() || edit.new.is_empty() {
        found.push(edit);
        return;
    }
    for word in compare(&Pieces::words(old, &edit.old), &Pieces::words(new, &edit.new), reach) {
        if word.old.is_empty() || word.new.is_empty() || word.old.len() + word.new.len() > WORD {
            found.push(word);
            continue;
        }
        let by_sign = compare(&Pieces::signs(old, &word.old), &Pieces::signs(new, &word.new), WORD);
        let removed: usize = by_sign.iter().map(|sign| sign.old.len()).sum();
        // Words that share less than half of their characters only look alike by chance.
        if 2 * (word.old.len() - removed) >= word.old.len().max(word.new.len()) {
            found.extend(by_sign);
        } else {
            found.push(word);
        }
    }
}

fn compare(old: &Pieces<'_>, new: &Pieces<'_>, reach: usize) -> Vec<Edit> {
    let edit = |Hunk { old: gone, new: come }: Hunk| Edit { old: old.span(&gone), new: new.span(&come) };
    hunks(&old.pieces, &new.pieces, reach).into_iter().map(edit).collect()
}

/// A stretch of a text, cut into pieces.
struct Pieces<'t> {
    pieces: Vec<&'t str>,
    /// Where each piece begins in the whole text, and where the last one ends.
    borders: Vec<usize>,
}

impl<'t> Pieces<'t> {
    fn lines(text: &'t str) -> Self {
        Self::of(0, text.split_inclusive('\n').collect())
    }

    /// Characters as readers see them.
    fn signs(text: &'t str, range: &Range<usize>) -> Self {
        Self::of(range.start, text.get(range.clone()).unwrap_or_default().graphemes(true).collect())
    }

    /// Runs of letters and digits, and single characters between them.
    fn words(text: &'t str, range: &Range<usize>) -> Self {
        let stretch = text.get(range.clone()).unwrap_or_default();
        let mut pieces = Vec::new();
        let mut run = 0..0;
        for (at, sign) in stretch.grapheme_indices(true) {
            let end = at + sign.len();
            if sign.starts_with(char::is_alphanumeric) {
                run.end = end;
                continue;
            }
            pieces.extend(stretch.get(run).filter(|word| !word.is_empty()));
            pieces.push(sign);
            run = end..end;
        }
        pieces.extend(stretch.get(run).filter(|word| !word.is_empty()));
        Self::of(range.start, pieces)
    }

    fn of(start: usize, pieces: Vec<&'t str>) -> Self {
        let ends = pieces.iter().scan(start, |end, piece| {
            *end += piece.len();
            Some(*end)
        });
        let borders = std::iter::once(start).chain(ends).collect();
        Self { pieces, borders }
    }

    fn span(&self, pieces: &Range<usize>) -> Range<usize> {
        self.borders[pieces.start]..self.borders[pieces.end]
    }
}
