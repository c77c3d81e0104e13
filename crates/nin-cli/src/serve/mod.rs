//! `serve`: HTTP around one network.
//!
//! One thread owns the network and answers pictures in batches ([`batches`]); one thread speaks
//! HTTP; a few threads decode pictures ([`lanes`]). All memory that requests can ask for is bounded by
//! [`Limits`], and no part of a request is ever taken for a path. docs/threat-model.md says what is promised
//! to whom.

mod assets;
mod batches;
mod connections;
mod gallery;
mod lanes;
mod memory;
mod metrics;
mod multipart;
mod origin;
mod problem;
mod requests;
mod routes;
mod wire;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use nin_model::{ModelMetadata, Weights};
use serde_json::json;
use tokio::sync::watch;

use crate::answer::Threshold;
use crate::backend::{Selected, default_threads};
use crate::failure::CommandError;
use crate::output::note;
use crate::pictures::Invert;
use batches::{AnswerAll, Queue};
use gallery::Gallery;
use lanes::Lanes;
use memory::BodyMemory;
use metrics::Metrics;
use nin_train::Preparation;
pub use origin::AllowedHosts;

/// What pictures take, in bytes, that are decoded and wait for the network: fewer may wait where the network
/// takes large ones.
const PREPARED_BYTES: usize = 256 << 20;

/// What requests may ask for.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest body, in bytes.
    pub body_bytes: usize,
    /// Pictures that wait for their answers.
    pub queue: usize,
    /// Open connections.
    pub connections: usize,
    /// How long a request may take to come in, and again to be answered.
    pub patience: Duration,
}

/// How the server answers where a request does not say otherwise.
#[derive(Debug, Clone, Copy, Default)]
pub struct Defaults {
    /// The least probability of an answer.
    pub threshold: Option<Threshold>,
}

/// Ends a server, from any thread.
#[derive(Clone)]
pub struct StopSwitch(Arc<watch::Sender<bool>>);

/// Tells a server that it is to end.
#[derive(Clone)]
pub struct Stopped(watch::Receiver<bool>);

/// A switch, and what it acts upon.
pub fn stop_switch() -> (StopSwitch, Stopped) {
    let (sender, receiver) = watch::channel(false);
    (StopSwitch(Arc::new(sender)), Stopped(receiver))
}

impl StopSwitch {
    /// Asks the server to answer what was begun, and to end.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stopped {
    fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for it.
    async fn wait(&mut self) {
        // An error says that no switch is left to be thrown.
        let _ = self.0.wait_for(|stopped| *stopped).await;
    }
}

/// Everything that answering a request takes.
struct Service {
    metadata: ModelMetadata,
    /// How a picture becomes an input, by `?invert=`.
    preparations: [(Invert, Preparation); 3],
    gallery: Gallery,
    /// What `/v1/model` says.
    description: String,
    limits: Limits,
    defaults: Defaults,
    hosts: AllowedHosts,
    bodies: BodyMemory,
    lanes: Lanes,
    queue: Queue,
    metrics: Arc<Metrics>,
    stopped: Stopped,
}

impl Service {
    fn preparation(&self, invert: Invert) -> Preparation {
        let named = self.preparations.iter().find(|(name, _)| *name == invert);
        // Each of the three is there.
        named.unwrap_or(&self.preparations[0]).1.clone()
    }
}

/// A server that does not listen yet.
pub struct Server {
    metadata: ModelMetadata,
    selected: Selected,
    limits: Limits,
    defaults: Defaults,
    hosts: AllowedHosts,
    gallery: Gallery,
}

impl Server {
    /// A server of this network.
    pub fn new(
        metadata: ModelMetadata,
        selected: Selected,
        limits: Limits,
        defaults: Defaults,
        hosts: AllowedHosts,
    ) -> anyhow::Result<Self> {
        let gallery = Gallery::of(&metadata)?;
        let most = (PREPARED_BYTES / metadata.input().iter().product::<usize>().max(1)).max(1);
        let limits = Limits { queue: limits.queue.min(most), ..limits };
        Ok(Self { metadata, selected, limits, defaults, hosts, gallery })
    }

