//! Buffers on the device.

use std::marker::PhantomData;

use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::{Element, Error};

impl Element {
    /// Checks the length of a buffer.
    pub(crate) fn check(
        self,
        what: &'static str,
        buffer: &Handle,
        len: usize,
    ) -> Result<(), Error> {
        let found = buffer.size_in_used();
        if found < self.bytes(len) as u64 {
            let (found, expected) = (found / self.size() as u64, len as u64);
            return Err(Error::Length { what, found, expected });
        }
        Ok(())
    }

    /// Allocates a buffer.
    pub(crate) fn allocate<R: Runtime>(
        self,
        client: &ComputeClient<R>,
        what: &'static str,
        len: usize,
    ) -> Result<Handle, Error> {
        check_lens(client, &[(what, len)])?;
        Ok(client.empty(self.bytes(len)))
    }
}

/// Checks the length of a buffer of 32-bit floats.
pub(crate) fn check(what: &'static str, buffer: &Handle, expected: usize) -> Result<(), Error> {
    Element::F32.check(what, buffer, expected)
}

/// Allocates a buffer of 32-bit floats.
pub(crate) fn allocate<R: Runtime>(
    client: &ComputeClient<R>,
    what: &'static str,
    len: usize,
) -> Result<Handle, Error> {
    Element::F32.allocate(client, what, len)
}

/// Returns a buffer as the argument of a kernel. The kernel checks every index against the length.
pub(crate) fn argument<R: Runtime>(buffer: &Handle, len: usize) -> ArrayArg<R> {
    let binding = TensorBinding::<R> {
        handle: buffer.clone().binding(),
        strides: [1].into(),
        shape: [len].into(),
        runtime: PhantomData,
    };
    binding.into_array_arg()
}

/// Several buffers as an argument of a kernel, whose code has a part for each of them.
pub(crate) type Arrays = Sequence<Array<f32>>;

/// Divides items into dispatches. An item binds `buffers` buffers of `len(item)` values; a dispatch binds `shared` more.
pub(crate) fn dispatches<'a, R: Runtime, T>(
    client: &ComputeClient<R>,
    items: &'a [T],
    [buffers, shared]: [usize; 2],
    len: impl Fn(&T) -> usize,
) -> Vec<&'a [T]> {
    /// CubeCL's buffer of lengths and scalars.
    const INFO_BUFFERS: usize = 1;
    /// Bounds the unrolled code.
    const MOST_ITEMS: usize = 32;
    /// Positions are 32-bit numbers.
    const MOST_VALUES: usize = u32::MAX as usize - Lines::THREADS;
    let bindings = client.properties().hardware.max_bindings as usize;
    let most = (bindings.saturating_sub(INFO_BUFFERS + shared) / buffers).clamp(1, MOST_ITEMS);
    let (mut dispatches, mut first, mut values) = (Vec::new(), 0, 0_usize);
    for (at, item) in items.iter().enumerate() {
        if at - first == most || values.saturating_add(len(item)) > MOST_VALUES {
            dispatches.push(&items[first..at]);
            (first, values) = (at, 0);
        }
        values = values.saturating_add(len(item));
    }
    dispatches.push(&items[first..]);
    dispatches.retain(|items| !items.is_empty());
    dispatches
}

/// The most workgroups of a dispatch along an axis that every WebGPU adapter has.
const WORKGROUPS_PER_AXIS: usize = 65_535;

/// Returns the workgroups of a dispatch along each axis.
///
/// # Errors
/// [`Error::TooLarge`] where an axis has too many.
pub(crate) fn workgroups(count: [usize; 3]) -> Result<CubeCount, Error> {
    if let Some(&size) = count.iter().find(|&&count| count > WORKGROUPS_PER_AXIS) {
        let limit = WORKGROUPS_PER_AXIS as u64;
        return Err(Error::TooLarge { what: "a dispatch", size: size as u64, limit });
    }
    let [x, y, z] = count.map(|count| count as u32);
    Ok(CubeCount::Static(x, y, z))
}

/// A thread for each value, in lines of workgroups along the axis x.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lines {
    workgroups: [usize; 2],
}

impl Lines {
    /// Threads of a workgroup.
    pub(crate) const THREADS: usize = 256;

    /// Returns enough workgroups for some values.
    pub(crate) fn of(len: usize) -> Result<Self, Error> {
        Self::of_workgroups(len.div_ceil(Self::THREADS))
    }

    /// Returns at least this many workgroups, and at least one.
    pub(crate) fn of_workgroups(count: usize) -> Result<Self, Error> {
        let count = count.max(1);
        let lines = count.div_ceil(WORKGROUPS_PER_AXIS);
        if lines > WORKGROUPS_PER_AXIS {
            let limit = (WORKGROUPS_PER_AXIS * WORKGROUPS_PER_AXIS) as u64;
            return Err(Error::TooLarge { what: "a dispatch", size: count as u64, limit });
        }
        Ok(Self { workgroups: [count.div_ceil(lines), lines] })
    }

    pub(crate) fn count(self) -> CubeCount {
        let [x, y] = self.workgroups;
        CubeCount::Static(x as u32, y as u32, 1)
    }

    pub(crate) fn dim() -> CubeDim {
        CubeDim::new_1d(Self::THREADS as u32)
    }
}

/// Checks that the device can bind buffers of these numbers of values.
pub(crate) fn check_lens<R: Runtime>(
    client: &ComputeClient<R>,
    lens: &[(&'static str, usize)],
) -> Result<(), Error> {
    let limit = client.properties().memory.max_page_size / size_of::<f32>() as u64;
    match lens.iter().find(|(_, len)| *len as u64 > limit) {
        Some(&(what, len)) => Err(Error::TooLarge { what, size: len as u64, limit }),
        None => Ok(()),
    }
}
