//! What a run ran on: machine, kernel, CPUs, clock and build, kept in every report.
//!
//! A figure without its machine cannot be compared with anything. All of this is read from `/proc` and `/sys`;
//! a file that is missing or reads otherwise than expected leaves its field empty, because no run should fail
//! for want of a description. The parsers are pure functions of the files' text.

use std::fs;

use serde::{Deserialize, Serialize};

/// The machine, system and build of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// The machine itself.
    pub machine: Machine,
    /// Name and release of the kernel, such as `Linux 6.18.44`.
    pub kernel: Option<String>,
    /// Its CPUs, and those that this process may use.
    pub cpus: Cpus,
    /// The runtime asked for and the one that served.
    pub runtime: RuntimeUsed,
    /// The kernel's clock source: `tsc` is read without a system call, others cost more.
    pub clock: Option<String>,
    /// Version of the program.
    pub version: String,
    /// `release`, or `debug` where assertions are compiled in.
    pub build_profile: String,
}

/// Name, memory and processor of a machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Host name.
    pub hostname: Option<String>,
    /// Processor as its maker names it.
    pub cpu_model: Option<String>,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
}

/// Numbers of CPUs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cpus {
    /// CPUs that are online.
    pub online: Vec<usize>,
    /// CPUs in this process's affinity mask.
    pub allowed: Vec<usize>,
}

/// Which runtime was wanted, and which one it came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeUsed {
    /// As asked for: `auto` or a name.
    pub asked: String,
    /// The one used.
    pub used: String,
    /// Why io_uring was not used although it was wanted.
    pub fallback: Option<String>,
}

/// Memory of this machine, in bytes.
pub fn memory_bytes() -> Option<u64> {
    read("/proc/meminfo").as_deref().and_then(|text| kib_field(text, "MemTotal"))
}

impl Environment {
    /// Describes this machine and build.
    pub fn gather(runtime: RuntimeUsed) -> Self {
        let status = read("/proc/self/status");
        let kernel = read("/proc/sys/kernel/osrelease").map(|release| format!("Linux {release}"));
        Self {
            machine: Machine {
                hostname: read("/proc/sys/kernel/hostname"),
                cpu_model: read("/proc/cpuinfo").as_deref().and_then(cpu_model),
                memory_bytes: memory_bytes(),
            },
            kernel,
            cpus: Cpus {
                online: read("/sys/devices/system/cpu/online")
                    .as_deref()
                    .and_then(cpu_list)
                    .unwrap_or_default(),
                allowed: status
                    .as_deref()
                    .and_then(|text| field(text, "Cpus_allowed_list"))
                    .and_then(cpu_list)
                    .unwrap_or_default(),
            },
            runtime,
            clock: read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            build_profile: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
        }
    }
}

/// What the generator's own process used, beyond what its shards report.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GeneratorUsage {
    /// Most memory resident at once, in bytes.
    pub rss_bytes_max: Option<u64>,
    /// CPU time of the machine that its hypervisor gave to others, in per cent.
    pub cpu_steal_percent: Option<f64>,
}

impl GeneratorUsage {
    /// Usage up to now; `steal` was started when the run was.
    pub fn measure(steal: &StealSampler) -> Self {
        let status = read("/proc/self/status");
        Self {
            rss_bytes_max: status.as_deref().and_then(|text| kib_field(text, "VmHWM")),
            cpu_steal_percent: steal.percent(),
        }
    }
}

/// Compares the machine's CPU times now with those at the start.
#[derive(Clone, Copy, Debug)]
pub struct StealSampler {
    start: Option<CpuTimes>,
}

impl StealSampler {
    /// Takes the first sample.
    pub fn start() -> Self {
        Self { start: read("/proc/stat").as_deref().and_then(cpu_times) }
    }

    /// Stolen time since the start, in per cent of all CPU time.
    pub fn percent(&self) -> Option<f64> {
        let now = read("/proc/stat").as_deref().and_then(cpu_times)?;
        stolen_percent(self.start?, now)
    }
}

/// CPU times of the whole machine since boot, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CpuTimes {
    total: u64,
    steal: u64,
}

