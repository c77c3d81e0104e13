//! What all ranks do together, made of exchanges between two of them. The number of ranks is a power of two.

use nin_data::Share;

use super::communicator::{CommunicationError, Communicator};

/// Bytes of a 32-bit float.
const WIDTH: usize = size_of::<f32>();

/// Returns the bytes of every rank, in the order of ranks.
pub(super) fn all_gather(
    ranks: &dyn Communicator,
    own: Vec<u8>,
) -> Result<Vec<Vec<u8>>, CommunicationError> {
    // Those of the ranks that differ from this one in the last bits only.
    let mut gathered = vec![own];
    let mut distance = 1;
    while distance < ranks.size() {
        let found = exchange_all(ranks, ranks.rank() ^ distance, &gathered)?;
        if ranks.rank() & distance == 0 {
            gathered.extend(found);
        } else {
            gathered.splice(0..0, found);
        }
        distance *= 2;
    }
    Ok(gathered)
}

/// Exchanges as many byte strings of any length as the partner has.
fn exchange_all(
    ranks: &dyn Communicator,
    partner: usize,
    sent: &[Vec<u8>],
) -> Result<Vec<Vec<u8>>, CommunicationError> {
    let lengths: Vec<u8> =
        sent.iter().flat_map(|bytes| (bytes.len() as u64).to_le_bytes()).collect();
    let mut found = vec![0; lengths.len()];
    ranks.exchange(partner, &lengths, &mut found)?;
    let lengths: Vec<usize> = found
        .as_chunks::<8>()
        .0
        .iter()
        .map(|&length| u64::from_le_bytes(length) as usize)
        .collect();
    let mut found = vec![0; lengths.iter().sum()];
    ranks.exchange(partner, &sent.concat(), &mut found)?;
    let mut rest = found.as_slice();
    let mut split = Vec::with_capacity(lengths.len());
    for length in lengths {
        let (bytes, after) = rest.split_at(length);
        split.push(bytes.to_vec());
        rest = after;
    }
    Ok(split)
}

/// Returns the bytes of rank 0. The other ranks pass nothing.
pub(super) fn broadcast(
    ranks: &dyn Communicator,
    own: Vec<u8>,
) -> Result<Vec<u8>, CommunicationError> {
    let mut bytes = own;
    let mut distance = 1;
    while distance < ranks.size() {
        let rank = ranks.rank();
        if rank < 2 * distance {
            let length = (bytes.len() as u64).to_le_bytes();
            let mut found = [0; 8];
            ranks.exchange(rank ^ distance, &length, &mut found)?;
            if rank < distance {
                ranks.exchange(rank ^ distance, &bytes, &mut [])?;
            } else {
                bytes = vec![0; u64::from_le_bytes(found) as usize];
                ranks.exchange(rank ^ distance, &[], &mut bytes)?;
            }
        }
        distance *= 2;
    }
    Ok(bytes)
}

/// Adds up the values of all ranks in place, in the binary tree that gradient accumulation has: those of neighbours
/// first, then those of neighbouring pairs, and so on, always the lower rank's plus the higher one's.
///
/// `images` is the number of images of the batch. A rank whose share is empty has no values, and nothing is added for
/// it. Each level halves the part of the values that a rank adds up, and a second pass hands out the sums, so that a
/// rank sends each value less than twice.
pub(super) fn add_up(
    ranks: &dyn Communicator,
    values: &mut [f32],
    images: usize,
) -> Result<(), CommunicationError> {
    let (rank, size) = (ranks.rank(), ranks.size());
    let (mut start, mut end) = (0_usize, values.len());
    // The distance to the partner of each level, the kept half and the other one.
    let mut levels = Vec::new();
    let mut distance = 1;
    while distance < size {
        let partner = rank ^ distance;
        let middle = start.midpoint(end);
        let (kept, given) = if rank < partner {
            (start..middle, middle..end)
        } else {
            (middle..end, start..middle)
        };
        let mut found = vec![0; WIDTH * kept.len()];
        ranks.exchange(partner, &to_bytes(&values[given.clone()]), &mut found)?;
        let has_images = |rank: usize| {
            let subtree = Share { index: rank / distance, of: size / distance };
            !subtree.positions(images).is_empty()
        };
        let (ours, theirs) = (has_images(rank), has_images(partner));
        for (value, other) in values[kept.clone()].iter_mut().zip(from_bytes(&found)) {
            *value = match (ours, theirs) {
                (true, true) if rank < partner => *value + other,
                (true, true) => other + *value,
                (false, true) => other,
                (_, false) => *value,
            };
        }
        (start, end) = (kept.start, kept.end);
        levels.push((partner, kept, given));
        distance *= 2;
    }
    for (partner, kept, given) in levels.into_iter().rev() {
        let mut found = vec![0; WIDTH * given.len()];
        ranks.exchange(partner, &to_bytes(&values[kept]), &mut found)?;
        for (value, found) in values[given].iter_mut().zip(from_bytes(&found)) {
            *value = found;
        }
    }
    Ok(())
}

