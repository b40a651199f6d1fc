//! What this process and this machine use, as the system counts it.

use std::fs;

use rustix::time::{ClockId, clock_gettime};

use crate::Result;

/// How large the machine is, and how busy it was in the last minutes. The rounds themselves make it about as busy as
/// it has cores; more than that was somebody else.
pub(crate) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let averages: Vec<&str> = load.split_whitespace().take(3).collect();
    format!("{cores} cores, load {}", averages.join(" "))
}

/// Memory that is in use now, in MiB.
pub(crate) fn resident_mebibytes() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes / 1_024.0)
}

/// Processor time of all threads, ended ones too, in milliseconds.
pub(crate) fn cpu_milliseconds() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as f64 * 1e3 + used.tv_nsec as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;
    use std::time::{Duration, Instant};

    #[test]
    fn work_costs_processor_time_and_memory() -> Result<()> {
        let (cpu, resident) = (cpu_milliseconds(), resident_mebibytes()?);
        let memory = vec![1_u8; 64 << 20];
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(50) {
            black_box(&memory);
        }
        assert!(cpu_milliseconds() > cpu);
        assert!(resident_mebibytes()? > resident + 32.0);
        Ok(())
    }
}
