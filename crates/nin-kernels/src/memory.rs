//! What the process's allocator does with memory that is freed.

/// Keeps freed memory in the process, for the next that asks, where the allocator can be told so (glibc's).
///
/// A training step takes and frees the same few hundred megabytes of activations and gradients. By default glibc gives
/// each block of more than 32 MiB back, and the system zeroes its pages anew at the next step: 26,000 page faults in
/// a step of the book's network with 128 images. For the whole process, and for good: for programs that train, not
/// for libraries. It changes no result.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// What the heap grows by, at least, in bytes: 64 MiB.
        const GROWTH: libc::c_int = 64 << 20;
        // SAFETY: sets parameters of the allocator, each documented to be settable at any time; a value that it refuses
        // leaves it as it is.
        unsafe {
            libc::mallopt(libc::M_MMAP_MAX, 0);
            libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
            libc::mallopt(libc::M_TOP_PAD, GROWTH);
        }
    }
}
