//! Groups of images, whose weight gradients are summed separately.

/// The number of groups. Their sums are added as a tree, and up to this many threads share the work.
const GROUPS: usize = 8;

/// Returns the number of images in a group.
pub(crate) fn group_size(batch: usize) -> usize {
    batch.div_ceil(GROUPS)
}

/// Divides a slice among groups; `groups` × `None` when the slice is `None`.
pub(crate) fn group_slices<T>(
    slice: Option<&mut [T]>,
    group_len: usize,
    groups: usize,
) -> Vec<Option<&mut [T]>> {
    match slice {
        Some(slice) => slice.chunks_mut(group_len).map(Some).collect(),
        None => (0..groups).map(|_| None).collect(),
    }
}