    /// Serves until `stopped`, and until what was begun by then is answered. `ready` is called with
    /// the device's description once requests are answered.
    pub fn run(
        self,
        weights: &Weights,
        listener: TcpListener,
        stopped: &Stopped,
        ready: impl FnOnce(String) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let metrics = Arc::new(Metrics::new(self.selected.backend.name()));
        let (queue, jobs) = Queue::new(self.limits.queue, Arc::clone(&metrics));
        let (is_ready, readiness) = channel();
        // However the network's thread ends, the server does not go on without it.
        let (end, mut ended) = stop_switch();
        let answering =
            AnswerAll { metadata: &self.metadata, weights, jobs, is_ready, metrics: &metrics };
        thread::scope(|scope| {
            let selected = &self.selected;
            let network = scope.spawn(move || {
                let _end = EndsServer(end);
                selected.run(answering)
            });
            // The sender is dropped without a word where the network could not be built.
            let outcome = readiness.recv().is_ok().then(|| {
                ready(selected.describe())?;
                let service = self.service(queue, Arc::clone(&metrics), stopped.clone());
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .max_blocking_threads(default_threads())
                    .build()
                    .context("cannot start the server")?;
                let drained = runtime.block_on(async {
                    let mut stopped = stopped.clone();
                    let until = first_of(async move { stopped.wait().await }, async move {
                        ended.wait().await;
                    });
                    connections::serve(listener, service, until).await
                });
                // Nothing that is still decoded then is waited for.
                runtime.shutdown_background();
                drained
            });
            match network.join() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(error),
                Err(_panic) => {
                    return Err(CommandError::new(
                        "the network's thread ended unexpectedly",
                        "its message stands above; another --backend may do",
                    )
                    .into());
                }
            }
            let drained = outcome.transpose()?.unwrap_or(true);
            note(if drained { "ended" } else { "ended; some connections had to be cut" });
            Ok(())
        })
    }

    fn service(&self, queue: Queue, metrics: Arc<Metrics>, stopped: Stopped) -> Service {
        let preparation = |invert: Invert| {
            (invert, Preparation::new(&self.metadata).with_inversion(invert.into()))
        };
        Service {
            preparations: [Invert::Auto, Invert::Yes, Invert::No].map(preparation),
            gallery: self.gallery.clone(),
            description: self.description(),
            metadata: self.metadata.clone(),
            limits: self.limits,
            defaults: self.defaults,
            hosts: self.hosts.clone(),
            bodies: BodyMemory::new(self.limits.body_bytes),
            lanes: Lanes::new(default_threads(), self.limits.queue, Arc::clone(&metrics)),
            queue,
            metrics,
            stopped,
        }
    }

    /// What the page needs to know of the network.
    fn description(&self) -> String {
        let Self { metadata, selected, limits, defaults, gallery, .. } = self;
        let parameters =
            metadata.architecture.shapes(metadata.input()).map_or(0, |shapes| shapes.parameters());
        json!({
            "architecture": metadata.architecture.name(),
            "parameters": parameters,
            "dataset": metadata.dataset,
            "classes": metadata.classes,
            "input": metadata.input(),
            "backend": selected.backend.name(),
            "device": selected.device,
            "version": env!("CARGO_PKG_VERSION"),
            "body_limit_bytes": limits.body_bytes,
            "threshold": defaults.threshold.map(Threshold::probability),
            "fit": metadata.preprocessing.fit,
            "gallery": gallery.labels(),
        })
        .to_string()
    }
}

/// Ends the server when it goes out of scope, in a panic too.
struct EndsServer(StopSwitch);

impl Drop for EndsServer {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Waits for one of two.
async fn first_of(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (Box::pin(one), Box::pin(other));
    std::future::poll_fn(|context| {
        if one.as_mut().poll(context).is_ready() {
            return std::task::Poll::Ready(());
        }
        other.as_mut().poll(context)
    })
    .await;
}
