//! How a batch comes together.

use super::{Job, Writer};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;

/// The most commands in one transaction.
pub(super) const BATCH: usize = 2_048;

/// How long the writer waits, when it has nothing else to do, for one task to wake the others.
const RELAY: Duration = Duration::from_micros(50);

/// How long nothing may come before a batch counts as complete.
const STILL: Duration = Duration::from_micros(8);

impl Writer<'_> {
    /// Waits for jobs; tidies up while there are none. False when the hub was dropped.
    pub(super) fn gather(&mut self, jobs: &mut Receiver<Job>, gathered: &mut Vec<Job>) -> bool {
        while gathered.is_empty() {
            if self.is_untidy() {
                match jobs.try_recv() {
                    Ok(job) => gathered.push(job),
                    Err(TryRecvError::Disconnected) => return false,
                    Err(TryRecvError::Empty) => self.tidy(),
                }
                continue;
            }
            self.look_out(jobs);
            match self.sleep(jobs, gathered) {
                Some(0) => return false,
                Some(_) => {}
                None => self.retain_by_now(),
            }
        }
        self.wait_for_company(jobs, gathered);
        true
    }

    /// Sleeps until there are jobs, and says how many, none if the hub was dropped. `None` when retention wants to
    /// look before.
    fn sleep(&self, jobs: &mut Receiver<Job>, gathered: &mut Vec<Job>) -> Option<usize> {
        let mut cx = Context::from_waker(&self.waker);
        let began = Instant::now();
        let patience = self.retention.rest(self.clock.now());
        loop {
            if let Poll::Ready(count) = jobs.poll_recv_many(&mut cx, gathered, BATCH) {
                return Some(count);
            }
            std::thread::park_timeout(patience.checked_sub(began.elapsed())?);
        }
    }

    /// Before the writer sleeps: everybody must know of the answers that are there. Gives the one task that
    /// knows a moment to tell the others, and looks for a while whether one of them comes back.
    fn look_out(&mut self, jobs: &Receiver<Job>) {
        let linger = self.window.linger();
        let began = Instant::now();
        while jobs.is_empty() {
            let waited = began.elapsed();
            if waited > RELAY {
                self.relay.pass_on();
            }
            if waited > linger && self.relay.is_over() {
                break;
            }
            std::thread::yield_now();
        }
        if !linger.is_zero() {
            self.window.learn_linger(!jobs.is_empty());
        }
    }

    /// Those who were answered together tend to come back together: takes them in while they come.
    fn wait_for_company(&mut self, jobs: &mut Receiver<Job>, gathered: &mut Vec<Job>) {
        // Half of them: the others come while these are written, so that neither side waits for the other.
        let expected = self.window.expected().div_ceil(2);
        let patience = self.window.patience();
        let began = Instant::now();
        let mut grown = began;
        loop {
            let before = gathered.len();
            while gathered.len() < BATCH
                && let Ok(job) = jobs.try_recv()
            {
                gathered.push(job);
            }
            if gathered.len() >= expected {
                return;
            }
            let now = Instant::now();
            if gathered.len() > before {
                grown = now;
            }
            if now - grown > STILL || now - began > patience {
                break;
            }
            std::thread::yield_now();
        }
        if let Some(wait) = self.window.wait(gathered.len()) {
            std::thread::sleep(wait);
            while gathered.len() < BATCH
                && let Ok(job) = jobs.try_recv()
            {
                gathered.push(job);
            }
        }
    }
}
