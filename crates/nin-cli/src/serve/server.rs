//! The server: one thread runs the network, one speaks HTTP.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use anyhow::Context;
use nin_model::{ModelMetadata, Weights};
use nin_train::Preparation;
use tokio_util::sync::CancellationToken;

use super::batches::{AnswerAll, Queue};
use super::connections;
use super::lanes::Lanes;
use super::limits::{Defaults, Limits};
use super::memory::BodyMemory;
use super::metrics::Metrics;
use super::origin::AllowedHosts;
use super::service::Service;
use crate::backend::{Selected, default_threads};
use crate::error::CommandError;
use crate::output::note;
use crate::page::{Gallery, Place, description};
use crate::pictures::Invert;

/// Memory for prepared pictures that wait for the network, in bytes. Where the network takes large
/// pictures, fewer may wait.
const PREPARED_BYTES: usize = 256 << 20;

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
    /// Returns a server of this network.
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

    /// Serves until `stop` is cancelled, then answers the running requests. Calls `ready` with
    /// the device's description once requests are answered.
    ///
    /// # Errors
    /// Those of the network and of `ready`; a socket that cannot listen.
    pub fn run(
        self,
        weights: &Weights,
        listener: TcpListener,
        stop: &CancellationToken,
        ready: impl FnOnce(String) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let metrics = Arc::new(Metrics::new(self.selected.backend.name()));
        let (queue, jobs) = Queue::new(self.limits.queue, Arc::clone(&metrics));
        let (is_ready, readiness) = channel();
        let answering =
            AnswerAll { metadata: &self.metadata, weights, jobs, is_ready, metrics: &metrics };
        let stop = stop.child_token();
        // Without the network's thread, even one that panicked, the server ends.
        let stop_without_network = stop.clone().drop_guard();
        thread::scope(|scope| {
            let selected = &self.selected;
            let network = scope.spawn(move || {
                let _stop = stop_without_network;
                selected.run(answering)
            });
            // The sender is dropped if the network could not be built.
            let outcome = readiness.recv().is_ok().then(|| {
                ready(selected.describe())?;
                self.answer_requests(listener, queue, &metrics, &stop)
            });
            match network.join() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(error),
                Err(_panic) => {
                    return Err(CommandError::new(
                        "the network thread ended unexpectedly",
                        "see its message above, or try another --backend",
                    )
                    .into());
                }
            }
            let drained = outcome.transpose()?.unwrap_or(true);
            note(if drained { "stopped" } else { "stopped; some connections were closed early" });
            Ok(())
        })
    }

    /// Answers requests until `stop` is cancelled. Returns whether all running requests were answered.
    fn answer_requests(
        &self,
        listener: TcpListener,
        queue: Queue,
        metrics: &Arc<Metrics>,
        stop: &CancellationToken,
    ) -> anyhow::Result<bool> {
        let service = self.service(queue, Arc::clone(metrics), stop.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(default_threads())
            .build()
            .context("cannot start the server")?;
        let drained = runtime.block_on(connections::serve(listener, service));
        // Does not wait for what is still being decoded.
        runtime.shutdown_background();
        drained
    }

    fn service(&self, queue: Queue, metrics: Arc<Metrics>, stop: CancellationToken) -> Service {
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
            stop,
        }
    }

    /// Returns what the page needs to know about the network, as JSON.
    fn description(&self) -> String {
        let Self { metadata, selected, limits, defaults, gallery, .. } = self;
        let place = Place { backend: selected.backend.name(), device: &selected.device };
        let mut described = description(metadata, gallery, defaults.threshold, &place);
        described["body_limit_bytes"] = limits.body_bytes.into();
        described.to_string()
    }
}
