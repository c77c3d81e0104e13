//! What pages in one file share: their parts and their policy.
//!
//! Parts are gzipped and base64, in elements that no browser runs. The policy in the file's head allows its own script and
//! style by their checksums, and no request to anywhere.

use std::io::Write;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::files::ICON;

/// The source of the workers that a page may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Workers {
    /// No workers.
    None,
    /// A script of the page.
    Own,
}

/// Returns the policy, the icon and the style, for the head of a page with this script.
pub(super) fn head(script: &str, style: &str, workers: Workers) -> String {
    format!(
        "<meta http-equiv=\"content-security-policy\" content=\"{}\">\n\
         <link rel=\"icon\" href=\"data:image/svg+xml;base64,{}\">\n\
         <style>{style}</style>",
        policy(script, style, workers),
        STANDARD.encode(ICON)
    )
}

/// Returns the content security policy: this script, this style, pictures in memory, and no requests.
fn policy(script: &str, style: &str, workers: Workers) -> String {
    let workers = if workers == Workers::Own { "; worker-src blob:" } else { "" };
    format!(
        "default-src 'none'; script-src '{}' 'wasm-unsafe-eval'; style-src '{}'; img-src data: blob:; \
         media-src blob:; base-uri 'none'; form-action 'none'{workers}",
        checksum(script),
        checksum(style)
    )
}

fn checksum(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

/// Returns an element with the script.
pub(super) fn script_element(script: &str) -> String {
    format!("<script type=\"module\">{script}</script>")
}

/// Returns an element with JSON, which cannot end the element, whatever strings it has.
pub(super) fn json_element(id: &str, value: &Value) -> String {
    element(id, &in_script(value))
}

/// Returns an element with bytes that are gzipped already.
pub(super) fn packed_element(id: &str, gzipped: &[u8]) -> String {
    element(id, &STANDARD.encode(gzipped))
}

/// Returns an element with bytes.
pub(super) fn bytes_element(id: &str, bytes: &[u8]) -> anyhow::Result<String> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let gzipped = encoder.write_all(bytes).and_then(|()| encoder.finish());
    Ok(packed_element(id, &gzipped.context("cannot gzip the page's parts")?))
}

/// Returns the address of a picture, which holds all of it.
pub(super) fn png_address(png: &[u8]) -> Value {
    format!("data:image/png;base64,{}", STANDARD.encode(png)).into()
}

/// Returns an element with text that no browser runs. The text does not contain `</script`.
pub(super) fn element(id: &str, content: &str) -> String {
    format!("<script type=\"text/plain\" id=\"{id}\">{content}</script>\n")
}

fn in_script(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn strings_do_not_end_the_script() {
        let value = json!({ "classes": ["</script><script>alert(1)</script>", "\"it's\" <!--"] });
        let text = in_script(&value);
        assert!(!text.contains('<'), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
