//! Threads that share work: the steps of one image, or the items of a loop.
//!
//! The work is a list of steps, each divided into parts. The calling thread goes through the steps, and takes parts. Idle
//! threads of the pool do the same as soon as they wake up. A step begins when all parts of the previous one are done, so
//! the calling thread waits for parts that another thread has taken, but never for a thread that is late.
//!
//! Each thread begins with a share of the parts that is its own: those of the next step read mostly what it wrote, which is
//! in its cache. Then it takes what the others have left.
//!
//! Waking a thread takes longer than a layer of a small network. So a thread that has helped keeps looking for work for a
//! while.
//!
//! Every part writes values of its own, so results do not depend on which threads there are.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rayon::ThreadPool;

use crate::lock::lock;

/// Work that threads share.
pub(crate) trait Step: Debug + Send + Sync {
    /// Returns the number of parts.
    fn parts(&self) -> usize;

    /// Computes one part.
    ///
    /// # Safety
    /// No other thread computes this part, or any part of another step.
    unsafe fn run(&self, part: usize);
}

/// Steps, and how far they are.
#[derive(Debug)]
pub(crate) struct Work {
    steps: Vec<(Box<dyn Step>, Progress)>,
    threads: usize,
}

/// How far a step is. In a cache line of its own, which passes from thread to thread.
#[derive(Debug)]
#[repr(align(64))]
struct Progress {
    done: AtomicUsize,
    has_panicked: AtomicBool,
    /// Whether each part has been taken.
    taken: Vec<AtomicBool>,
}

impl Progress {
    fn new(parts: usize) -> Self {
        let taken = (0..parts).map(|_| AtomicBool::new(false)).collect();
        Self { done: AtomicUsize::new(0), has_panicked: AtomicBool::new(false), taken }
    }

    /// Takes a part, unless a thread has it.
    fn take(&self, part: usize) -> Option<Part<'_>> {
        let taken = &self.taken[part];
        let is_free = !taken.load(Ordering::Relaxed) && !taken.swap(true, Ordering::Relaxed);
        is_free.then(|| Part(self))
    }

    /// Waits until as many parts are done.
    fn wait(&self, parts: usize) {
        let mut spins = 0;
        while self.done.load(Ordering::Acquire) < parts {
            spins += 1;
            if spins < SPINS { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
    }

    fn restart(&mut self) {
        *self.done.get_mut() = 0;
        *self.has_panicked.get_mut() = false;
        self.taken.iter_mut().for_each(|taken| *taken.get_mut() = false);
    }
}

/// A part that a thread has taken. It is done even if it panics: the others must not wait for it forever.
struct Part<'a>(&'a Progress);

impl Drop for Part<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.has_panicked.store(true, Ordering::Relaxed);
        }
        self.0.done.fetch_add(1, Ordering::Release);
    }
}

/// How often a thread looks for the end of a step before it lets other threads run: some microseconds, longer than a part
/// takes on an idle machine.
const SPINS: usize = 1 << 10;

impl Work {
    /// Prepares work for up to `threads` threads.
    pub(crate) fn new(steps: Vec<Box<dyn Step>>, threads: usize) -> Self {
        let steps = steps.into_iter().map(|step| {
            let progress = Progress::new(step.parts());
            (step, progress)
        });
        Self { steps: steps.collect(), threads }
    }

