//! Answers pictures in batches.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use burn::tensor::backend::{AutodiffBackend, Backend};
use nin_model::{ModelError, ModelMetadata, Precision, Weights};
use nin_train::{Prediction, Predictor, Prepared};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use super::metrics::Metrics;
use crate::backend::Task;
use crate::pictures::Picture;

/// The most pictures per batch.
pub(super) const BATCH: usize = 32;
/// The longest time that a picture waits for others that are being decoded.
const GATHERING: Duration = Duration::from_millis(4);

/// The longest time that a picture waits for a place.
const PATIENCE: Duration = Duration::from_millis(250);

/// The queue in front of the network.
pub(super) struct Queue {
    jobs: Sender<Job>,
    places: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

/// A place in the queue, held from before a picture is decoded until it has been classified.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    metrics: Arc<Metrics>,
}

/// A picture that waits for its answer.
struct Job {
    picture: Prepared,
    place: Place,
    answer: oneshot::Sender<Result<Answered, ModelError>>,
}

/// A classified picture.
pub(super) struct Answered {
    pub(super) size: [usize; 2],
    pub(super) inverted: bool,
    pub(super) prediction: Prediction,
}

/// Receives the answer, or an error if the network has no answer to this picture.
pub(super) type Receipt = oneshot::Receiver<Result<Answered, ModelError>>;

/// The network thread's end of the queue.
pub(super) struct Jobs(Receiver<Job>);

impl Queue {
    /// Returns both ends of a queue with this number of places.
    pub(super) fn new(places: usize, metrics: Arc<Metrics>) -> (Self, Jobs) {
        let (sender, receiver) = channel();
        let places = Arc::new(Semaphore::new(places));
        (Self { jobs: sender, places, metrics }, Jobs(receiver))
    }

    /// Returns a place, unless all are taken.
    #[cfg(test)]
    fn place(&self) -> Option<Place> {
        Some(self.taken(Arc::clone(&self.places).try_acquire_owned().ok()?))
    }

    /// Waits briefly for a place. Pictures whose clients are gone return theirs within milliseconds.
    pub(super) async fn place_soon(&self) -> Option<Place> {
        let permit = Arc::clone(&self.places).acquire_owned();
        let permit = timeout(PATIENCE, permit).await.ok()?.ok()?;
        Some(self.taken(permit))
    }

    fn taken(&self, permit: OwnedSemaphorePermit) -> Place {
        self.metrics.waiting.add(1);
        self.metrics.coming.add(1);
        Place { _permit: permit, metrics: Arc::clone(&self.metrics) }
    }

    /// Submits a picture. The receiver fails if the network does.
    pub(super) fn submit(&self, picture: Prepared, place: Place) -> Receipt {
        let (answer, receiver) = oneshot::channel();
        // Without a network, the job is dropped here and the receiver fails.
        let _ = self.jobs.send(Job { picture, place, answer });
        receiver
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.metrics.waiting.subtract(1);
        self.metrics.coming.subtract(1);
    }
}

/// The network thread's task: answers until the queue is dropped.
pub(super) struct AnswerAll<'a> {
    pub(super) metadata: &'a ModelMetadata,
    pub(super) weights: &'a Weights,
    pub(super) jobs: Jobs,
    pub(super) is_ready: Sender<()>,
    pub(super) metrics: &'a Metrics,
}

impl Task for AnswerAll<'_> {
    type Output = ();

    fn precision(&self) -> Precision {
        self.metadata.precision
    }

    fn run<B: AutodiffBackend>(self, device: B::Device) -> anyhow::Result<()>
    where
        B::InnerBackend: Backend<Device = B::Device>,
    {
        let predictor = Predictor::<B::InnerBackend>::new(self.metadata, self.weights, &device)?;
        // A device compiles its kernels in the first batch, before requests arrive.
        predictor.predict_prepared(&[&blank(self.metadata)])?;
        let _ = self.is_ready.send(());
        let most = self.metadata.batch_in_memory(BATCH)?;
        while let Some(batch) = self.jobs.gather(most, self.metrics) {
            let pictures: Vec<&Prepared> = batch.iter().map(|job| &job.picture).collect();
            let predictions = predict_each(&predictor, &pictures)?;
            self.metrics.count_batch(batch.len());
            for (job, prediction) in batch.into_iter().zip(predictions) {
                let Job { picture, place, answer } = job;
                drop(place);
                let (size, inverted) = (picture.original_size, picture.inverted);
                // The client may be gone.
                let answered = |prediction| Answered { size, inverted, prediction };
                let _ = answer.send(prediction.map(answered));
            }
        }
        Ok(())
    }
}

