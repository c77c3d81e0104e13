//! The page as one file, with the network in it.
//!
//! The program and the weights are gzipped and base64, in elements that no browser runs. The policy in the file's head
//! allows its own script and style by their checksums, and no request to anywhere.

use std::io::Write;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use nin_model::{ModelMetadata, Weights};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::bundle::bundle;
use super::files::{ANSWER, CAMERA, DRAWING, ICON, INPUTS, Module, PAGE, STYLE, WEB};
use super::{Gallery, Place, Slots, description, html};
use crate::error::CommandError;

/// nin-web as WebAssembly, gzipped; `.ci/wasm` builds it.
const PROGRAM: &[u8] = include_bytes!("../../web/nin-web.wasm.gz");

/// The largest file of weights, in bytes. A browser unpacks it as a whole, and a phone has little memory.
const LARGEST_WEIGHTS: usize = 32 << 20;

/// The modules of the script, each after those that it imports.
pub(super) const MODULES: [Module; 6] = [WEB, INPUTS, DRAWING, CAMERA, ANSWER, PAGE];

/// Returns the page of a network.
///
/// # Errors
/// Fails if the network is too large for a page.
pub fn single_page(metadata: &ModelMetadata, weights: &Weights) -> anyhow::Result<String> {
    let file = metadata.to_safetensors(weights)?;
    if file.len() > LARGEST_WEIGHTS {
        let whitening = metadata.preprocessing.whitening.is_some();
        return Err(CommandError::new(
            format!(
                "the network has {} bytes, more than the limit of {LARGEST_WEIGHTS} for a page{}",
                file.len(),
                if whitening {
                    " (most of them may be the matrix of its ZCA whitening)"
                } else {
                    ""
                }
            ),
            "serve it with `nin-cli serve`, or train a smaller one",
        )
        .into());
    }
    let script = format!("\n{}", bundle(&MODULES));
    let style = format!("\n{STYLE}");
    let head = format!(
        "<meta http-equiv=\"content-security-policy\" content=\"{}\">\n\
         <link rel=\"icon\" href=\"data:image/svg+xml;base64,{}\">\n\
         <style>{style}</style>",
        policy(&script, &style),
        STANDARD.encode(ICON)
    );
    let data = format!(
        "{}{}{}<script type=\"module\">{script}</script>",
        element("description", &in_script(&described(metadata)?)),
        element("program", &STANDARD.encode(PROGRAM)),
        element("weights", &STANDARD.encode(gzipped(&file)?)),
    );
    Ok(html(&Slots {
        head: &head,
        without_scripts: "It has no server: the network runs in the browser.",
        privacy: "The network is in this page: pictures do not leave it.",
        links: "",
        data: &data,
    }))
}

/// Returns what the page shows of the network.
fn described(metadata: &ModelMetadata) -> anyhow::Result<Value> {
    let gallery = Gallery::of(metadata)?;
    let place = Place { backend: "flex", device: "WebAssembly in this browser" };
    let mut described = description(metadata, &gallery, None, &place);
    let address = |png: &[u8]| json!(format!("data:image/png;base64,{}", STANDARD.encode(png)));
    described["pictures"] = gallery.pictures().map(address).collect();
    Ok(described)
}

/// Returns JSON that cannot end the script element it is in, whatever strings it has.
fn in_script(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c")
}

fn element(id: &str, content: &str) -> String {
    format!("<script type=\"text/plain\" id=\"{id}\">{content}</script>\n")
}

/// Returns the content security policy: this script, this style, pictures in memory, and no requests.
fn policy(script: &str, style: &str) -> String {
    format!(
        "default-src 'none'; script-src '{}' 'wasm-unsafe-eval'; style-src '{}'; img-src data: blob:; \
         media-src blob:; base-uri 'none'; form-action 'none'",
        checksum(script),
        checksum(style)
    )
}

fn checksum(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

fn gzipped(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).context("cannot gzip the weights")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_do_not_end_the_script() {
        let value = json!({ "classes": ["</script><script>alert(1)</script>", "\"it's\" <!--"] });
        let text = in_script(&value);
        assert!(!text.contains('<'), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
