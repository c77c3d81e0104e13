//! Loops whose items threads share.

use std::sync::{Arc, Mutex};

use crate::context::Context;
use crate::lock::lock;
use crate::team::{Step, Work};

impl Context {
    /// Calls `work` with every item, on the calling thread and others of the pool. Neighbouring items usually go to one
    /// thread, and the same share in loops of equal length.
    ///
    /// # Panics
    /// If `work` panics, on any thread, when no thread runs the loop any longer.
    pub(crate) fn each<T: Send>(
        &self,
        items: impl IntoIterator<Item = T>,
        work: impl Fn(T) + Sync,
    ) {
        if self.is_alone() {
            return items.into_iter().for_each(work);
        }
        let items: Vec<_> = items.into_iter().map(|item| Mutex::new(Some(item))).collect();
        let run = |part: usize| {
            let item = lock(&items[part]).take();
            item.into_iter().for_each(&work);
        };
        let threads = self.threads().min(items.len());
        if threads < 2 {
            return (0..items.len()).for_each(run);
        }
        // SAFETY: the work outlives the call that shares it, which returns when all of its parts are done.
        let step = unsafe { Loop::new(items.len(), &run) };
        self.share(&Arc::new(Work::new(vec![Box::new(step)], threads)));
    }
}

/// A loop, as a step. A thread that comes late may still hold it when the loop has ended, and what it points to is gone: its
/// parts are all taken, and it computes none.
#[derive(Debug)]
struct Loop {
    parts: usize,
    work: *const (),
    run: unsafe fn(*const (), usize),
}

impl Loop {
    /// # Safety
    /// `work` lives until the last part is done.
    unsafe fn new<F: Fn(usize) + Sync>(parts: usize, work: &F) -> Self {
        Self { parts, work: std::ptr::from_ref(work).cast(), run: call::<F> }
    }
}

/// Computes a part.
///
/// # Safety
/// `work` points to a live `F`.
unsafe fn call<F: Fn(usize)>(work: *const (), part: usize) {
    // SAFETY: the caller's promise.
    let work = unsafe { &*work.cast::<F>() };
    work(part);
}

// SAFETY: the work is `Sync`, by `Loop::new`.
unsafe impl Send for Loop {}
// SAFETY: as above.
unsafe impl Sync for Loop {}

impl Step for Loop {
    fn parts(&self) -> usize {
        self.parts
    }

    unsafe fn run(&self, part: usize) {
        // SAFETY: this part is not done, so that the work lives, by the promise of `Loop::new`.
        unsafe { (self.run)(self.work, part) }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::isa::Isa;

    #[test]
    fn every_item_once() {
        for threads in 1..=4 {
            let context = Context::new(Isa::Portable, threads).unwrap();
            for len in [0, 1, 2, 3, 100] {
                let mut values = vec![0; len];
                context.each(values.iter_mut().enumerate(), |(index, value)| *value += index + 1);
                assert!(values.into_iter().eq(1..=len), "{threads} threads, {len} items");
            }
        }
    }

    #[test]
    fn loops_within_loops_and_from_many_threads() {
        let context = Context::new(Isa::Portable, 3).unwrap();
        let count = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    context.each(0..20, |_| {
                        context.each(0..5, |by| _ = count.fetch_add(by, Ordering::Relaxed));
                    });
                });
            }
        });
        assert_eq!(count.into_inner(), 3 * 20 * (1 + 2 + 3 + 4));
    }

    /// No thread touches the items of a loop that has panicked, and the next loop is whole.
    #[test]
    fn a_panic_ends_the_loop() {
        let context = Context::new(Isa::Portable, 3).unwrap();
        for panics in 0..16 {
            let mut values = vec![0; 16];
            let ended = catch_unwind(AssertUnwindSafe(|| {
                context.each(values.iter_mut().enumerate(), |(index, value)| {
                    assert!(index != panics, "on purpose");
                    *value = 1;
                });
            }));
            assert!(ended.is_err() && values[panics] == 0);
            context.each(values.iter_mut(), |value| *value = 2);
            assert_eq!(values, [2; 16]);
        }
    }
}
