//! Response times in the buckets of an HDR histogram, with memory only where samples fall.
//!
//! The layout is that of `hdrhistogram` 7 for 1 us to 1 h at 3 significant digits: 23,552 buckets, exact to the
//! microsecond below 2,048 us and to one part in 1,024 above. Flat, that is 188 KB; three buffers of it for
//! 5,000 names would be 2.8 GB a shard. Here the buckets lie in 368 pages of 64 counters that are taken from a
//! growing store on first touch, so a histogram costs 96 bytes until its first sample, then 736 bytes for its
//! page table and 512 for each page touched: response times from 0.1 to 1 ms fill at most 15 pages, and each
//! further doubling 16. Clearing gives the pages back to the histogram's own store, so it costs the page table and
//! nothing a bucket, and memory follows what one interval touches, not all that a run ever did.
//!
//! Recording takes less than 3 ns on a 2.6 GHz core. Beside the buckets it keeps count, sum, least and greatest,
//! exact in nanoseconds.

use std::fmt;
use std::hint::cold_path;

/// The longest response time that is told apart from longer ones: one hour.
const HIGHEST_US: u64 = 3_600_000_000;
const HIGHEST_NS: u64 = HIGHEST_US * 1_000;
const SIGNIFICANT_DIGITS: u8 = 3;
/// Below `2 << 10` microseconds a bucket is one microsecond wide; each doubling after that has `1 << 10` buckets.
const HALF_BITS: u32 = 10;
const BUCKETS: usize = 23 << HALF_BITS;

const PAGE_BUCKETS: usize = 64;
const PAGES: usize = BUCKETS / PAGE_BUCKETS;
/// In the page table: no page yet. Past the end of any page store, so one bounds check tells both.
const UNTOUCHED: u16 = u16::MAX;

type Page = [u64; PAGE_BUCKETS];

/// A histogram of durations, 1 us to 1 h at 3 significant digits, counted in pages that appear when touched.
#[derive(Clone)]
pub struct Histogram {
    /// For each page of buckets its position in `pages`; empty until the first sample.
    table: Box<[u16]>,
    /// Pages in the order of their first touch.
    pages: Vec<Page>,
    count: u64,
    clipped: u64,
    sum_ns: u128,
    /// `u64::MAX` while empty.
    min_ns: u64,
    max_ns: u64,
}

impl Histogram {
    /// How many pages cover every bucket: [`reserve_pages`](Self::reserve_pages) of so many rules out allocation.
    pub const PAGES: usize = PAGES;

    /// Counts one duration: in the bucket of its nearest microsecond, and exactly in sum, least and greatest.
    ///
    /// A duration above one hour goes to the bucket of one hour and counts as [`clipped`](Self::clipped).
    #[inline]
    pub fn record_ns(&mut self, ns: u64) {
        let us = if ns <= HIGHEST_NS {
            (ns + 500) / 1_000
        } else {
            cold_path();
            self.clipped += 1;
            HIGHEST_US
        };
        self.count += 1;
        self.sum_ns += u128::from(ns);
        self.min_ns = self.min_ns.min(ns);
        self.max_ns = self.max_ns.max(ns);
        let index = index_of(us);
        let slot = self.slot(index / PAGE_BUCKETS);
        match self.pages.get_mut(slot) {
            Some(page) => page[index % PAGE_BUCKETS] += 1,
            None => self.touch(index / PAGE_BUCKETS)[index % PAGE_BUCKETS] += 1,
        }
    }

