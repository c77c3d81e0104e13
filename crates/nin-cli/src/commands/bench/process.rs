//! What the system tells of this process's memory.

/// The most memory that this process ever held, where the system tells.
pub fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// How often, so far, any thread of this process touched a page of memory that it had not been given yet (a minor fault),
/// where the system tells.
pub fn minor_faults() -> Option<u64> {
    minor_faults_in(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// The tenth field of `/proc/self/stat`. The second is the program's name in parentheses, and may hold anything.
fn minor_faults_in(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    behind_name.split_whitespace().nth(7)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tenth_field_is_found_behind_any_name() {
        let stat = "4242 (a (b) 7 c) S 1 4242 4242 0 -1 4194560 1093 22 0 0 5 1";
        assert_eq!(minor_faults_in(stat), Some(1093));
        assert_eq!(minor_faults_in("4242 (nin-cli) S 1"), None);
        assert_eq!(minor_faults_in(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn fresh_memory_is_counted() {
        // Of 4 KiB, or fewer of larger ones: at least one. The optimiser must not leave the memory out.
        let before = minor_faults().unwrap();
        let fresh = std::hint::black_box(vec![1_u8; 64 << 20]);
        assert_eq!(fresh[fresh.len() / 2], 1);
        assert!(minor_faults().unwrap() > before);
    }
}
