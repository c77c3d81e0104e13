//! The policy of the allocator for freed memory.

/// Makes the allocator keep freed memory instead of returning it to the system. Does nothing unless the allocator is glibc's.
///
/// A training step allocates and frees the same few hundred megabytes of activations and gradients. By default glibc returns
/// each block of more than 32 MiB, and the system zeroes its pages again in the next step: 26,000 page faults per step of
/// the book's network with 128 images. The setting holds for the whole process until it ends, so it is for programs that
/// train, not for libraries. It changes no result.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// The smallest growth of the heap, in bytes: 64 MiB.
        const GROWTH: libc::c_int = 64 << 20;
        // SAFETY: sets parameters of the allocator that may be set at any time; it ignores a value that it rejects.
        unsafe {
            libc::mallopt(libc::M_MMAP_MAX, 0);
            libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
            libc::mallopt(libc::M_TOP_PAD, GROWTH);
        }
    }
}
