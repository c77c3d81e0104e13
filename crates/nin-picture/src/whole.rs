//! Detects truncated files that their decoders would accept.

use flate2::Crc;

/// Checks that every chunk of a PNG, up to the end chunk, is complete and has a valid checksum. Returns the
/// flaw, if any.
pub(super) fn png_flaw(bytes: &[u8]) -> Option<&'static str> {
    let mut rest = bytes.get(8..)?;
    loop {
        let Some((head, body)) = rest.split_first_chunk::<8>() else {
            return Some("the file ends too early");
        };
        let [l3, l2, l1, l0, name @ ..] = *head;
        let length = u32::from_be_bytes([l3, l2, l1, l0]) as usize;
        let checked = rest.get(4..).and_then(|rest| rest.get(..length.checked_add(4)?));
        let sum = body.get(length..).and_then(<[u8]>::first_chunk::<4>);
        let (Some(checked), Some(&sum)) = (checked, sum) else {
            return Some("the file ends too early");
        };
        let mut crc = Crc::new();
        crc.update(checked);
        if crc.sum() != u32::from_be_bytes(sum) {
            return Some("a checksum does not match");
        }
        if name == *b"IEND" {
            return None;
        }
        rest = &body[length + 4..];
    }
}

/// Checks that a WebP file is as long as its header says. Returns the flaw, if any.
pub(super) fn webp_flaw(bytes: &[u8]) -> Option<&'static str> {
    let length = *bytes.get(4..)?.first_chunk::<4>()?;
    let length = u64::from(u32::from_le_bytes(length)) + 8;
    (length > bytes.len() as u64).then_some("the file ends too early")
}
