//! Changes of a document, cut into transactions.

use yrs::{Doc, IdSet, Transact, TransactionMut};

/// Changes after which a transaction is cut: the library's cost grows faster than their number.
const CHANGES: usize = 1_000;

/// Transactions on a document, one after the other.
pub(super) struct Steps<'d> {
    doc: &'d Doc,
    txn: Option<TransactionMut<'d>>,
    changes: usize,
    removed: IdSet,
}

impl<'d> Steps<'d> {
    pub(super) fn new(doc: &'d Doc) -> Self {
        Self { doc, txn: None, changes: 0, removed: IdSet::new() }
    }

    /// The transaction for the next change.
    pub(super) fn next(&mut self) -> &mut TransactionMut<'d> {
        if self.changes >= CHANGES {
            self.close();
        }
        self.changes += 1;
        self.txn.get_or_insert_with(|| self.doc.transact_mut())
    }

    /// The transaction for reading.
    pub(super) fn read(&mut self) -> &TransactionMut<'d> {
        self.txn.get_or_insert_with(|| self.doc.transact_mut())
    }

    /// Ends the last transaction. What all of them removed.
    pub(super) fn finish(mut self) -> IdSet {
        self.close();
        self.removed
    }

    fn close(&mut self) {
        self.changes = 0;
        if let Some(mut txn) = self.txn.take() {
            txn.commit();
            self.removed.merge_with(txn.delete_set().clone());
        }
    }
}
