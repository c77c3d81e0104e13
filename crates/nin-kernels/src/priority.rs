//! The scheduling priority of threads.

/// Lowers the priority of the calling thread below that of all other threads of this process. Does nothing where the
/// system has no priorities for single threads.
pub fn lower_thread_priority() {
    #[cfg(target_os = "linux")]
    {
        /// About a tenth of the processor time of another thread.
        const NICE: libc::c_int = 10;
        // SAFETY: changes the priority of the calling thread, which Linux calls 0 here; a failure changes nothing.
        unsafe {
            libc::setpriority(libc::PRIO_PROCESS, 0, NICE);
        }
    }
}
