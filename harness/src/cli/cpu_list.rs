//! Lists of CPUs as `taskset` and cgroups write them: `0,2-3`.

use std::str::FromStr;

/// CPUs in the order given, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CpuList(pub(crate) Vec<usize>);

/// What is wrong with a list of CPUs.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CpuListError {
    #[error("'{0}' is no CPU or range of CPUs: write 0,2-3")]
    Malformed(String),
    #[error("CPU {0} is named twice")]
    Repeated(usize),
    #[error("CPU {0} is more than any machine has")]
    TooHigh(usize),
}

/// Highest CPU number accepted; a range must not be able to fill the memory.
const CPU_MAX: usize = 65_535;

impl FromStr for CpuList {
    type Err = CpuListError;

    fn from_str(text: &str) -> Result<Self, CpuListError> {
        let mut cpus = Vec::new();
        for part in text.split(',') {
            let (first, last) = parse_range(part)?;
            for cpu in first..=last {
                if cpus.contains(&cpu) {
                    return Err(CpuListError::Repeated(cpu));
                }
                cpus.push(cpu);
            }
        }
        Ok(Self(cpus))
    }
}

fn parse_range(part: &str) -> Result<(usize, usize), CpuListError> {
    let malformed = || CpuListError::Malformed(part.to_owned());
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let first: usize = first.trim().parse().map_err(|_| malformed())?;
    let last: usize = last.trim().parse().map_err(|_| malformed())?;
    match last {
        _ if first > last => Err(malformed()),
        _ if last > CPU_MAX => Err(CpuListError::TooHigh(last)),
        _ => Ok((first, last)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_cpus_and_ranges_read() {
        assert_eq!("0,2-4,9".parse(), Ok(CpuList(vec![0, 2, 3, 4, 9])));
        assert_eq!("3".parse(), Ok(CpuList(vec![3])));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "a", "1-", "3-1", "-1", "1,,2"] {
            assert!(matches!(text.parse::<CpuList>(), Err(CpuListError::Malformed(_))), "{text}");
        }
        assert_eq!("1,0-2".parse::<CpuList>(), Err(CpuListError::Repeated(1)));
        assert_eq!("0-99999999".parse::<CpuList>(), Err(CpuListError::TooHigh(99_999_999)));
    }
}
