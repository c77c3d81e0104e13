//! Scratch memory that is kept between calls, so that the system need not hand out zeroed pages at every layer.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
#[cfg(not(thread_sanitizer))]
use std::sync::PoisonError;
#[cfg(thread_sanitizer)]
use std::sync::TryLockError;
use std::sync::{Arc, Mutex, MutexGuard};

/// One cache line, and the width of the widest vector.
const LINE: usize = 64;

/// A huge page. Buffers of several are aligned to it and ask for it: the transformed domain of Winograd's algorithm is
/// walked in 64 places at once, more pages of the usual size than the first-level translation buffer holds.
const HUGE_PAGE: usize = 2 << 20;

/// Buffers at rest. Taken for a call (or for one part of it), returned when dropped.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScratchPool {
    idle: Arc<Mutex<Vec<Buffer>>>,
}

impl ScratchPool {
    /// A buffer of `len` values, aligned to a cache line. What it holds is unspecified (but initialised).
    pub(crate) fn take(&self, len: usize) -> Scratch {
        let mut idle = self.idle();
        // The smallest that fits, unless it would waste more than it gives.
        let fit = idle
            .iter()
            .enumerate()
            .filter(|(_, buffer)| buffer.len >= len && buffer.len / 2 <= len.max(1 << 16));
        let found = fit.min_by_key(|(_, buffer)| buffer.len).map(|(index, _)| index);
        let buffer = found.map(|index| idle.swap_remove(index));
        drop(idle);
        let buffer = buffer.unwrap_or_else(|| Buffer::new(len));
        Scratch { buffer: Some(buffer), len, pool: self.clone() }
    }

    #[cfg(not(thread_sanitizer))]
    fn idle(&self) -> MutexGuard<'_, Vec<Buffer>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// ThreadSanitizer sees a free lock being taken, whose code is compiled here, and does not see one that was waited for,
    /// which is the standard library's. Under it (`.ci/sanitizers`) nobody waits.
    #[cfg(thread_sanitizer)]
    fn idle(&self) -> MutexGuard<'_, Vec<Buffer>> {
        loop {
            match self.idle.try_lock() {
                Ok(idle) => return idle,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => std::thread::yield_now(),
            }
        }
    }

    /// A buffer of `len` zeros.
    pub(crate) fn take_zeroed(&self, len: usize) -> Scratch {
        let mut scratch = self.take(len);
        scratch.fill(0.0);
        scratch
    }
}

/// A buffer in use: a slice of `f32`, aligned to a cache line and in huge pages where it is large and the system has them.
/// Dropped, it goes back to where it came from, for the next that asks.
#[derive(Debug)]
pub struct Scratch {
    buffer: Option<Buffer>,
    len: usize,
    pool: ScratchPool,
}

impl Scratch {
    /// The same memory as bytes, four for each value.
    pub fn bytes(&self) -> &[u8] {
        let values: &[f32] = self;
        // SAFETY: the memory of the slice, borrowed as long; a byte has no alignment and any bits are one.
        unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
    }

    /// The same to write to.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let values: &mut [f32] = self;
        let len = size_of_val(values);
        // SAFETY: as above, borrowed exclusively; and any bits are an `f32`.
        unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), len) }
    }
}

impl Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        self.buffer.as_ref().map_or(&[], |buffer| &buffer.as_slice()[..self.len])
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        let len = self.len;
        self.buffer.as_mut().map_or(&mut [], |buffer| &mut buffer.as_mut_slice()[..len])
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.pool.idle().push(buffer);
        }
    }
}

/// Aligned memory.
#[derive(Debug)]
struct Buffer {
    start: NonNull<f32>,
    len: usize,
}

impl Buffer {
    fn new(len: usize) -> Self {
        let len = len.max(1);
        let layout = Self::layout(len);
        // SAFETY: the layout's size is not zero, `len` being at least one.
        let start = unsafe { alloc(layout) };
        // Aligned by the layout.
        #[allow(clippy::cast_ptr_alignment)]
        let Some(start) = NonNull::new(start.cast::<f32>()) else { handle_alloc_error(layout) };
        let buffer = Self { start, len };
        buffer.advise();
        // SAFETY: `start` points to so many values of fresh memory; all bits zero is a zero.
        unsafe { buffer.start.as_ptr().write_bytes(0, len) };
        buffer
    }

    /// Asks for huge pages before the first touch. A wish: nothing depends on it.
    #[cfg(target_os = "linux")]
    fn advise(&self) {
        let layout = Self::layout(self.len);
        if layout.align() == HUGE_PAGE {
            // SAFETY: the whole pages of memory that this buffer owns; the advice changes no contents.
            unsafe {
                libc::madvise(self.start.as_ptr().cast(), layout.size(), libc::MADV_HUGEPAGE)
            };
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn advise(&self) {}

    fn layout(len: usize) -> Layout {
        let is_large = len * size_of::<f32>() >= 2 * HUGE_PAGE;
        let align = if is_large { HUGE_PAGE } else { LINE };
        let layout = Layout::array::<f32>(len).and_then(|layout| layout.align_to(align));
        let Ok(layout) = layout.map(|layout| layout.pad_to_align()) else {
            // The geometries bound every length far below this.
            unreachable!("a scratch buffer of {len} values")
        };
        layout
    }

    fn as_slice(&self) -> &[f32] {
        // SAFETY: `start` points to `len` initialised values (zeroed on allocation) that this buffer alone owns.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: as above, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: allocated by `new` with the same layout.
        unsafe { dealloc(self.start.as_ptr().cast(), Self::layout(self.len)) }
    }
}

// SAFETY: a buffer owns its memory and has no interior mutability; it is an owned slice of `f32`.
unsafe impl Send for Buffer {}
// SAFETY: as above: shared references only read.
unsafe impl Sync for Buffer {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_and_reused() {
        let pool = ScratchPool::default();
        let mut first = pool.take(1000);
        assert_eq!(first.as_ptr() as usize % LINE, 0);
        first[999] = 1.0;
        let address = first.as_ptr();
        drop(first);
        let again = pool.take(900);
        assert_eq!(again.as_ptr(), address);
        assert_eq!(again.len(), 900);
        assert!(pool.take_zeroed(1000).iter().all(|&value| value == 0.0));
    }

    #[test]
    fn bytes_are_the_values_own() {
        let mut buffer = ScratchPool::default().take_zeroed(3);
        assert_eq!(buffer.bytes(), [0; 12]);
        buffer.bytes_mut()[4..8].copy_from_slice(&1.5_f32.to_ne_bytes());
        assert_eq!(*buffer, [0.0, 1.5, 0.0]);
        assert!(ScratchPool::default().take(0).bytes().is_empty());
    }
}
