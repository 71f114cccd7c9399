//! Connections of one server thread by token.
//!
//! A token is an index and the generation of its place, so an event or deadline that comes late for
//! a connection already closed finds nothing, even when its place is taken again.

/// Values in places that are used again.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Place<T> {
    generation: u32,
    value: Option<T>,
}

/// No token is larger, so that the event loop has the numbers above for itself.
pub(crate) const TOKEN_MAX: u64 = (u32::MAX as u64) << 32 | (u32::MAX - 16) as u64;

impl<T> Slab<T> {
    pub(crate) fn new() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }

    /// Puts a value in and tells its token.
    pub(crate) fn insert(&mut self, value: T) -> u64 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place { generation: 0, value: None });
            u32::try_from(self.places.len() - 1).expect("descriptors run out long before places")
        });
        let place = &mut self.places[index as usize];
        place.value = Some(value);
        u64::from(place.generation) << 32 | u64::from(index)
    }

    #[inline]
    pub(crate) fn find(&mut self, token: u64) -> Option<&mut T> {
        let (generation, index) = split(token);
        let place = self.places.get_mut(index as usize)?;
        if place.generation == generation { place.value.as_mut() } else { None }
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Takes a value out; its token is void from then on.
    pub(crate) fn remove(&mut self, token: u64) -> Option<T> {
        let (generation, index) = split(token);
        let place = self.places.get_mut(index as usize).filter(|p| p.generation == generation)?;
        let value = place.value.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(index);
        Some(value)
    }
}

fn split(token: u64) -> (u32, u32) {
    ((token >> 32) as u32, token as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_removed_values_find_nothing() {
        let mut slab = Slab::new();
        let first = slab.insert('a');
        let second = slab.insert('b');
        assert_eq!(slab.remove(first), Some('a'));
        let third = slab.insert('c');
        assert_eq!(third as u32, first as u32, "the place is used again");
        assert_eq!(slab.find(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.len(), 2);
        assert_eq!(slab.find(second), Some(&mut 'b'));
        assert_eq!(slab.find(third), Some(&mut 'c'));
        assert_eq!(slab.find(TOKEN_MAX), None);
    }
}
