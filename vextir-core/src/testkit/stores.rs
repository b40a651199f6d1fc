//! The conformance suite of [`ContextStore`] and of [`GraphStore`](crate::context::graph::GraphStore): what their
//! documentation promises of documents, folders, rights, changes, cursors, searches, queries, the graph and the outbox.
//!
//! Not covered: the errors `Gap` and `Timeout`, which depend on what a store keeps and how long it takes; what SQL a store
//! speaks, and how good its searches are; the time for which something was known in the graph, and agents in it.
//!
//! A store that can be cloned is proved with one line in a test file, which becomes one test for each property:
//!
//! ```text
//! mod conformance {
//!     vextir::testkit::store_conformance!(|| async { MyStore::new() });
//! }
//! ```
//!
//! To come back after a crash, and to have a second store, are nothing that the contract has a call for: implement
//! [`StoreUnderTest`] to have them checked too. A property that asks for what the subject cannot do, or answers as
//! [`Unsupported`](crate::ErrorKind::Unsupported), is skipped.
//! [`run`] checks everything in one go and names each promise that is broken.

mod asking;
mod changes;
mod content;
mod graphs;
mod outboxes;
mod places;
mod rights;

use super::conformance::{Broken, Outcome};
use crate::{Actor, Context, ContextStore, ErrorKind};
use async_trait::async_trait;
use std::future::Future;
use std::sync::Arc;

/// A store to be proved, and what can be done with it beside the contract.
#[async_trait]
pub trait StoreUnderTest: Send + Sync + Sized + 'static {
    /// A handle on the store.
    fn store(&self) -> Arc<dyn ContextStore>;

    /// The store as the next process finds it, after this one was killed where it stands. Every handle but this one
    /// is gone. `None`: it cannot be tried.
    async fn reopen(self) -> Option<Self> {
        None
    }

    /// Another, empty store. `None`: there is only one.
    async fn another(&self) -> Option<Self> {
        None
    }

    /// Puts a user into a group. False: there are no groups.
    async fn add_member(&self, _group: &str, _user: &str) -> bool {
        false
    }
}

#[async_trait]
impl<S: ContextStore + Clone> StoreUnderTest for S {
    fn store(&self) -> Arc<dyn ContextStore> {
        Arc::new(self.clone())
    }
}

/// The answer to something optional; `None` if the store does not offer it.
fn offered<T>(answer: crate::Result<T>) -> Result<Option<T>, Broken> {
    match answer {
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(None),
        answer => Ok(Some(answer?)),
    }
}

/// The documents of a user.
fn of<S: StoreUnderTest>(subject: &S, user: &str) -> Context {
    Context::new(subject.store(), Actor::user(user))
}

properties! {
    StoreUnderTest;
    content:
        what_is_written_is_read
        a_version_is_one_more_with_each_change
        an_expected_version_is_compared
        a_lost_race_is_merged
        a_patch_changes_what_it_names
        an_edit_that_does_not_fit_is_refused
        changes_are_applied_whole_or_not_at_all
        the_past_is_read_by_version_and_time;
    places:
        a_folder_is_listed_by_name_and_in_pages
        a_move_takes_along_what_is_below
        what_is_removed_can_be_restored
        what_would_be_restored_is_read_before
        guides_are_collected_from_the_root_down
        history_tells_who_did_what
        everything_survives_in_a_durable_store;
    rights:
        a_user_sees_nothing_of_another
        a_grant_holds_for_all_below
        a_restricted_folder_inherits_nothing
        an_agent_acts_within_both_rights
        a_group_is_its_members
        rights_take_an_administrator;
    changes:
        changes_come_in_commit_order
        nothing_is_skipped_by_a_cursor
        a_watch_sees_what_its_user_may_see
        cursors_tell_stores_apart
        a_cursor_tells_no_count
        the_head_grows_with_each_commit;
    asking:
        a_search_finds_what_its_user_may_read
        a_query_sees_what_its_user_may_read;
    graphs:
        the_graph_tells_what_was_said
        facts_may_come_in_any_order
        what_documents_link_to_is_in_the_graph
        a_graph_shows_what_its_reader_may_see
        changes_of_the_graph_are_applied_whole_or_not_at_all;
    outboxes:
        what_is_posted_lands_with_its_changes_once
        what_is_not_published_is_told_in_order
        what_is_posted_survives;
}

/// Writes one `#[tokio::test]` for each property of the store contract.
///
/// Takes an expression that gives a future of a fresh store each time that it is called: a store that is `Clone`, or
/// any [`StoreUnderTest`](crate::testkit::stores::StoreUnderTest). Put it into a module of its own; the crate needs
/// tokio with `macros` and `rt-multi-thread` among its dev-dependencies.
#[doc(hidden)]
#[macro_export]
macro_rules! __store_conformance {
    (@tests [$make:expr] $($name:ident)*) => {
        $(
            #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let outcome = $crate::testkit::stores::$name(($make)().await).await;
                if let Err(broken) = outcome {
                    panic!("{broken}");
                }
            }
        )*

        #[test]
        fn each_property_has_a_test() {
            assert_eq!([$(stringify!($name)),*], $crate::testkit::stores::PROPERTIES);
        }
    };
    ($make:expr) => {
        $crate::__store_conformance! { @tests [$make]
            what_is_written_is_read a_version_is_one_more_with_each_change an_expected_version_is_compared
            a_lost_race_is_merged a_patch_changes_what_it_names an_edit_that_does_not_fit_is_refused
            changes_are_applied_whole_or_not_at_all the_past_is_read_by_version_and_time
            a_folder_is_listed_by_name_and_in_pages a_move_takes_along_what_is_below
            what_is_removed_can_be_restored what_would_be_restored_is_read_before guides_are_collected_from_the_root_down
            history_tells_who_did_what everything_survives_in_a_durable_store
            a_user_sees_nothing_of_another a_grant_holds_for_all_below a_restricted_folder_inherits_nothing
            an_agent_acts_within_both_rights a_group_is_its_members rights_take_an_administrator
            changes_come_in_commit_order nothing_is_skipped_by_a_cursor a_watch_sees_what_its_user_may_see
            cursors_tell_stores_apart a_cursor_tells_no_count the_head_grows_with_each_commit
            a_search_finds_what_its_user_may_read a_query_sees_what_its_user_may_read
            the_graph_tells_what_was_said facts_may_come_in_any_order what_documents_link_to_is_in_the_graph
            a_graph_shows_what_its_reader_may_see changes_of_the_graph_are_applied_whole_or_not_at_all
            what_is_posted_lands_with_its_changes_once what_is_not_published_is_told_in_order what_is_posted_survives
        }
    };
}
