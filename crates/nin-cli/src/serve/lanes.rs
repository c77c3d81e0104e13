//! Decodes pictures: small ones on every core, large ones in separate lanes.
//!
//! A file of a few kilobytes can contain a picture that takes seconds to decode. Such pictures wait for each other.
//! They never delay small ones, and are dropped when their client is gone.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use nin_data::{Picture, PictureHeader};
use nin_train::{Preparation, Prepared};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::spawn_blocking;

use super::metrics::Metrics;
use super::problem::Problem;
use super::requests::Upload;
use super::wire::Presence;
use crate::backend::lower_thread_priority;

/// Pictures with more pixels are large. A megapixel takes a few milliseconds to decode.
pub(super) const MOST_SMALL_PIXELS: usize = 1 << 20;
/// Pictures with more pixels are huge. One of them is decoded at a time, on any number of cores.
pub(super) const MOST_LARGE_PIXELS: usize = 1 << 24;
/// The most lanes for large pictures.
const MOST_LARGE_LANES: usize = 4;
/// The longest side of a picture.
const LONGEST_SIDE: usize = 32_768;
/// After a shorter wait for a small picture's turn, the client is not checked. A client that shut down its sending
/// half looks as if it were gone, but may still wait.
const PATIENT: Duration = Duration::from_millis(100);
/// The largest ratio of the sides. Shorter sides count as [`SHORTEST_SIDE`].
const LARGEST_RATIO: usize = 100;
const SHORTEST_SIDE: usize = 32;

/// The lanes.
pub(super) struct Lanes {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
    huge: Arc<Semaphore>,
    /// Places for large pictures that wait.
    large_places: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

/// The outcome of the lane for small pictures.
enum Decoded {
    Prepared(Prepared),
    /// The picture is too large for this lane.
    Large {
        upload: Upload,
        pixels: usize,
    },
}

/// The work on one picture.
pub(super) struct Work {
    pub(super) upload: Upload,
    pub(super) preparation: Preparation,
    pub(super) presence: Presence,
}

impl Lanes {
    /// Returns lanes for this many cores. A quarter of the waiting pictures may be large.
    pub(super) fn new(cores: usize, places: usize, metrics: Arc<Metrics>) -> Self {
        let lane = |places: usize| Arc::new(Semaphore::new(places));
        Self {
            small: lane(cores),
            large: lane(Self::large_lanes(cores)),
            huge: lane(1),
            large_places: lane((places / 4).max(1)),
            metrics,
        }
    }

    /// Returns the number of large pictures that are decoded at a time.
    pub(super) fn large_lanes(cores: usize) -> usize {
        (cores / 2).clamp(1, MOST_LARGE_LANES)
    }

    /// Decodes and prepares a picture when its turn comes.
    pub(super) async fn prepare(&self, work: Work) -> Result<Prepared, Problem> {
        let Work { upload, preparation, presence } = work;
        let asked = Instant::now();
        let lane = wait_for_lane(&self.small).await?;
        if asked.elapsed() > PATIENT && presence.has_hung_up() {
            return Err(self.abandoned());
        }
        let small = preparation.clone();
        let decoded = spawn_blocking(move || {
            let _lane = lane;
            decode_if_small(upload, &small)
        });
        let (upload, pixels) = match decoded.await.map_err(|_| broken())?? {
            Decoded::Prepared(prepared) => return Ok(prepared),
            Decoded::Large { upload, pixels } => (upload, pixels),
        };
        // Batches do not wait for it.
        let _large = LargePicture::new(&self.metrics);
        let place = Arc::clone(&self.large_places).try_acquire_owned().map_err(|_| busy())?;
        let mut lane = None;
        let waiting = async {
            // The lane of huge pictures first: waiting for it must not block a lane for large ones.
            let huge = if pixels > MOST_LARGE_PIXELS {
                Some(wait_for_lane(&self.huge).await)
            } else {
                None
            };
            lane = Some((huge.transpose(), wait_for_lane(&self.large).await));
        };
        tokio::select! {
            biased;
            () = waiting => {}
            () = presence.hung_up() => {}
        }
        let Some((huge, large)) = lane else { return Err(self.abandoned()) };
        let (huge, large) = (huge?, large?);
        if presence.has_hung_up() {
            return Err(self.abandoned());
        }
        in_background(move || {
            let _lane = (place, huge, large);
            Ok(Picture::decode_then(upload.picture()?, |picture| preparation.prepare(picture))??)
        })
        .await
    }

