//! Parses `multipart/form-data` (RFC 7578) from a complete body.

/// The longest header of a part, in bytes. Browsers send less.
const LONGEST_HEAD: usize = 16 << 10;

/// A form error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum FormError {
    /// The content type has no boundary.
    #[error("the content type multipart/form-data has no boundary")]
    NoBoundary,
    /// The body is truncated or malformed.
    #[error("malformed form: {0}")]
    Malformed(&'static str),
    /// The field is missing.
    #[error("the form has no field `{0}`")]
    Missing(&'static str),
    /// The field is repeated.
    #[error("the form has more than one field `{0}`")]
    Repeated(&'static str),
}

/// Returns the boundary that a content type names.
///
/// # Errors
/// [`FormError::NoBoundary`].
pub(super) fn boundary(content_type: &str) -> Result<&str, FormError> {
    let named = parameters(content_type).find(|(name, _)| name.eq_ignore_ascii_case("boundary"));
    let boundary = named.map(|(_, value)| value).ok_or(FormError::NoBoundary)?;
    // RFC 2046, 5.1.1: 1 to 70 characters.
    if (1..=70).contains(&boundary.len()) { Ok(boundary) } else { Err(FormError::NoBoundary) }
}

/// Returns the content of the only field of this name.
///
/// # Errors
/// All other variants of [`FormError`].
pub(super) fn field<'a>(
    body: &'a [u8],
    boundary: &str,
    name: &'static str,
) -> Result<&'a [u8], FormError> {
    let opening = format!("--{boundary}").into_bytes();
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    // Text before the first boundary is not a part.
    let mut rest = if body.starts_with(&opening) {
        &body[opening.len()..]
    } else {
        let at = find(body, &delimiter).ok_or(FormError::Malformed("no boundary found"))?;
        &body[at + delimiter.len()..]
    };
    let mut found = None;
    while !rest.starts_with(b"--") {
        rest = without_padding(rest)
            .strip_prefix(b"\r\n")
            .ok_or(FormError::Malformed("a boundary without a line break"))?;
        let end = find(rest, &delimiter).ok_or(FormError::Malformed("no closing boundary"))?;
        let (part, behind) = (&rest[..end], &rest[end + delimiter.len()..]);
        let (head, content) = split_head(part)?;
        if part_name(head).is_some_and(|found| found == name) && found.replace(content).is_some() {
            return Err(FormError::Repeated(name));
        }
        rest = behind;
    }
    found.ok_or(FormError::Missing(name))
}

/// Splits a part into header and content.
fn split_head(part: &[u8]) -> Result<(&str, &[u8]), FormError> {
    // A part without a header starts with an empty line.
    let (head, content) = if let Some(content) = part.strip_prefix(b"\r\n") {
        (&part[..0], content)
    } else {
        let within = &part[..part.len().min(LONGEST_HEAD)];
        let at = find(within, b"\r\n\r\n").ok_or(FormError::Malformed("a part without headers"))?;
        (&part[..at], &part[at + 4..])
    };
    let head =
        std::str::from_utf8(head).map_err(|_| FormError::Malformed("headers not in UTF-8"))?;
    Ok((head, content))
}

/// Returns the field's name from `Content-Disposition: form-data; name="..."`.
fn part_name(head: &str) -> Option<&str> {
    let disposition = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value.trim())
    })?;
    parameters(disposition).find(|(name, _)| name.eq_ignore_ascii_case("name")).map(|(_, it)| it)
}

/// Yields the parameters of a header's value: `value; name=token; name="quoted"`. Forms encode a quotation mark as
/// %22, so there are no escapes to decode.
fn parameters(value: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = value.split_once(';').map_or("", |(_, behind)| behind);
    std::iter::from_fn(move || {
        let (name, behind) = rest.split_once('=')?;
        let name = name.trim_matches([' ', '\t', ';']);
        let behind = behind.trim_start();
        let (value, left) = if let Some(quoted) = behind.strip_prefix('"') {
            quoted.split_once('"')?
        } else {
            let end = behind.find(';').unwrap_or(behind.len());
            (behind[..end].trim_end(), &behind[end..])
        };
        rest = left;
        Some((name, value))
    })
}

/// Returns the position of the first `needle`.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let (&first, others) = needle.split_first()?;
    let mut from = 0;
    while let Some(at) = haystack[from..].iter().position(|&byte| byte == first) {
        let behind = from + at + 1;
        if haystack[behind..].starts_with(others) {
            return Some(from + at);
        }
        from = behind;
    }
    None
}

/// Strips the spaces that may pad the line of a boundary.
fn without_padding(line: &[u8]) -> &[u8] {
    let padding = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    &line[padding..]
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &[u8] = b"--xx\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n\
        --xx\r\ncontent-disposition: form-data; filename=\"a;name=no.png\"; name=\"image\"\r\n\
        Content-Type: image/png\r\n\r\n\r\n--x\r\n\x00\xff\r\n--xx--\r\n";

    #[test]
    fn a_field_is_found_by_name_with_its_exact_bytes() {
        assert_eq!(field(FORM, "xx", "image"), Ok(&b"\r\n--x\r\n\x00\xff"[..]));
        assert_eq!(field(FORM, "xx", "note"), Ok(&b"hello"[..]));
        assert_eq!(field(FORM, "xx", "other"), Err(FormError::Missing("other")));
        assert_eq!(field(b"--xx--", "xx", "image"), Err(FormError::Missing("image")));
    }

    #[test]
    fn duplicate_fields_are_rejected() {
        let part = "--b\r\nContent-Disposition: form-data; name=image\r\n\r\n1\r\n";
        let form = format!("{part}{part}--b--");
        assert_eq!(field(form.as_bytes(), "b", "image"), Err(FormError::Repeated("image")));
    }

    #[test]
    fn boundaries_may_be_quoted() {
        assert_eq!(boundary("multipart/form-data; boundary=xx"), Ok("xx"));
        assert_eq!(boundary("multipart/form-data;charset=utf-8; Boundary=\"x x\""), Ok("x x"));
        for without in ["multipart/form-data", "multipart/form-data; boundary=", "a; boundary=\"x"]
        {
            assert_eq!(boundary(without), Err(FormError::NoBoundary), "{without}");
        }
    }

    #[test]
    fn every_truncated_form_is_an_error() {
        let whole = FORM.len() - 2; // anything may follow the closing boundary
        for length in 0..whole {
            assert!(field(&FORM[..length], "xx", "image").is_err(), "{length}");
        }
        assert!(field(&FORM[..whole], "xx", "image").is_ok());
    }

    /// Returns reproducible random numbers (SplitMix64).
    fn random(state: &mut u64) -> usize {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 27)) as usize
    }

    #[test]
    fn arbitrary_bytes_do_not_panic() {
        let mut state = 1;
        for _ in 0..20_000 {
            let mut form = FORM.to_vec();
            for _ in 0..=random(&mut state) % 6 {
                let at = random(&mut state) % form.len();
                match random(&mut state) % 3 {
                    0 => form[at] = random(&mut state) as u8,
                    1 => form.truncate(at + 1),
                    _ => form.extend_from_within(at..),
                }
            }
            let _ = field(&form, "xx", "image");
            let _ = boundary(&String::from_utf8_lossy(&form));
        }
    }
}
