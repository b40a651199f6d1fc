//! The conformance suite of [`EventBus`]: one property for each promise of its documentation and of each
//! [`Command`](crate::bus::Command).
//!
//! A bus that can be cloned is proved with one line in a test file. It becomes one test for each property:
//!
//! ```
//! # extern crate vextir_core as vextir;
//! mod conformance {
//!     vextir::testkit::bus_conformance!(|| async { vextir::MemoryBus::new() });
//! }
//! ```
//!
//! Some promises need something that the contract has no call for: to die and come back, a small backlog,
//! retention that removes. Implement [`BusUnderTest`] to have them checked too; a property that asks for what
//! the subject cannot do is skipped.
//!
//! [`run`] checks everything in one go and names each promise that is broken.

mod append;
mod branch;
mod flow;
mod lease;
mod life;
mod load;
mod operate;
mod parked;
mod read;
mod reserve;
mod settle;
mod tools;
mod unclaimed;
mod work;

pub use tools::{Broken, Outcome};
pub(super) use tools::{holds, judged, present, refused, same, soon};

use crate::EventBus;
use async_trait::async_trait;
use std::future::Future;
use std::sync::Arc;

/// A bus to be proved, and what can be done with it beside the contract.
#[async_trait]
pub trait BusUnderTest: Send + Sync + Sized + 'static {
    /// A handle on the bus.
    fn bus(&self) -> Arc<dyn EventBus>;

    /// The bus as the next process finds it, after this one was killed where it stands. Every handle but this
    /// one is gone. `None`: it cannot be tried.
    async fn reopen(self) -> Option<Self> {
        None
    }

    /// Another, empty bus that takes `backlog` open deliveries before it says busy. `None`: it has no such
    /// limit.
    async fn with_backlog(&self, _backlog: usize) -> Option<Self> {
        None
    }

    /// Another, empty bus whose retention removes the oldest events, soon after some megabytes of them at
    /// the latest. `None`: it removes nothing.
    async fn forgetful(&self) -> Option<Self> {
        None
    }
}

#[async_trait]
impl<B: EventBus + Clone> BusUnderTest for B {
    fn bus(&self) -> Arc<dyn EventBus> {
        Arc::new(self.clone())
    }
}

