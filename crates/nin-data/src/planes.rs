//! Resizing an image plane by plane.

use nin_preprocessing::Resizer;

/// Resizes each plane of an image and appends it.
pub(crate) fn append_planes(resizer: &Resizer, pixels: &[u8], bytes: &mut Vec<u8>) {
    let [height, width] = resizer.from();
    for plane in pixels.chunks_exact(height * width) {
        resizer.resize(plane, bytes);
    }
}