    /// Returns the problem of an abandoned picture. Only a client that shut down its sending half can read it.
    fn abandoned(&self) -> Problem {
        self.metrics.count_abandoned();
        Problem::new(
            StatusCode::BAD_REQUEST,
            "the client closed the connection before its picture's turn",
            "keep the connection open until the answer arrives",
        )
    }
}

/// Marks a large picture that is waiting or being decoded.
struct LargePicture<'a>(&'a Metrics);

impl<'a> LargePicture<'a> {
    fn new(metrics: &'a Metrics) -> Self {
        metrics.coming.subtract(1);
        Self(metrics)
    }
}

impl Drop for LargePicture<'_> {
    fn drop(&mut self) {
        self.0.coming.add(1);
    }
}

/// Runs work in a thread of low priority. The thread is new, because a thread cannot raise its priority again.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let (sender, done) = oneshot::channel();
    let thread = thread::Builder::new().name("large picture".to_owned()).spawn(move || {
        lower_thread_priority();
        // The client may be gone.
        let _ = sender.send(work());
    });
    thread.map_err(|_| busy())?;
    done.await.map_err(|_| broken())?
}

/// Waits for a place in a lane.
async fn wait_for_lane(lane: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(lane).acquire_owned().await.map_err(|_| broken())
}

/// Reads a picture's header, and decodes the picture if it is small.
fn decode_if_small(upload: Upload, preparation: &Preparation) -> Result<Decoded, Problem> {
    let picture = upload.picture()?;
    let [height, width] = PictureHeader::read(picture)?.size;
    check_sides(height, width)?;
    let pixels = height * width;
    if pixels > MOST_SMALL_PIXELS {
        return Ok(Decoded::Large { upload, pixels });
    }
    Ok(Decoded::Prepared(preparation.prepare(Picture::decode(picture)?)?))
}

fn check_sides(height: usize, width: usize) -> Result<(), Problem> {
    let (short, long) = (height.min(width), height.max(width));
    let is_long = long > LONGEST_SIDE;
    if !is_long && long <= LARGEST_RATIO * short.max(SHORTEST_SIDE) {
        return Ok(());
    }
    let allowed = if is_long {
        format!("no side may be longer than {LONGEST_SIDE}")
    } else {
        format!("no side may be more than {LARGEST_RATIO} times as long as the other")
    };
    Err(Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("{width}x{height} pixels: {allowed}"),
        "crop it or scale it down: the network resizes it to its input size anyway",
    ))
}

fn busy() -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too many large pictures are already waiting",
        "retry in a second, or send a picture of at most one megapixel; large ones get a quarter \
         of --max-queue",
    )
}

fn broken() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "a decoder failed on the picture",
        "convert the picture and try again; please report the bug with the picture",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_and_their_ratio_are_limited() {
        for (height, width, is_taken) in [
            (1, 1, true),
            (1, 3200, true),
            (1, 3201, false),
            (40, 4000, true),
            (40, 4001, false),
            (32_768, 2048, true),
            (32_769, 2048, false),
            (65_535, 1024, false),
        ] {
            assert_eq!(check_sides(height, width).is_ok(), is_taken, "{height}x{width}");
            assert_eq!(check_sides(width, height).is_ok(), is_taken, "{width}x{height}");
        }
    }

    #[test]
    fn one_core_has_a_lane_of_each() {
        assert_eq!([1, 2, 4, 64].map(Lanes::large_lanes), [1, 1, 2, 4]);
    }
}
