//! The page of a network as one file, with the network in it.

use nin_model::{ModelMetadata, Weights};
use serde_json::Value;

use super::bundle::bundle;
use super::files::{ANSWER, CAMERA, DRAWING, INPUTS, Module, PAGE, STYLE, WASM, WEB};
use super::one_file::{
    Workers, bytes_element, head, json_element, packed_element, png_address, script_element,
};
use super::{Gallery, Place, Slots, description, html};
use crate::error::CommandError;

/// nin-web as WebAssembly, without training, gzipped; `.ci/wasm` builds it.
const PROGRAM: &[u8] = include_bytes!("../../web/nin-web.wasm.gz");

/// The largest file of weights, in bytes. A browser unpacks it as a whole, and a phone has little memory.
const LARGEST_WEIGHTS: usize = 32 << 20;

/// The modules of the script, each after those that it imports.
pub(super) const MODULES: [Module; 7] = [WASM, WEB, INPUTS, DRAWING, CAMERA, ANSWER, PAGE];

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
    let data = [
        json_element("description", &described(metadata)?),
        packed_element("program", PROGRAM),
        bytes_element("weights", &file)?,
        script_element(&script),
    ];
    Ok(html(&Slots {
        head: &head(&script, &style, Workers::None),
        without_scripts: "It has no server: the network runs in the browser.",
        privacy: "The network is in this page: pictures do not leave it.",
        links: "",
        data: &data.concat(),
    }))
}

/// Returns what the page shows of the network.
fn described(metadata: &ModelMetadata) -> anyhow::Result<Value> {
    let gallery = Gallery::of(metadata)?;
    let place = Place { backend: "flex", device: "WebAssembly in this browser" };
    let mut described = description(metadata, &gallery, None, &place);
    described["pictures"] = gallery.pictures().map(png_address).collect();
    Ok(described)
}
