//! Conversion between `[batch, channels, height, width]` and channel panels.

use crate::context::Context;
use crate::error::{Error, expect_len};
use crate::panels::{PANEL, panels_len};

/// Copies `[batch, channels, pixels]` into panels, and zeros into the channels that pad the last panel.
///
/// # Errors
/// [`Error::Length`] where a slice has another length than the sizes say.
pub fn panels_from_nchw(
    context: &Context,
    [batch, channels, pixels]: [usize; 3],
    planes: &[f32],
    panels: &mut [f32],
) -> Result<(), Error> {
    expect_len("planes", planes.len(), batch * channels * pixels)?;
    expect_len("panels", panels.len(), panels_len(batch, channels, pixels))?;
    if planes.is_empty() {
        return Ok(());
    }
    let images =
        panels.chunks_mut(panels_len(1, channels, pixels)).zip(planes.chunks(channels * pixels));
    context.each(images, |(panels, planes)| image_from_planes(pixels, planes, panels));
    Ok(())
}

/// Copies panels back into `[batch, channels, pixels]`.
///
/// # Errors
/// [`Error::Length`] where a slice has another length than the sizes say.
pub fn nchw_from_panels(
    context: &Context,
    [batch, channels, pixels]: [usize; 3],
    panels: &[f32],
    planes: &mut [f32],
) -> Result<(), Error> {
    expect_len("planes", planes.len(), batch * channels * pixels)?;
    expect_len("panels", panels.len(), panels_len(batch, channels, pixels))?;
    if planes.is_empty() {
        return Ok(());
    }
    let images =
        planes.chunks_mut(channels * pixels).zip(panels.chunks(panels_len(1, channels, pixels)));
    context.each(images, |(planes, panels)| image_to_planes(pixels, panels, planes));
    Ok(())
}

/// Copies one image into panels.
pub(crate) fn image_from_planes(pixels: usize, planes: &[f32], panels: &mut [f32]) {
    for (panel, planes) in panels.chunks_mut(pixels * PANEL).zip(planes.chunks(pixels * PANEL)) {
        for (pixel, lanes) in panel.chunks_exact_mut(PANEL).enumerate() {
            let mut channels = planes.chunks_exact(pixels);
            for lane in lanes {
                *lane = channels.next().map_or(0.0, |plane| plane[pixel]);
            }
        }
    }
}

/// Copies one image out of panels.
pub(crate) fn image_to_planes(pixels: usize, panels: &[f32], planes: &mut [f32]) {
    for (panel, planes) in panels.chunks(pixels * PANEL).zip(planes.chunks_mut(pixels * PANEL)) {
        for (lane, plane) in planes.chunks_exact_mut(pixels).enumerate() {
            for (value, lanes) in plane.iter_mut().zip(panel.chunks_exact(PANEL)) {
                *value = lanes[lane];
            }
        }
    }
}
