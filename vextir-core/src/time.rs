//! Points in time, and the clock that all of the kernel's time goes through.

use crate::{Error, Result};
use async_trait::async_trait;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// A point in time: microseconds since the Unix epoch, in UTC. Prints and parses as RFC 3339.
///
/// The epoch itself stands for "not stamped yet".
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir::Timestamp;
///
/// let noon: Timestamp = "2025-06-15T14:00:00+02:00".parse()?;
/// assert_eq!(noon.to_string(), "2025-06-15T12:00:00Z");
/// # Ok::<(), vextir::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// "Not stamped yet": the Unix epoch.
    pub const UNSET: Self = Self(0);
    /// The last representable moment (9999-12-30).
    pub const MAX: Self = Self(253_402_207_200_999_999);

    /// From microseconds since the epoch; clamped to the years 0 to 9999.
    #[must_use]
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(-62_167_132_800_000_000, Self::MAX.0))
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the epoch.
    #[must_use]
    pub fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Whether nobody stamped it yet.
    #[must_use]
    pub fn is_unset(self) -> bool {
        self == Self::UNSET
    }

    /// Later by `span`; stops at [`Timestamp::MAX`].
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// Earlier by `span`.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_sub(micros))
    }

    /// How long after `earlier` this is; zero when it is before it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(stamp) => stamp.fmt(f),
            Err(_) => write!(f, "@{}us", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let stamp: jiff::Timestamp = text.parse().map_err(|error| {
            Error::invalid(format!("time {text:?}: {error}; write RFC 3339, as in 2025-06-15T12:00:00Z"))
        })?;
        Ok(Self::from_micros(stamp.as_microsecond()))
    }
}

impl TryFrom<&str> for Timestamp {
    type Error = Error;
    fn try_from(text: &str) -> Result<Self> {
        text.parse()
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Where the kernel's time comes from. All waiting and stamping goes through it.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The wall clock. It may jump back; the kernel copes.
    fn now(&self) -> Timestamp;
    /// Resolves after `span` has passed. Dropping the future gives up the wait.
    async fn sleep(&self, span: Duration);
}

/// The system's clock and tokio's timer.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::UNSET.after(since)
    }

    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

/// A clock that stands still until a test moves it.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use std::time::Duration;
/// use vextir::{Clock, ManualClock};
///
/// let clock = ManualClock::at("2025-06-15T12:00:00Z")?;
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().to_string(), "2025-06-15T12:01:00Z");
/// # Ok::<(), vextir::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<Manual>>);

#[derive(Debug)]
struct Manual {
    now: Timestamp,
    /// Time that only moves forward; waits end on it, so that a wall clock that jumps back delays nobody.
    elapsed: Duration,
    sleepers: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
    next: u64,
}

impl ManualClock {
    /// A clock that stands at an RFC 3339 time.
    ///
    /// # Errors
    /// The text is not RFC 3339.
    pub fn at(time: &str) -> Result<Self> {
        Ok(Self::starting(time.parse()?))
    }

    /// A clock that stands at `now`.
    #[must_use]
    pub fn starting(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Manual {
            now,
            elapsed: Duration::ZERO,
            sleepers: BTreeMap::new(),
            next: 0,
        })))
    }

    /// Moves time forward and wakes who waited for it.
    pub fn advance(&self, span: Duration) {
        let mut manual = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        manual.now = manual.now.after(span);
        manual.elapsed += span;
        let past = (manual.elapsed + Duration::from_nanos(1), 0);
        let later = manual.sleepers.split_off(&past);
        for (_, sleeper) in std::mem::replace(&mut manual.sleepers, later) {
            let _ = sleeper.send(());
        }
    }

    /// Sets the wall clock back (or forward) without waking anybody: a jump, as NTP makes it.
    pub fn jump(&self, to: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).now = to;
    }

    /// How long until the earliest sleeper wakes, if one waits.
    #[must_use]
    pub fn until_next(&self) -> Option<Duration> {
        let mut manual = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        manual.sleepers.retain(|_, sleeper| !sleeper.is_closed());
        let (due, _) = *manual.sleepers.keys().next()?;
        Some(due.saturating_sub(manual.elapsed))
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).now
    }

    async fn sleep(&self, span: Duration) {
        if span.is_zero() {
            return;
        }
        let woken = {
            let mut manual = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let (send, receive) = oneshot::channel();
            let key = (manual.elapsed + span, manual.next);
            manual.next += 1;
            manual.sleepers.insert(key, send);
            receive
        };
        let _ = woken.await;
    }
}

/// `30s`, `5m`, `1h 30m`: how spans stand in manifests.
pub(crate) mod span {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub(crate) fn serialize<S: Serializer>(
        span: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(span.unwrap_or_default()))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Duration>, D::Error> {
        let Some(text) = Option::<String>::deserialize(source)? else { return Ok(None) };
        humantime::parse_duration(&text).map(Some).map_err(|error| {
            serde::de::Error::custom(format!("duration {text:?}: {error}; write 30s, 5m or 2h"))
        })
    }
}
