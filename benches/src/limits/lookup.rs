//! Routing at its best: one hit in a hash map.

use std::collections::HashMap;
use std::hint::black_box;

use crate::Result;
use crate::measurement::{Measurement, Unit};
use crate::trial::Trial;

/// The standard map, from an event type to the drivers that handle it.
pub(crate) fn hash_hit(trial: &Trial) -> Result<Vec<Measurement>> {
    let types: Vec<String> = (0..1_000).map(|number| format!("service{number}.issue.created")).collect();
    let routes: HashMap<&str, u32> = types.iter().map(String::as_str).zip(0..).collect();
    let rate = trial.rate(|| {
        let mut found = 0;
        for name in &types {
            found += u64::from(black_box(routes.get(black_box(name.as_str()))).is_some());
        }
        Ok(found)
    })?;
    Ok(vec![Measurement::new("limit_hash_hit", Unit::Nanoseconds, 1e9 / rate)])
}