/// Content of a file without the white space around it; `None` when it cannot be read or holds nothing.
fn read(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The value of the first line `name: value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

/// The value of a line `name:   1234 kB`, in bytes.
fn kib_field(text: &str, name: &str) -> Option<u64> {
    field(text, name)?.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1_024)
}

/// The processor's name: `model name` on x86, `Model` or `Processor` on some others.
fn cpu_model(cpuinfo: &str) -> Option<String> {
    ["model name", "Model", "Processor"]
        .into_iter()
        .find_map(|name| field(cpuinfo, name))
        .map(str::to_owned)
}

/// A list of CPUs as the kernel writes it: `0-3,8,10-11`.
fn cpu_list(text: &str) -> Option<Vec<usize>> {
    let mut cpus = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        cpus.extend(first..=last);
    }
    Some(cpus)
}

/// The `cpu` line of `/proc/stat` (proc_stat(5)): user nice system idle iowait irq softirq steal guest guest_nice.
fn cpu_times(stat: &str) -> Option<CpuTimes> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
    // Guest times are already part of user and nice.
    Some(CpuTimes { total: ticks.iter().take(8).sum(), steal: *ticks.get(7)? })
}

fn stolen_percent(start: CpuTimes, end: CpuTimes) -> Option<f64> {
    let total = end.total.checked_sub(start.total).filter(|&ticks| ticks > 0)?;
    let steal = end.steal.checked_sub(start.steal)?;
    Some(100.0 * steal as f64 / total as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tloadr-bench\nVmPeak:\t  225000 kB\nVmHWM:\t   14336 kB\n\
                          Cpus_allowed:\t0f\nCpus_allowed_list:\t0-1,3\n";
    const CPUINFO: &str = "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 9R14\n\
                           processor\t: 1\nmodel name\t: AMD EPYC 9R14\n";

    #[test]
    fn fields_of_proc_files() {
        assert_eq!(kib_field(STATUS, "VmHWM"), Some(14 * 1024 * 1024));
        assert_eq!(field(STATUS, "Cpus_allowed_list"), Some("0-1,3"));
        assert_eq!(kib_field("MemTotal:        4030464 kB\n", "MemTotal"), Some(4_127_195_136));
        assert_eq!(cpu_model(CPUINFO).as_deref(), Some("AMD EPYC 9R14"));
        assert_eq!(
            cpu_model("BogoMIPS : 50\nModel\t: Raspberry Pi 5\n").as_deref(),
            Some("Raspberry Pi 5")
        );
    }

    #[test]
    fn what_is_missing_or_odd_is_none() {
        assert_eq!(kib_field(STATUS, "VmSwap"), None);
        assert_eq!(kib_field("VmHWM: many kB", "VmHWM"), None);
        assert_eq!(kib_field("VmHWM: 12", "VmHWM"), None);
        assert_eq!(cpu_model("processor : 0"), None);
        assert_eq!(cpu_list("0-x"), None);
        assert_eq!(cpu_times("intr 1 2 3"), None);
        assert_eq!(cpu_times("cpu  1 2 3 4"), None);
        assert_eq!(read("/nonexistent/file"), None);
    }

    #[test]
    fn cpu_lists() {
        assert_eq!(cpu_list("0"), Some(vec![0]));
        assert_eq!(cpu_list("0-1,3"), Some(vec![0, 1, 3]));
        assert_eq!(cpu_list("0-3,8,10-11\n"), Some(vec![0, 1, 2, 3, 8, 10, 11]));
    }

    #[test]
    fn steal_is_a_share_of_all_time() {
        let start = cpu_times("cpu  100 0 100 700 0 0 0 100 50 0\ncpu0 1 2 3\n").expect("a sample");
        assert_eq!(start, CpuTimes { total: 1_000, steal: 100 });
        let end = cpu_times("cpu  150 0 150 780 0 0 0 120 50 0\n").expect("a sample");
        assert_eq!(stolen_percent(start, end), Some(10.0));
        assert_eq!(stolen_percent(start, start), None);
        assert_eq!(stolen_percent(end, start), None);
    }

    #[test]
    fn this_machine_is_described() {
        let environment = Environment::gather(RuntimeUsed::default());
        assert!(!environment.cpus.allowed.is_empty());
        assert!(environment.kernel.is_some_and(|kernel| kernel.starts_with("Linux ")));
        assert!(GeneratorUsage::measure(&StealSampler::start()).rss_bytes_max > Some(0));
    }
}
