//! What turns one text into another, as edits of the parts that differ.
//!
//! Lines first; then words within the lines that differ; then characters within words, where these are
//! alike. The smallest unit is what a reader takes for one character (a grapheme cluster), so that no accent is cut
//! from its letter and no emoji from its parts when edits of two replicas meet.

use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;
use vextir_core::context::{Hunk, hunks, reach};

/// Removes a range of the old text, in bytes, and puts a piece of the new one there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) old: Range<usize>,
    pub(super) new: Range<usize>,
}

/// Edits of one change. The library takes some 10 microseconds for each.
const EDITS: usize = 1_000;
/// Bytes up to which words that differ are compared by their characters in any case.
const WORDS: usize = 400;
/// Bytes of a word, on average, above which a script does not put spaces between words.
const SCRIPT: usize = 30;

/// The edits from `old` to `new`, in order.
pub(super) fn edits(old: &str, new: &str) -> Vec<Edit> {
    let (old_lines, new_lines) = (Pieces::lines(old), Pieces::lines(new));
    let by_line = compare(&old_lines, &new_lines, reach(old_lines.pieces.len() + new_lines.pieces.len()));
    let differing = by_line.iter().map(|edit| edit.old.len() + edit.new.len()).sum();
    let mut found = Vec::new();
    for edit in by_line {
        refine(old, new, edit, reach(differing), &mut found);
    }
    at_most(EDITS, found)
}

/// Joins the edits with the least between them until they are few enough.
fn at_most(count: usize, edits: Vec<Edit>) -> Vec<Edit> {
    if edits.len() <= count {
        return edits;
    }
    let mut gaps: Vec<_> = edits.windows(2).map(|pair| pair[1].old.start - pair[0].old.end).collect();
    let (_, widest, _) = gaps.select_nth_unstable(edits.len() - count);
    let widest = *widest;
    joined(edits, |last, edit| edit.old.start - last.old.end <= widest)
}

/// Splits an edit of whole lines into edits of words and characters.
fn refine(old: &str, new: &str, edit: Edit, reach: usize, found: &mut Vec<Edit>) {
    if edit.old.is_empty() || edit.new.is_empty() {
        found.push(edit);
        return;
    }
    let by_word = compare(&Pieces::words(old, &edit.old), &Pieces::words(new, &edit.new), reach);
    let by_word = joined(by_word, close);
    if by_word.len() > EDITS {
        // They will be joined again: a finer look is of no use.
        return found.extend(by_word);
    }
    for word in by_word {
        let length = word.old.len().max(word.new.len());
        // A long stretch of words that differ is another text. A long stretch without words is another script.
        if length > WORDS && Pieces::words(old, &word.old).pieces.len() * SCRIPT > word.old.len() {
            found.push(word);
            continue;
        }
        let by_sign = compare(&Pieces::signs(old, &word.old), &Pieces::signs(new, &word.new), reach);
        let removed: usize = by_sign.iter().map(|sign| sign.old.len()).sum();
        // Words that share less than half of their characters only look alike by chance.
        if 2 * (word.old.len() - removed) >= length {
            found.extend(joined(by_sign, close));
        } else {
            found.push(word);
        }
    }
}

/// Whether less stands between two edits than each of them changes: what is left of a rewritten sentence (its
/// spaces, and letters that happen to agree) is of no use to a merge, and each piece costs an operation for good.
fn close(last: &Edit, edit: &Edit) -> bool {
    let size = |edit: &Edit| edit.old.len().max(edit.new.len());
    edit.old.start - last.old.end < size(last).min(size(edit))
}

fn joined(edits: Vec<Edit>, join: impl Fn(&Edit, &Edit) -> bool) -> Vec<Edit> {
    let mut joined: Vec<Edit> = Vec::with_capacity(edits.len());
    for mut edit in edits {
        while let Some(last) = joined.pop_if(|last| join(last, &edit)) {
            edit = Edit { old: last.old.start..edit.old.end, new: last.new.start..edit.new.end };
        }
        joined.push(edit);
    }
    joined
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

/// The characters of a text as readers see them.
fn signs(text: &str) -> Vec<&str> {
    if text.is_ascii() && !text.contains('\r') {
        return (0..text.len()).filter_map(|at| text.get(at..=at)).collect();
    }
    text.graphemes(true).collect()
}

impl<'t> Pieces<'t> {
    fn lines(text: &'t str) -> Self {
        Self::of(0, text.split_inclusive('\n').collect())
    }

    /// Characters as readers see them.
    fn signs(text: &'t str, range: &Range<usize>) -> Self {
        Self::of(range.start, signs(text.get(range.clone()).unwrap_or_default()))
    }

    /// Runs of letters and digits, and single characters between them.
    fn words(text: &'t str, range: &Range<usize>) -> Self {
        let stretch = text.get(range.clone()).unwrap_or_default();
        let mut pieces = Vec::new();
        let mut run = 0..0;
        let mut at = 0;
        for sign in signs(stretch) {
            let end = at + sign.len();
            at = end;
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

#[cfg(test)]
mod tests {
    use super::{EDITS, edits};
    use proptest::prelude::*;
    use unicode_segmentation::UnicodeSegmentation;

    fn rebuilt(old: &str, new: &str) -> String {
        let mut result = String::new();
        let mut at = 0;
        for edit in edits(old, new) {
            result.push_str(&old[at..edit.old.start]);
            result.push_str(&new[edit.new.clone()]);
            at = edit.old.end;
        }
        result + &old[at..]
    }

    fn borders(text: &str) -> Vec<usize> {
        text.grapheme_indices(true).map(|(at, _)| at).chain([text.len()]).collect()
    }

    proptest! {
        #[test]
        fn edits_rebuild_the_new_text_and_cut_no_character(
            old in "([abc \\n🦀éü漢\\u{301}\\u{200D}👩👧\\r]{0,60})",
            new in "([abc \\n🦀éü漢\\u{301}\\u{200D}👩👧\\r]{0,60})",
        ) {
            prop_assert_eq!(&rebuilt(&old, &new), &new);
            let (olds, news) = (borders(&old), borders(&new));
            for edit in edits(&old, &new) {
                prop_assert!(olds.contains(&edit.old.start) && olds.contains(&edit.old.end), "{:?}", edit);
                prop_assert!(news.contains(&edit.new.start) && news.contains(&edit.new.end), "{:?}", edit);
            }
        }
    }

    #[test]
    fn small_changes_are_small_edits() {
        let changed = |old: &str, new: &str| {
            edits(old, new)
                .iter()
                .map(|edit| (old[edit.old.clone()].to_owned(), new[edit.new.clone()].to_owned()))
                .collect::<Vec<_>>()
        };
        let pair = |old: &str, new: &str| (old.to_owned(), new.to_owned());
        assert_eq!(changed("same", "same"), []);
        assert_eq!(changed("The quick fox.\n", "The slow fox.\n"), [pair("quick", "slow")]);
        assert_eq!(changed("colour\nsame\n", "color\nsame\n"), [pair("u", "")]);
        assert_eq!(changed("cafe\u{301}", "cafe"), [pair("e\u{301}", "e")]);
        assert_eq!(changed("👩\u{200D}👧 a", "👩\u{200D}👦 a"), [pair("👩\u{200D}👧", "👩\u{200D}👦")]);
    }

    #[test]
    fn hard_texts_have_few_edits() {
        let old = "a".repeat(20_000);
        for new in ["a\n".repeat(10_000), "ab".repeat(10_000), old.replace('a', "漢")] {
            assert!(edits(&old, &new).len() <= EDITS);
            assert_eq!(rebuilt(&old, &new), new);
        }
    }
}