    /// Does the work on the calling thread, and helpers from a pool. When it returns, or panics, no thread computes a part,
    /// and none will.
    ///
    /// # Panics
    /// Where a part panics, on any thread.
    pub(crate) fn share(self: &Arc<Self>, team: &Arc<Team>, pool: &ThreadPool) {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            if self.threads > 1 {
                team.call(self, self.threads - 1, pool);
            }
            self.run(0);
        }));
        if ended.is_err() {
            self.abandon();
        }
        if self.threads > 1 {
            team.release(self);
        }
        if let Err(panic) = ended {
            resume_unwind(panic);
        }
        let mut steps = self.steps.iter();
        let panicked = steps.any(|(_, step)| step.has_panicked.load(Ordering::Relaxed));
        assert!(!panicked, "another thread panicked");
    }

    /// Begins again from the first step.
    pub(crate) fn restart(&mut self) {
        self.steps.iter_mut().for_each(|(_, progress)| progress.restart());
    }

    /// Takes all parts that no thread has taken, without computing them, and waits for those that others have.
    fn abandon(&self) {
        for (step, progress) in &self.steps {
            (0..step.parts()).for_each(|part| drop(progress.take(part)));
        }
        self.steps.iter().for_each(|(step, progress)| progress.wait(step.parts()));
    }

    /// Waits until the other threads have seen that the work is done, unless that takes long: then one of them was
    /// interrupted. For work that will be restarted.
    pub(crate) fn wait_for_helpers(self: &Arc<Self>) {
        for _ in 0..SPINS {
            if Arc::strong_count(self) == 1 {
                break;
            }
            std::hint::spin_loop();
        }
    }

    /// Does the work of one thread, by its number: 0 for the calling one.
    fn run(&self, thread: usize) {
        for (step, progress) in &self.steps {
            let parts = step.parts();
            let own = parts * (thread % self.threads) / self.threads;
            for part in (own..parts).chain(0..own.min(parts)) {
                let Some(_part) = progress.take(part) else { continue };
                // SAFETY: each part is taken once, and `wait` returns after the last part of a step.
                unsafe { step.run(part) }
            }
            progress.wait(parts);
        }
    }
}

/// How long a thread looks out for more work: several times as long as waking it takes.
const LOOKOUT: Duration = Duration::from_micros(200);

/// The threads of a pool that help.
#[derive(Debug, Default)]
pub(crate) struct Team {
    calls: Mutex<Calls>,
    /// As in `calls`.
    count: AtomicUsize,
}

/// The calls for help.
#[derive(Debug, Default)]
struct Calls {
    count: usize,
    /// The work of the last call, until it is done.
    work: Option<Arc<Work>>,
    /// For each number of a helper, whether a thread helps or looks for work under it.
    helpers: Vec<bool>,
}

impl Team {
    /// Calls for the help of `helpers` threads.
    fn call(self: &Arc<Self>, work: &Arc<Work>, helpers: usize, pool: &ThreadPool) {
        let mut calls = lock(&self.calls);
        calls.count += 1;
        calls.work = Some(Arc::clone(work));
        self.count.store(calls.count, Ordering::Release);
        if calls.helpers.len() < helpers {
            calls.helpers.resize(helpers, false);
        }
        let all = calls.helpers[..helpers].iter_mut().enumerate();
        let missing: Vec<usize> = all
            .filter_map(|(index, is_here)| (!std::mem::replace(is_here, true)).then_some(index))
            .collect();
        drop(calls);
        for index in missing {
            let team = Arc::clone(self);
            pool.spawn(move || team.help(index));
        }
    }

    /// Ends the call for help with some work.
    fn release(&self, work: &Arc<Work>) {
        let mut calls = lock(&self.calls);
        calls.work.take_if(|called| Arc::ptr_eq(called, work));
    }

    /// Helps with each call until there is none for a while. A helper keeps its number, and so its share of loops.
    fn help(&self, index: usize) {
        let mut seen = 0;
        let mut since = Instant::now();
        loop {
            if self.count.load(Ordering::Acquire) != seen {
                let calls = lock(&self.calls);
                seen = calls.count;
                let work = calls.work.clone();
                drop(calls);
                if let Some(work) = work {
                    // The calling thread panics for all of them.
                    drop(catch_unwind(AssertUnwindSafe(|| work.run(index + 1))));
                }
                since = Instant::now();
            }
            if since.elapsed() > LOOKOUT {
                let mut calls = lock(&self.calls);
                if calls.count == seen {
                    calls.helpers[index] = false;
                    return;
                }
            }
            std::hint::spin_loop();
        }
    }
}
