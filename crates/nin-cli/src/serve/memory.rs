//! Limits the memory of request bodies while they arrive.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The bytes of a body that are not counted. The number of connections bounds them, and small pictures never
/// compete with large ones.
pub(super) const FREE_BYTES: usize = 64 << 10;
/// The number of large bodies that fit at a time.
pub(super) const LARGE_BODIES: usize = 8;
/// The bytes per permit.
const UNIT: usize = 4 << 10;

/// The memory for all large bodies.
#[derive(Debug)]
pub(super) struct BodyMemory(Arc<Semaphore>);

/// The received part of a body, with its share of the memory.
#[derive(Debug, Default)]
pub(super) struct Body {
    bytes: Vec<u8>,
    share: Option<OwnedSemaphorePermit>,
}

/// All memory for bodies is taken.
#[derive(Debug)]
pub(super) struct Full;

impl BodyMemory {
    /// Returns memory for bodies of up to this many bytes each.
    pub(super) fn new(largest: usize) -> Self {
        Self(Arc::new(Semaphore::new(LARGE_BODIES * largest.div_ceil(UNIT))))
    }

    /// Appends to a body. Reserves memory before using it, doubling at most.
    pub(super) fn append(&self, body: &mut Body, data: &[u8], largest: usize) -> Result<(), Full> {
        let (length, capacity) = (body.bytes.len() + data.len(), body.bytes.capacity());
        if length > capacity {
            let most = if length <= FREE_BYTES { FREE_BYTES } else { largest.max(length) };
            let wanted = length.max(2 * capacity).min(most);
            let more = wanted.saturating_sub(FREE_BYTES).div_ceil(UNIT);
            let taken = body.share.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
            if let Some(more @ 1..) = more.checked_sub(taken) {
                let more = Arc::clone(&self.0).try_acquire_many_owned(more as u32);
                let more = more.map_err(|_| Full)?;
                match &mut body.share {
                    Some(share) => share.merge(more),
                    None => body.share = Some(more),
                }
            }
            body.bytes.reserve_exact(wanted - body.bytes.len());
        }
        body.bytes.extend_from_slice(data);
        Ok(())
    }
}

impl Body {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGEST: usize = 1 << 20;

    /// Receives a body of this length in pieces.
    fn received(memory: &BodyMemory, length: usize) -> Result<Body, Full> {
        let mut body = Body::default();
        for piece in vec![7; length].chunks(10_000) {
            memory.append(&mut body, piece, LARGEST)?;
        }
        Ok(body)
    }

    #[test]
    fn large_bodies_share_a_budget_and_small_ones_need_none() {
        let memory = BodyMemory::new(LARGEST);
        let large: Result<Vec<Body>, Full> =
            (0..LARGE_BODIES).map(|_| received(&memory, LARGEST)).collect();
        let large = large.unwrap();
        assert!(large.iter().all(|body| body.bytes().len() == LARGEST));
        let capacity: usize = large.iter().map(|body| body.bytes.capacity()).sum();
        assert!(capacity <= LARGE_BODIES * LARGEST, "{capacity}");
        assert!(received(&memory, LARGEST).is_err());
        assert!(received(&memory, FREE_BYTES).is_ok());
        drop(large);
        assert!(received(&memory, LARGEST).is_ok());
    }
}
