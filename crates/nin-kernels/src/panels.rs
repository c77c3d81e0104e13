//! Channel panels, and the way from and to plain `[batch, channels, height, width]`.

use rayon::prelude::*;

use crate::cpu::Cpu;
use crate::error::{Error, expect_len};

/// Channels in a panel: one cache line of `f32`.
pub const PANEL: usize = 16;

/// Panels that hold so many channels.
pub(crate) const fn panels_of(channels: usize) -> usize {
    channels.div_ceil(PANEL)
}

/// Values of `[batch, channels, pixels]` in panels: `[batch, ceil(channels / 16), pixels, 16]`.
pub const fn panels_len(batch: usize, channels: usize, pixels: usize) -> usize {
    batch * panels_of(channels) * pixels * PANEL
}

/// Lays plain `[batch, channels, pixels]` into panels; the channels that fill up the last panel become zero.
///
/// # Errors
/// Slices of other lengths than the sizes say.
pub fn panels_from_nchw(
    cpu: &Cpu,
    [batch, channels, pixels]: [usize; 3],
    planes: &[f32],
    panels: &mut [f32],
) -> Result<(), Error> {
    expect_len("planes", planes.len(), batch * channels * pixels)?;
    expect_len("panels", panels.len(), panels_len(batch, channels, pixels))?;
    if planes.is_empty() {
        return Ok(());
    }
    let images = panels
        .par_chunks_mut(panels_len(1, channels, pixels))
        .zip(planes.par_chunks(channels * pixels));
    cpu.install(|| images.for_each(|(panels, planes)| image_from_planes(pixels, planes, panels)));
    Ok(())
}

/// Takes plain `[batch, channels, pixels]` out of panels.
///
/// # Errors
/// Slices of other lengths than the sizes say.
pub fn nchw_from_panels(
    cpu: &Cpu,
    [batch, channels, pixels]: [usize; 3],
    panels: &[f32],
    planes: &mut [f32],
) -> Result<(), Error> {
    expect_len("planes", planes.len(), batch * channels * pixels)?;
    expect_len("panels", panels.len(), panels_len(batch, channels, pixels))?;
    if planes.is_empty() {
        return Ok(());
    }
    let images = planes
        .par_chunks_mut(channels * pixels)
        .zip(panels.par_chunks(panels_len(1, channels, pixels)));
    cpu.install(|| images.for_each(|(planes, panels)| image_to_planes(pixels, panels, planes)));
    Ok(())
}

/// One image into panels.
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

/// One image out of panels.
pub(crate) fn image_to_planes(pixels: usize, panels: &[f32], planes: &mut [f32]) {
    for (panel, planes) in panels.chunks(pixels * PANEL).zip(planes.chunks_mut(pixels * PANEL)) {
        for (lane, plane) in planes.chunks_exact_mut(pixels).enumerate() {
            for (value, lanes) in plane.iter_mut().zip(panel.chunks_exact(PANEL)) {
                *value = lanes[lane];
            }
        }
    }
}
