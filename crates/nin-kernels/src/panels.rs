//! The sizes of channel panels.

/// Channels in a panel: one cache line of `f32`.
pub const PANEL: usize = 16;

/// Returns the number of panels that hold `channels` channels.
pub(crate) const fn panels_of(channels: usize) -> usize {
    channels.div_ceil(PANEL)
}

/// Returns the number of values of `[batch, channels, pixels]` in panels, `[batch, ceil(channels / 16), pixels, 16]`.
pub const fn panels_len(batch: usize, channels: usize, pixels: usize) -> usize {
    batch * panels_of(channels) * pixels * PANEL
}