properties! {
    BusUnderTest;
    append:
        a_command_is_applied_whole_or_not_at_all
        an_id_is_stored_once
        an_id_with_other_content_is_refused
        a_foreign_id_belongs_to_its_user
        an_emitters_key_names_one_event
        the_bus_gives_missing_ids_and_times
        checkpoints_land_with_their_events
        audit_is_kept_in_order;
    read:
        the_log_is_read_in_commit_order
        a_filter_leaves_nothing_out
        pages_follow_each_other
        find_answers_with_the_logged_event
        cursors_tell_logs_apart
        streams_show_everything_once
        retention_is_a_gap_and_not_silence
        what_retention_removed_is_not_routed
        status_and_chores_follow_the_commits;
    work:
        deliveries_are_received_once_and_in_order
        what_was_made_before_attach_is_pending
        unrouted_events_are_routed_once
        a_logged_event_that_is_held_keeps_its_place
        a_delivery_keeps_its_failed_attempts
        a_reclaim_is_counted
        drivers_are_known;
    settle:
        success_is_one_commit
        a_refused_settlement_leaves_nothing
        changes_of_documents_land_with_their_settlement
        changes_of_an_eager_handler_land_with_its_event
        a_delivery_is_settled_once
        a_dead_delivery_is_a_letter
        an_output_known_by_its_own_id_is_not_doubled
        eager_settlements_land_with_their_event;
    lease:
        a_ledger_counts_its_tree
        other_units_are_recorded_beyond_their_limit
        a_tree_at_its_limit_is_held_and_says_so_once
        an_extension_lets_held_events_go
        an_extension_that_does_not_suffice_changes_no_order
        a_delayed_event_draws_when_it_begins_to_wait
        the_kernels_own_events_draw_nothing;
    reserve:
        a_reservation_counts_until_its_delivery_is_over
        a_reservation_survives
        whatever_ends_a_delivery_gives_back
        a_tree_that_cannot_pay_is_held_until_it_can
        an_event_that_is_routed_later_reserves_then;
    branch:
        a_branch_ends_when_everything_in_it_is_over
        a_branch_that_nobody_handles_ends_at_once
        a_branch_counts_in_the_branch_around_it
        a_branch_tells_what_failed
        the_end_of_a_branch_comes_in_turn
        a_branch_survives
        a_planted_tree_has_a_ledger_of_its_own
        a_branch_that_is_over_is_told_of_again
        a_cancelled_branch_is_told_where_it_is_a_tree
        a_branch_that_its_driver_cancels_ends_at_once
        a_branch_is_cancelled_by_its_driver_alone
        what_is_held_in_a_branch_is_told;
    flow:
        what_is_over_its_rate_is_logged_and_not_delivered
        a_refused_command_counts_for_no_rate
        a_debounced_delivery_takes_the_place_of_the_earlier
        a_singleton_is_alone_until_it_is_over
        a_batch_is_settled_as_a_whole
        a_count_is_forgotten_when_it_matters_no_more;
    operate:
        cancel_drops_what_waits
        an_operators_act_is_audited_with_it
        a_settlement_after_cancel_drops_its_outputs
        redrive_makes_new_deliveries_at_the_tail
        a_letter_of_a_cancelled_tree_is_not_redriven
        a_letter_keeps_the_ledger_of_its_tree
        discarded_letters_are_forgotten;
    parked:
        delayed_events_wait_in_the_order_of_their_time
        a_release_happens_once
        a_dropped_release_frees_the_ledger
        held_events_are_found_by_what_they_belong_to
        events_wait_behind_a_held_one_of_their_key
        a_delayed_event_that_is_held_when_it_is_due_waits_behind_the_others;
    unclaimed:
        what_is_unclaimed_is_no_backlog
        a_claimed_delivery_is_as_it_was
        what_is_unclaimed_can_be_dropped
        what_is_unclaimed_is_bounded
        what_is_unclaimed_survives;
    life:
        one_processor_at_a_time
        an_orderly_stop_is_told_from_a_crash
        an_abandoned_bus_is_free
        what_ran_alone_is_remembered
        everything_survives_when_the_bus_is_durable;
    load:
        a_full_backlog_is_busy
        what_waits_is_bounded_and_counted_by_who_made_it
        what_waits_behind_a_key_is_bounded_too
        commits_from_many_tasks_are_all_there_in_order
        a_listing_is_short_only_at_its_end
        one_settlement_of_many_wins
        a_dropped_commit_is_whole_or_nothing;
}