/// Returns the bytes of floats.
pub(super) fn to_bytes(values: &[f32]) -> Vec<u8> {
    let mut bytes = vec![0; WIDTH * values.len()];
    for (bytes, value) in bytes.as_chunks_mut::<WIDTH>().0.iter_mut().zip(values) {
        *bytes = value.to_le_bytes();
    }
    bytes
}

/// Returns the floats of [`to_bytes`].
pub(super) fn from_bytes(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks::<WIDTH>().0.iter().map(|&bytes| f32::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::super::threads::ThreadRank;
    use super::*;

    /// Runs this on each of several ranks, and returns the results in their order.
    fn on_each<T: Send>(size: usize, run: impl Fn(&ThreadRank) -> T + Sync) -> Vec<T> {
        let run = &run;
        thread::scope(|scope| {
            let threads: Vec<_> = ThreadRank::all(size)
                .into_iter()
                .map(|rank| scope.spawn(move || run(&rank)))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }

    /// Values of mixed sizes and signs, whose sum depends on its order.
    fn values(index: usize, length: usize) -> Vec<f32> {
        let value = |at: usize| {
            let hash = ((index * 7919 + at) as u32).wrapping_mul(2_654_435_761);
            ((hash >> 8) as f32 / 1e6 - 8.0) * 10_f32.powi((hash % 7) as i32)
        };
        (0..length).map(value).collect()
    }

    /// The sum over a node of the tree, in one process.
    fn summed(node: Share, leaves: usize, images: usize, length: usize) -> Option<Vec<f32>> {
        if node.of == leaves {
            let is_empty = node.positions(images).is_empty();
            return (!is_empty).then(|| values(node.index, length));
        }
        let [left, right] = node.halves().map(|half| summed(half, leaves, images, length));
        match (left, right) {
            (Some(left), Some(right)) => {
                Some(left.iter().zip(right).map(|(left, right)| left + right).collect())
            }
            (left, right) => left.or(right),
        }
    }

    #[test]
    fn any_number_of_ranks_adds_up_the_tree_of_one_process() {
        const LEAVES: usize = 16;
        for size in [1, 2, 4, 8, 16] {
            for images in [1, 2, 5, 15, 16, 100] {
                for length in [0, 1, 3, 1000] {
                    let expected = summed(Share::WHOLE, LEAVES, images, length).unwrap();
                    let bits = |values: &[f32]| -> Vec<u32> {
                        values.iter().map(|value| value.to_bits()).collect()
                    };
                    let found = on_each(size, |ranks| {
                        let share = Share { index: ranks.rank(), of: size };
                        let own = summed(share, LEAVES, images, length);
                        let mut values = own.unwrap_or_else(|| vec![f32::NAN; length]);
                        add_up(ranks, &mut values, images).unwrap();
                        bits(&values)
                    });
                    for found in found {
                        assert_eq!(found, bits(&expected), "{size} ranks, {images} images");
                    }
                }
            }
        }
        // The order matters: a sum from left to right has other bits.
        let in_order = (0..LEAVES)
            .map(|index| values(index, 1000))
            .reduce(|sum, next| sum.iter().zip(next).map(|(sum, next)| sum + next).collect());
        assert_ne!(in_order, summed(Share::WHOLE, LEAVES, 100, 1000));
    }

    #[test]
    fn every_rank_gets_the_bytes_of_all_in_their_order() {
        let bytes = |rank: usize| vec![rank as u8; 3 * rank];
        for size in [1, 2, 4, 8] {
            let expected: Vec<_> = (0..size).map(bytes).collect();
            let found = on_each(size, |ranks| all_gather(ranks, bytes(ranks.rank())).unwrap());
            assert!(found.iter().all(|found| *found == expected), "{found:?}");
            let found = on_each(size, |ranks| {
                let own = if ranks.rank() == 0 { b"from 0".to_vec() } else { Vec::new() };
                broadcast(ranks, own).unwrap()
            });
            assert!(found.iter().all(|found| found == b"from 0"), "{found:?}");
        }
    }

    #[test]
    fn a_rank_that_ends_is_an_error_of_the_others() {
        let found = on_each(4, |ranks| match ranks.rank() {
            2 => None,
            _ => Some(all_gather(ranks, vec![0; 4]).unwrap_err()),
        });
        assert_eq!(found[3].as_ref().map(|error| error.partner), Some(2));
        assert!(found.iter().flatten().all(|error| error.reason == "it has ended"), "{found:?}");
    }
}
