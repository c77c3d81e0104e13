//! Memory that the threads of one computation share: each writes values of its own.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::scratch::Scratch;

/// The values that an operation writes. It may leave some of them untouched, which are another thread's.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    start: *mut f32,
    len: usize,
    values: PhantomData<&'a mut [f32]>,
}

impl Output<'_> {
    pub(crate) fn start(&self) -> *mut f32 {
        self.start
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

impl<'a> From<&'a mut [f32]> for Output<'a> {
    fn from(values: &'a mut [f32]) -> Self {
        Self { start: values.as_mut_ptr(), len: values.len(), values: PhantomData }
    }
}

/// A buffer that several threads read and write.
#[derive(Debug)]
pub(crate) struct Shared {
    start: *mut f32,
    len: usize,
    /// Owns the values. Accesses go through `start`.
    memory: Arc<Scratch>,
}

// SAFETY: the memory is owned, and every access to it is unsafe.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    pub(crate) fn new(mut memory: Scratch) -> Self {
        Self { start: memory.as_mut_ptr(), len: memory.len(), memory: Arc::new(memory) }
    }

    /// Returns the first `len` values of the memory as another buffer, if it has as many.
    pub(crate) fn with_len(&self, len: usize) -> Option<Self> {
        let is_enough = self.memory.len() >= len;
        is_enough.then(|| Self { start: self.start, len, memory: Arc::clone(&self.memory) })
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns all values.
    ///
    /// # Safety
    /// No thread writes any of them as long as the slice lives.
    pub(crate) unsafe fn values(&self) -> &[f32] {
        // SAFETY: the memory is owned and initialized; no one writes it, by the caller.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }

    /// Returns `len` values from `first` on.
    ///
    /// # Safety
    /// No other thread reads or writes any of them as long as the slice lives.
    #[allow(clippy::mut_from_ref, reason = "the caller's promise makes it exclusive")]
    pub(crate) unsafe fn part(&self, first: usize, len: usize) -> &mut [f32] {
        assert!(first.checked_add(len).is_some_and(|end| end <= self.len));
        // SAFETY: within the memory, which is owned and initialized; exclusive, by the caller.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(first), len) }
    }

    /// Returns all values from `first` on, for an operation that writes some of them.
    ///
    /// # Safety
    /// No other thread reads or writes those as long as the operation runs.
    pub(crate) unsafe fn output(&self, first: usize) -> Output<'_> {
        assert!(first <= self.len);
        // SAFETY: within the memory.
        let start = unsafe { self.start.add(first) };
        Output { start, len: self.len - first, values: PhantomData }
    }
}
