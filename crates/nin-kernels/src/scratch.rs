//! Scratch memory that is reused between calls, so that the system need not zero fresh pages for every layer.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::lock::lock;

/// The size of a cache line, and of the widest vector.
const LINE: usize = 64;

/// The size of a huge page, which large buffers request: Winograd's transformed domain is read in 64 streams, more pages of
/// the usual size than the first-level TLB holds.
const HUGE_PAGE: usize = 2 << 20;

/// A pool of idle buffers. A call or a task takes a buffer, and dropping the buffer returns it.
///
/// A thread prefers the buffers that it returned: they are in its cache. What another core has written takes longer to
/// overwrite than memory, and one lock for all threads would travel between their caches. So a thread has a free list of its
/// own, and searches those of others only if nothing there fits.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScratchPool {
    lists: Arc<[FreeList; LISTS]>,
}

/// Free lists. If there are more threads, some share one.
const LISTS: usize = 32;

/// Idle buffers that one thread returned, or a few. Alone in two cache lines, because CPUs fetch lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct FreeList(Mutex<Vec<Buffer>>);

impl FreeList {
    /// Takes the smallest buffer that fits, unless it would waste more than half.
    fn take(&self, len: usize) -> Option<Buffer> {
        let mut idle = lock(&self.0);
        let fit = idle
            .iter()
            .enumerate()
            .filter(|(_, buffer)| buffer.len >= len && buffer.len / 2 <= len.max(1 << 16));
        let (index, _) = fit.min_by_key(|(_, buffer)| buffer.len)?;
        Some(idle.swap_remove(index))
    }
}

impl ScratchPool {
    /// Takes a buffer of `len` values, aligned to a cache line. Its contents are unspecified, but initialized.
    pub(crate) fn take(&self, len: usize) -> Scratch {
        // From the thread's own list on, so that threads without a buffer begin at different ones.
        let own = this_thread();
        let found = (own..own + LISTS).find_map(|thread| self.list(thread).take(len));
        let buffer = found.unwrap_or_else(|| Buffer::new(len));
        let mut scratch = Scratch { buffer: Some(buffer), len, pool: self.clone() };
        if cfg!(debug_assertions) {
            // So that a test fails where contents are read that were not written.
            scratch.fill(f32::NAN);
        }
        scratch
    }

    /// Returns the free list of a thread.
    fn list(&self, thread: usize) -> &FreeList {
        &self.lists[thread % LISTS]
    }

    /// Takes a buffer of `len` zeros.
    pub(crate) fn take_zeroed(&self, len: usize) -> Scratch {
        let mut scratch = self.take(len);
        scratch.fill(0.0);
        scratch
    }
}

/// Returns the index of this thread, in the order of first use.
fn this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! { static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed) }
    NUMBER.with(|number| *number)
}

/// A buffer of `f32` from the pool of a [`Context`](crate::Context), to which it returns when dropped. It is aligned to a
/// cache line, and in huge pages if it is large and the system has them.
#[derive(Debug)]
pub struct Scratch {
    buffer: Option<Buffer>,
    len: usize,
    pool: ScratchPool,
}

impl Scratch {
    /// Returns the memory as bytes, four for each value.
    pub fn bytes(&self) -> &[u8] {
        let values: &[f32] = self;
        // SAFETY: the memory of the slice, borrowed for as long; bytes need no alignment, and any bits are a byte.
        unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
    }

    /// Returns the memory as mutable bytes, four for each value.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let values: &mut [f32] = self;
        let len = size_of_val(values);
        // SAFETY: as above, borrowed exclusively; any bits are an `f32`.
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
            lock(&self.pool.list(this_thread()).0).push(buffer);
        }
    }
}

/// An aligned allocation.
#[derive(Debug)]
struct Buffer {
    start: NonNull<f32>,
    len: usize,
}

impl Buffer {
    fn new(len: usize) -> Self {
        let len = len.max(1);
        let layout = Self::layout(len);
        // SAFETY: `len` is at least one, so the size of the layout is not zero.
        let start = unsafe { alloc(layout) };
        #[allow(clippy::cast_ptr_alignment, reason = "the layout aligns it")]
        let Some(start) = NonNull::new(start.cast::<f32>()) else { handle_alloc_error(layout) };
        let buffer = Self { start, len };
        buffer.advise();
        // SAFETY: `start` points to `len` values of fresh memory; a float of zero bits is zero.
        unsafe { buffer.start.as_ptr().write_bytes(0, len) };
        buffer
    }

    /// Requests huge pages before the first access; a hint.
    #[cfg(target_os = "linux")]
    fn advise(&self) {
        let layout = Self::layout(self.len);
        if layout.align() == HUGE_PAGE {
            // SAFETY: the buffer owns these whole pages; the advice does not change their contents.
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
            // The geometries bound every length far below the limit.
            unreachable!("a scratch buffer of {len} values")
        };
        layout
    }

    fn as_slice(&self) -> &[f32] {
        // SAFETY: `start` points to `len` values, initialized on allocation, that only this buffer owns.
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
// SAFETY: as above; shared references only read.
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
    fn a_thread_takes_its_own_buffers_before_those_of_others() {
        let pool = ScratchPool::default();
        let own = this_thread();
        // The smaller one of another thread would fit better.
        let buffers = [(own, 2000), (own + 1, 1000)].map(|(thread, len)| {
            let buffer = Buffer::new(len);
            let address = buffer.start;
            lock(&pool.list(thread).0).push(buffer);
            address
        });
        let taken = [pool.take(900), pool.take(900), pool.take(900)];
        let addresses = taken.each_ref().map(|taken| taken.buffer.as_ref().unwrap().start);
        assert_eq!(addresses[..2], buffers);
        assert_eq!(taken[2].buffer.as_ref().unwrap().len, 900);
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
