//! Memory statistics of this process.

/// Returns the peak memory of this process in bytes, on Linux.
pub fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// Returns the number of minor page faults of this process, on Linux.
pub fn minor_faults() -> Option<u64> {
    minor_faults_in(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// Parses the tenth field of `/proc/self/stat`. The second is the program's name in parentheses, with any content.
fn minor_faults_in(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    behind_name.split_whitespace().nth(7)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minor_faults_are_parsed_after_any_process_name() {
        let stat = "4242 (a (b) 7 c) S 1 4242 4242 0 -1 4194560 1093 22 0 0 5 1";
        assert_eq!(minor_faults_in(stat), Some(1093));
        assert_eq!(minor_faults_in("4242 (nin-cli) S 1"), None);
        assert_eq!(minor_faults_in(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn fresh_memory_is_counted() {
        // At least one page. The compiler must not remove the allocation.
        let before = minor_faults().unwrap();
        let fresh = std::hint::black_box(vec![1_u8; 64 << 20]);
        assert_eq!(fresh[fresh.len() / 2], 1);
        assert!(minor_faults().unwrap() > before);
    }
}
