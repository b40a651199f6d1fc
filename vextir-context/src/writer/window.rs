//! How long a batch waits for company.

use std::time::Duration;

/// Below this, a commit is so quick that waiting costs more than it gains.
const QUICK: Duration = Duration::from_millis(1);

/// How long the writer stays awake after a batch, in the hope for another one.
const LINGER: Duration = Duration::from_micros(100);

/// So many times in a row in vain; after that, one time in so many.
const PATIENT: u32 = 4;
const RARELY: u32 = 32;

/// The longest wait.
const LONGEST: Duration = Duration::from_micros(500);

/// Learns from the last commits. On a quick disk a batch never waits: the next one gathers while this one
/// syncs. On a slow one it waits for about a tenth of a commit, and only while there are several emitters.
#[derive(Debug, Default)]
pub(super) struct Window {
    commit: Duration,
    batch: usize,
    /// How often in a row the writer stayed awake for nothing.
    in_vain: u32,
}

impl Window {
    /// Notes how long a commit took and how many commands it held.
    pub(super) fn learn(&mut self, commit: Duration, batch: usize) {
        self.commit = (self.commit * 3 + commit) / 4;
        self.batch = batch;
    }

    /// How many commands the last batch had: as many may come again.
    pub(super) fn expected(&self) -> usize {
        self.batch
    }

    /// How long to take in what keeps coming.
    pub(super) fn patience(&self) -> Duration {
        (self.commit / 2).min(LONGEST)
    }

    /// How long to stay awake for the next command after a batch. Waking the writer takes about as long as an
    /// emitter that was just answered takes to come back. It is worth nothing where they come more slowly: then
    /// it is only tried now and again.
    pub(super) fn linger(&mut self) -> Duration {
        if self.in_vain < PATIENT || self.in_vain.is_multiple_of(RARELY) {
            return LINGER;
        }
        self.in_vain = self.in_vain.wrapping_add(1);
        Duration::ZERO
    }

    /// Notes whether it was worth it.
    pub(super) fn learn_linger(&mut self, came: bool) {
        self.in_vain = if came { 0 } else { self.in_vain.wrapping_add(1) };
    }

    /// How long to wait for more, when `gathered` commands are there.
    pub(super) fn wait(&self, gathered: usize) -> Option<Duration> {
        let alone = self.batch < 2 && gathered < 2;
        if alone || self.commit < QUICK || gathered >= self.batch.saturating_mul(2) {
            return None;
        }
        Some((self.commit / 10).min(LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(commit: Duration, batch: usize) -> Window {
        let mut window = Window::default();
        (0..32).for_each(|_| window.learn(commit, batch));
        window
    }

    #[test]
    fn a_quick_disk_never_waits() {
        assert_eq!(window(Duration::from_micros(200), 64).wait(4), None);
    }

    #[test]
    fn staying_awake_in_vain_becomes_rare_until_it_is_worth_it() {
        let mut window = Window::default();
        let mut stays = 0;
        for _ in 0..320 {
            if !window.linger().is_zero() {
                stays += 1;
                window.learn_linger(false);
            }
        }
        assert_eq!(stays, 4 + 9);
        while window.linger().is_zero() {}
        window.learn_linger(true);
        assert_eq!(window.linger(), LINGER);
    }

    #[test]
    fn a_slow_disk_waits_a_tenth_but_not_for_one_emitter() {
        let wait = window(Duration::from_millis(3), 64).wait(4).unwrap();
        assert!(wait > Duration::from_micros(250) && wait <= Duration::from_micros(300), "{wait:?}");
        assert_eq!(window(Duration::from_secs(1), 64).wait(4), Some(LONGEST));
        assert_eq!(window(Duration::from_millis(3), 1).wait(1), None);
    }
}