/// Writes one `#[tokio::test]` for each property of the bus contract.
///
/// Takes an expression that gives a future of a fresh bus each time that it is called: a bus that is `Clone`,
/// or any [`BusUnderTest`](crate::testkit::conformance::BusUnderTest). Put it into a module of its own; the
/// crate needs tokio with `macros` and `rt-multi-thread` among its dev-dependencies.
#[doc(hidden)]
#[macro_export]
macro_rules! __bus_conformance {
    (@tests [$make:expr] $($name:ident)*) => {
        $(
            #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let outcome = $crate::testkit::conformance::$name(($make)().await).await;
                if let Err(broken) = outcome {
                    panic!("{broken}");
                }
            }
        )*

        #[test]
        fn each_property_has_a_test() {
            assert_eq!([$(stringify!($name)),*], $crate::testkit::conformance::PROPERTIES);
        }
    };
    ($make:expr) => {
        $crate::__bus_conformance! { @tests [$make]
            a_command_is_applied_whole_or_not_at_all an_id_is_stored_once an_id_with_other_content_is_refused
            a_foreign_id_belongs_to_its_user an_emitters_key_names_one_event
            the_bus_gives_missing_ids_and_times checkpoints_land_with_their_events audit_is_kept_in_order
            the_log_is_read_in_commit_order a_filter_leaves_nothing_out pages_follow_each_other
            find_answers_with_the_logged_event cursors_tell_logs_apart streams_show_everything_once
            retention_is_a_gap_and_not_silence what_retention_removed_is_not_routed status_and_chores_follow_the_commits
            deliveries_are_received_once_and_in_order what_was_made_before_attach_is_pending
            unrouted_events_are_routed_once a_logged_event_that_is_held_keeps_its_place a_delivery_keeps_its_failed_attempts a_reclaim_is_counted
            drivers_are_known success_is_one_commit a_refused_settlement_leaves_nothing
            changes_of_documents_land_with_their_settlement changes_of_an_eager_handler_land_with_its_event
            a_delivery_is_settled_once a_dead_delivery_is_a_letter an_output_known_by_its_own_id_is_not_doubled
            eager_settlements_land_with_their_event a_ledger_counts_its_tree
            other_units_are_recorded_beyond_their_limit a_tree_at_its_limit_is_held_and_says_so_once
            an_extension_lets_held_events_go an_extension_that_does_not_suffice_changes_no_order
            a_delayed_event_draws_when_it_begins_to_wait the_kernels_own_events_draw_nothing
            a_reservation_counts_until_its_delivery_is_over a_reservation_survives whatever_ends_a_delivery_gives_back
            a_tree_that_cannot_pay_is_held_until_it_can an_event_that_is_routed_later_reserves_then
            a_branch_ends_when_everything_in_it_is_over a_branch_that_nobody_handles_ends_at_once
            a_branch_counts_in_the_branch_around_it a_branch_tells_what_failed the_end_of_a_branch_comes_in_turn a_branch_survives
            a_planted_tree_has_a_ledger_of_its_own a_branch_that_is_over_is_told_of_again
            a_cancelled_branch_is_told_where_it_is_a_tree
            a_branch_that_its_driver_cancels_ends_at_once
            a_branch_is_cancelled_by_its_driver_alone
            what_is_held_in_a_branch_is_told
            what_is_over_its_rate_is_logged_and_not_delivered a_refused_command_counts_for_no_rate
            a_debounced_delivery_takes_the_place_of_the_earlier a_singleton_is_alone_until_it_is_over
            a_batch_is_settled_as_a_whole a_count_is_forgotten_when_it_matters_no_more
            cancel_drops_what_waits
            an_operators_act_is_audited_with_it
            a_settlement_after_cancel_drops_its_outputs redrive_makes_new_deliveries_at_the_tail
            a_letter_of_a_cancelled_tree_is_not_redriven a_letter_keeps_the_ledger_of_its_tree discarded_letters_are_forgotten delayed_events_wait_in_the_order_of_their_time
            a_release_happens_once a_dropped_release_frees_the_ledger
            held_events_are_found_by_what_they_belong_to
            events_wait_behind_a_held_one_of_their_key
            a_delayed_event_that_is_held_when_it_is_due_waits_behind_the_others what_is_unclaimed_is_no_backlog
            a_claimed_delivery_is_as_it_was what_is_unclaimed_can_be_dropped what_is_unclaimed_is_bounded
            what_is_unclaimed_survives one_processor_at_a_time
            an_orderly_stop_is_told_from_a_crash an_abandoned_bus_is_free what_ran_alone_is_remembered
            everything_survives_when_the_bus_is_durable a_full_backlog_is_busy what_waits_is_bounded_and_counted_by_who_made_it
            what_waits_behind_a_key_is_bounded_too
            commits_from_many_tasks_are_all_there_in_order a_listing_is_short_only_at_its_end one_settlement_of_many_wins
            a_dropped_commit_is_whole_or_nothing
        }
    };
}
