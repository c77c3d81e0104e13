//! How much of the processor a thread gets when others want it.

/// Lets all other threads of this process go first, for the rest of the calling thread's life. Does nothing where the
/// system has no priority for each thread.
pub fn let_others_go_first() {
    #[cfg(target_os = "linux")]
    {
        /// A tenth of what another thread gets.
        const NICE: libc::c_int = 10;
        // SAFETY: changes one number of the calling thread, which Linux calls 0 here; a refusal leaves it as it is.
        unsafe {
            libc::setpriority(libc::PRIO_PROCESS, 0, NICE);
        }
    }
}