    /// Adds everything that `other` recorded; costs only the pages that it touched.
    pub fn add(&mut self, other: &Histogram) {
        self.count += other.count;
        self.clipped += other.clipped;
        self.sum_ns += other.sum_ns;
        self.min_ns = self.min_ns.min(other.min_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
        for (position, theirs) in other.touched() {
            let ours = match self.slot(position) {
                slot if slot < self.pages.len() => &mut self.pages[slot],
                _ => self.touch(position),
            };
            ours.iter_mut().zip(theirs).for_each(|(ours, theirs)| *ours += theirs);
        }
    }

    /// Forgets every sample and keeps the memory, so that as many pages can be touched again without allocating.
    pub fn clear(&mut self) {
        let table = std::mem::take(&mut self.table);
        let pages = std::mem::take(&mut self.pages);
        *self = Histogram { table, pages, ..Histogram::default() };
        self.table.fill(UNTOUCHED);
        self.pages.clear();
    }

    /// Makes room, so that the next `spare` pages to be touched allocate nothing.
    ///
    /// The room is address space until it is touched.
    pub fn reserve_pages(&mut self, spare: usize) {
        if self.table.is_empty() {
            self.table = vec![UNTOUCHED; PAGES].into_boxed_slice();
        }
        self.pages.reserve_exact(spare.min(PAGES - self.pages.len()));
    }

    /// How many pages hold samples.
    pub fn pages_touched(&self) -> usize {
        self.pages.len()
    }

    /// How many durations were recorded.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The exact sum of all durations, in nanoseconds.
    pub fn sum_ns(&self) -> u128 {
        self.sum_ns
    }

    /// The least duration, exact in nanoseconds.
    pub fn min_ns(&self) -> Option<u64> {
        (!self.is_empty()).then_some(self.min_ns)
    }

    /// The greatest duration, exact in nanoseconds, also where it was clipped.
    pub fn max_ns(&self) -> Option<u64> {
        (!self.is_empty()).then_some(self.max_ns)
    }

    /// The mean in nanoseconds, from the exact sum; zero while empty.
    pub fn mean_ns(&self) -> f64 {
        if self.is_empty() { 0.0 } else { self.sum_ns as f64 / self.count as f64 }
    }

    /// How many durations were above one hour and share its bucket.
    pub fn clipped(&self) -> u64 {
        self.clipped
    }

    /// The buckets that hold samples, ascending: the greatest microsecond that falls in each, and its count.
    ///
    /// The greatest is what `hdrhistogram` reports for a quantile that lies in the bucket.
    pub fn recorded(&self) -> impl Iterator<Item = (u64, u64)> {
        self.touched().flat_map(|(position, page)| {
            let indices = position * PAGE_BUCKETS..;
            indices
                .zip(page)
                .filter(|(_, count)| **count > 0)
                .map(|(index, count)| (highest_us(index), *count))
        })
    }

    /// The same samples as a flat histogram of microseconds, for quantiles and for the V2 encoding.
    ///
    /// It allocates 188 KB: make one where a report needs it and let it go.
    pub fn to_hdr(&self) -> hdrhistogram::Histogram<u64> {
        let mut flat = hdrhistogram::Histogram::new_with_bounds(1, HIGHEST_US, SIGNIFICANT_DIGITS)
            .expect("the bounds are constants within the crate's limits");
        for (us, count) in self.recorded() {
            flat.record_n(us, count).expect("both layouts end at the same bucket");
        }
        flat
    }

    /// The touched pages in the order of their buckets, each with its position in the table.
    fn touched(&self) -> impl Iterator<Item = (usize, &Page)> {
        let slots = self.table.iter().enumerate();
        slots.filter_map(|(position, slot)| Some((position, self.pages.get(usize::from(*slot))?)))
    }

    /// Where in `pages` the page at `position` is; past its end where it was never touched.
    #[inline]
    fn slot(&self, position: usize) -> usize {
        usize::from(self.table.get(position).copied().unwrap_or(UNTOUCHED))
    }

    #[cold]
    #[inline(never)]
    fn touch(&mut self, position: usize) -> &mut Page {
        if self.pages.len() == self.pages.capacity() {
            // By a quarter: doubling would waste half of what thousands of names take.
            self.reserve_pages((self.pages.len() / 4).max(4));
        }
        let slot = self.pages.len();
        self.table[position] = slot as u16;
        self.pages.push([0; PAGE_BUCKETS]);
        &mut self.pages[slot]
    }
}

/// The bucket of a microsecond count up to [`HIGHEST_US`]: bucket widths double as values do.
#[inline]
fn index_of(us: u64) -> usize {
    let doublings = (us | ((2 << HALF_BITS) - 1)).ilog2() - HALF_BITS;
    (us >> doublings) as usize + ((doublings as usize) << HALF_BITS)
}

/// The greatest microsecond count that falls in the bucket at `index`.
fn highest_us(index: usize) -> u64 {
    let doublings = (index >> HALF_BITS).saturating_sub(1);
    let lowest_next = (index - (doublings << HALF_BITS) + 1) as u64;
    (lowest_next << doublings) - 1
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram {
            table: Box::default(),
            pages: Vec::new(),
            count: 0,
            clipped: 0,
            sum_ns: 0,
            min_ns: u64::MAX,
            max_ns: 0,
        }
    }
}

/// By samples: the order in which pages were touched does not matter.
impl PartialEq for Histogram {
    fn eq(&self, other: &Self) -> bool {
        let exact = |h: &Histogram| (h.count, h.clipped, h.sum_ns, h.min_ns, h.max_ns);
        exact(self) == exact(other) && self.recorded().eq(other.recorded())
    }
}

impl Eq for Histogram {}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram")
            .field("count", &self.count)
            .field("clipped", &self.clipped)
            .field("sum_ns", &self.sum_ns)
            .field("min_ns", &self.min_ns())
            .field("max_ns", &self.max_ns())
            .field("buckets_us", &self.recorded().collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bucket_ends_where_the_next_begins() {
        assert_eq!((BUCKETS, PAGES), (23_552, 368));
        for index in 0..BUCKETS - 1 {
            let last = highest_us(index);
            assert_eq!((index_of(last), index_of(last + 1)), (index, index + 1), "at {last} us");
        }
    }

    #[test]
    fn an_empty_histogram_stays_small() {
        assert_eq!(size_of::<Histogram>(), 96);
        assert_eq!(Histogram::default().pages.capacity(), 0);
        assert_eq!(Histogram::default().table.len(), 0);
    }
}
