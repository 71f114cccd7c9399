//! Which CPUs shards run on.

use std::collections::BTreeSet;
use std::thread::available_parallelism;

/// Why shards cannot be placed as asked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// A CPU that this process may not use.
    #[error("CPU {cpu} is not among those this process may use ({allowed:?})")]
    NotAllowed {
        /// The CPU asked for.
        cpu: usize,
        /// The CPUs of the affinity mask.
        allowed: Vec<usize>,
    },
    /// More shards than CPUs named for them.
    #[error(
        "{shards} shards do not fit on {cpus} CPUs: name as many with --cpus, or lower --shards"
    )]
    TooFew {
        /// Shards asked for.
        shards: usize,
        /// CPUs named.
        cpus: usize,
    },
}

/// What this process may use of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    /// CPUs of the affinity mask, ascending.
    pub cpus: Vec<usize>,
    /// CPUs' worth of time that mask and cgroup quota leave, rounded down, at least 1.
    pub parallelism: usize,
}

impl Allowance {
    /// Asks the system: affinity mask and cgroup quota.
    pub fn of_this_process() -> Self {
        let ids = core_affinity::get_core_ids().unwrap_or_default();
        let cpus: BTreeSet<usize> = ids.into_iter().map(|core| core.id).collect();
        // The standard library reads both the mask and the quotas of cgroups v1 and v2.
        let parallelism = available_parallelism().map_or(1, usize::from);
        Self { cpus: cpus.into_iter().collect(), parallelism }
    }
}

/// What the user asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlacementRequest {
    /// Number of shards.
    pub shards: Option<usize>,
    /// CPUs to use, in order.
    pub cpus: Option<Vec<usize>>,
    /// The target shares this machine and needs a CPU of its own.
    pub target_is_local: bool,
}

/// Decides the CPU of each shard; `None` leaves a shard unpinned, where there are more shards than CPUs.
///
/// By default there is a shard for each CPU, less one when the target is local: the last CPU is left to the target.
///
/// # Errors
/// When CPUs were named that do not exist for this process, or too few of them.
pub fn place(
    request: &PlacementRequest,
    allowance: &Allowance,
) -> Result<Vec<Option<usize>>, PlacementError> {
    if let Some(cpus) = &request.cpus {
        return place_on(cpus, request.shards, allowance);
    }
    let usable = allowance.parallelism.min(allowance.cpus.len().max(1));
    let by_default = usable.saturating_sub(usize::from(request.target_is_local)).max(1);
    let shards = request.shards.unwrap_or(by_default);
    // Pinned only where each has a CPU to itself: two shards pinned to one CPU would starve while another idles.
    let pinned = shards <= allowance.cpus.len();
    Ok((0..shards).map(|index| if pinned { Some(allowance.cpus[index]) } else { None }).collect())
}

fn place_on(
    cpus: &[usize],
    shards: Option<usize>,
    allowance: &Allowance,
) -> Result<Vec<Option<usize>>, PlacementError> {
    if let Some(&cpu) = cpus.iter().find(|cpu| !allowance.cpus.contains(cpu)) {
        return Err(PlacementError::NotAllowed { cpu, allowed: allowance.cpus.clone() });
    }
    let shards = shards.unwrap_or(cpus.len());
    if shards > cpus.len() {
        return Err(PlacementError::TooFew { shards, cpus: cpus.len() });
    }
    Ok(cpus.iter().take(shards).copied().map(Some).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eight() -> Allowance {
        Allowance { cpus: (0..8).collect(), parallelism: 8 }
    }

    fn ask(
        shards: Option<usize>,
        cpus: Option<Vec<usize>>,
        target_is_local: bool,
    ) -> PlacementRequest {
        PlacementRequest { shards, cpus, target_is_local }
    }

    #[test]
    fn a_local_target_keeps_the_last_cpu() {
        let placed = place(&ask(None, None, true), &eight()).unwrap();
        assert_eq!(placed, (0..7).map(Some).collect::<Vec<_>>());
        assert_eq!(place(&ask(None, None, false), &eight()).unwrap().len(), 8);
    }

    #[test]
    fn a_quota_limits_the_shards() {
        let allowance = Allowance { parallelism: 2, ..eight() };
        assert_eq!(place(&ask(None, None, false), &allowance).unwrap(), [Some(0), Some(1)]);
    }

    #[test]
    fn a_single_cpu_is_shared_with_the_target() {
        let allowance = Allowance { cpus: vec![3], parallelism: 1 };
        assert_eq!(place(&ask(None, None, true), &allowance).unwrap(), [Some(3)]);
    }

    #[test]
    fn more_shards_than_cpus_stay_unpinned() {
        let allowance = Allowance { cpus: vec![0, 1], parallelism: 2 };
        assert_eq!(place(&ask(Some(3), None, false), &allowance).unwrap(), [None, None, None]);
    }

    #[test]
    fn named_cpus_are_taken_in_order() {
        let placed = place(&ask(Some(2), Some(vec![5, 2, 3]), true), &eight());
        assert_eq!(placed.unwrap(), [Some(5), Some(2)]);
    }

    #[test]
    fn impossible_wishes_are_refused_with_figures() {
        let refused = place(&ask(None, Some(vec![9]), false), &eight());
        assert!(matches!(refused, Err(PlacementError::NotAllowed { cpu: 9, .. })));
        let refused = place(&ask(Some(3), Some(vec![1]), false), &eight());
        assert_eq!(refused, Err(PlacementError::TooFew { shards: 3, cpus: 1 }));
    }
}
