//! Forms with a picture, as browsers post them to `serve`.
#![no_main]

use libfuzzer_sys::fuzz_target;

/// The server's own parser: a binary has no library to take it from.
#[path = "../../crates/nin-cli/src/serve/multipart.rs"]
mod multipart;

fuzz_target!(|bytes: &[u8]| {
    // The first line is the content type, the rest the body.
    let end = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
    let Ok(content_type) = std::str::from_utf8(&bytes[..end]) else { return };
    let body = bytes.get(end + 1..).unwrap_or_default();
    let Ok(boundary) = multipart::boundary(content_type) else { return };
    if let Ok(content) = multipart::field(body, boundary, "image") {
        // A field is a piece of the body, and ends where the next part begins.
        assert!(body.as_ptr_range().contains(&content.as_ptr()));
        let delimiter = format!("\r\n--{boundary}");
        assert!(!content.windows(delimiter.len()).any(|piece| piece == delimiter.as_bytes()));
    }
});