/// Predicts a batch. If a picture has no answer, predicts each by itself, so that the others get theirs.
fn predict_each<B: Backend>(
    predictor: &Predictor<B>,
    pictures: &[&Prepared],
) -> Result<Vec<Result<Prediction, ModelError>>, ModelError> {
    match predictor.predict_prepared(pictures) {
        Ok(predictions) => Ok(predictions.into_iter().map(Ok).collect()),
        Err(error @ ModelError::NonFiniteAnswers { .. }) if pictures.len() == 1 => {
            Ok(vec![Err(error)])
        }
        Err(ModelError::NonFiniteAnswers { .. }) => {
            let each = pictures.iter().map(|&picture| predict_each(predictor, &[picture]));
            Ok(each.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
        }
        Err(error) => Err(error),
    }
}

impl Jobs {
    /// Returns the next batch of at most `most` pictures, or `None` if the queue is dropped. Waits briefly for
    /// pictures that are being decoded. A picture that is alone does not wait.
    fn gather(&self, most: usize, metrics: &Metrics) -> Option<Vec<Job>> {
        loop {
            let first = self.0.recv().ok()?;
            let deadline = Instant::now() + GATHERING;
            let mut batch = vec![first];
            while batch.len() < most {
                let job = match self.0.try_recv() {
                    Ok(job) => job,
                    Err(_) if batch.len() >= metrics.coming.value() => break,
                    Err(_) => {
                        let left = deadline.saturating_duration_since(Instant::now());
                        match self.0.recv_timeout(left) {
                            Ok(job) => job,
                            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                                break;
                            }
                        }
                    }
                };
                batch.push(job);
            }
            // Drops pictures whose clients no longer wait.
            batch.retain(|job| !job.answer.is_closed());
            if !batch.is_empty() {
                return Some(batch);
            }
        }
    }
}

/// Returns a black picture of the network's input size.
fn blank(metadata: &ModelMetadata) -> Prepared {
    let [channels, height, width] = metadata.input();
    let size = [height, width];
    let picture = Picture { planes: vec![vec![0; height * width]; channels], size };
    Prepared { picture, original_size: size, inverted: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Prepared {
        let picture = Picture { planes: vec![vec![0]], size: [1, 1] };
        Prepared { picture, original_size: [1, 1], inverted: false }
    }

    #[test]
    fn a_batch_has_all_waiting_pictures_except_abandoned_ones() {
        let metrics = Arc::new(Metrics::new("flex"));
        let (queue, jobs) = Queue::new(3, Arc::clone(&metrics));
        let submit = |queue: &Queue| queue.submit(picture(), queue.place().unwrap());
        let (one, other, gone) = (submit(&queue), submit(&queue), submit(&queue));
        assert!(queue.place().is_none(), "three places are taken");
        drop(gone);
        let batch = jobs.gather(BATCH, &metrics).unwrap();
        assert_eq!(batch.len(), 2);
        drop(batch);
        assert!(queue.place().is_some() && metrics.waiting.value() == 0);
        drop((one, other, queue));
        assert!(jobs.gather(BATCH, &metrics).is_none());
    }

    #[test]
    fn a_single_picture_does_not_wait() {
        let metrics = Arc::new(Metrics::new("flex"));
        let (queue, jobs) = Queue::new(8, Arc::clone(&metrics));
        // A large one that is still decoded.
        let _large = queue.place().unwrap();
        metrics.coming.subtract(1);
        let begun = Instant::now();
        for _ in 0..1000 {
            let _answer = queue.submit(picture(), queue.place().unwrap());
            assert_eq!(jobs.gather(BATCH, &metrics).unwrap().len(), 1);
        }
        assert!(begun.elapsed() < GATHERING * 500, "{:?}", begun.elapsed());
    }
}
