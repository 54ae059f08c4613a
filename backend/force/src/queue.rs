//! Runs that wait for an engine, the most urgent first. Knows only their names; entries may be stale,
//! and a run may stand here more than once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use gg_thunk::ThunkName;

/// How urgent a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Urgency {
    /// What the caller said.
    pub priority: i32,
    /// The time from the beginning of this run to the end of the request, in microseconds.
    pub path_us: u64,
}

/// The queue; of equally urgent runs the first comes first.
#[derive(Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<(Urgency, Reverse<u64>, ThunkName)>,
    pushed: u64,
}

impl Queue {
    pub fn push(&mut self, urgency: Urgency, run: ThunkName) {
        self.pushed += 1;
        self.heap.push((urgency, Reverse(self.pushed), run));
    }

    pub fn pop(&mut self) -> Option<(Urgency, ThunkName)> {
        self.heap.pop().map(|(urgency, _, run)| (urgency, run))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priority_then_path_then_age() {
        let mut queue = Queue::default();
        for (name, priority, path_us) in [("a", 0, 5), ("b", 0, 9), ("c", 1, 0), ("d", 0, 9)] {
            queue.push(Urgency { priority, path_us }, ThunkName::of(name.as_bytes()));
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|(_, n)| n).collect();
        assert_eq!(order, ["c", "b", "d", "a"].map(|n| ThunkName::of(n.as_bytes())));
    }
}
