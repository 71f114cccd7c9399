//! The order in which workers are given users: hosts in turn, so that the first users do not all land on one machine.

use std::collections::HashMap;

/// The indices of `ids` in the order in which users are dealt to them.
///
/// The part of an id up to its first `_` names its host. Workers are numbered within their host in the order of their
/// ids, and dealt to by number, then id: `h1_a`, `h1_b`, `h2_a` become `h1_a`, `h2_a`, `h1_b`.
pub fn worker_order<S: AsRef<str>>(ids: &[S]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..ids.len()).collect();
    order.sort_by_key(|&index| ids[index].as_ref());
    let mut on_host: HashMap<&str, usize> = HashMap::new();
    let mut number_in_host = vec![0; ids.len()];
    for &index in &order {
        let id = ids[index].as_ref();
        let next = on_host.entry(id.split_once('_').map_or(id, |(host, _)| host)).or_default();
        number_in_host[index] = *next;
        *next += 1;
    }
    // Stable: the order by id stands within a number.
    order.sort_by_key(|&index| number_in_host[index]);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered<'a>(ids: &[&'a str]) -> Vec<&'a str> {
        worker_order(ids).into_iter().map(|index| ids[index]).collect()
    }

    #[test]
    fn hosts_take_turns() {
        assert_eq!(ordered(&["h1_b", "h1_a", "h2_a"]), ["h1_a", "h2_a", "h1_b"]);
        assert_eq!(ordered(&["b_2", "b_1", "b_3", "a_9"]), ["a_9", "b_1", "b_2", "b_3"]);
    }

    #[test]
    fn only_the_first_underscore_ends_the_host() {
        assert_eq!(ordered(&["a_x_2", "a_x_1", "c_1"]), ["a_x_1", "c_1", "a_x_2"]);
    }

    #[test]
    fn an_id_without_underscore_is_a_host_of_its_own() {
        assert_eq!(ordered(&["b", "a_2", "a_1", "a"]), ["a", "b", "a_1", "a_2"]);
        assert_eq!(ordered(&[]), Vec::<&str>::new());
    }
}
