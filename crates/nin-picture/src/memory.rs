//! Reuses the memory of planes. Faulting in new pages takes about as long as decoding the pixels in them.

use std::cell::RefCell;

/// The number of planes that a thread keeps.
const MOST_PLANES: usize = 8;
/// Larger planes are freed, in bytes.
const LARGEST_PLANE: usize = 2 << 20;

thread_local! {
    static IDLE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Returns a plane of `length` bytes with unspecified content; the caller must write all of it.
pub(super) fn take(length: usize) -> Vec<u8> {
    let found = IDLE.with_borrow_mut(|idle| {
        let fitting = idle.iter().enumerate().filter(|(_, plane)| plane.capacity() >= length);
        let (place, _) = fitting.min_by_key(|(_, plane)| plane.capacity())?;
        Some(idle.swap_remove(place))
    });
    let mut plane = found.unwrap_or_default();
    plane.resize(length, 0);
    plane
}

/// Keeps the memory of a plane for reuse.
pub(super) fn give(plane: Vec<u8>) {
    if plane.capacity() > LARGEST_PLANE || plane.capacity() == 0 {
        return;
    }
    IDLE.with_borrow_mut(|idle| {
        if idle.len() == MOST_PLANES {
            // Pictures grew or changed in kind, so the kept planes no longer fit. Drop one.
            idle.remove(0);
        }
        idle.push(plane);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_reused_and_bounded() {
        let plane = take(100);
        let address = plane.as_ptr();
        give(plane);
        let plane = take(50);
        assert_eq!((plane.len(), plane.as_ptr()), (50, address));
        give(plane);
        give(vec![0; LARGEST_PLANE + 1]);
        for _ in 0..2 * MOST_PLANES {
            give(vec![0; 10]);
        }
        let capacities = IDLE.with_borrow(|idle| idle.iter().map(Vec::capacity).sum::<usize>());
        assert_eq!(capacities, MOST_PLANES * 10);
    }
}
