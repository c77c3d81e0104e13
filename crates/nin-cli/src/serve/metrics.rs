//! The server's metrics, in Prometheus's text format (version 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Upper bounds of the histogram of response times, in seconds.
const BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// All metrics.
pub(super) struct Metrics {
    backend: &'static str,
    started: Instant,
    /// By route and status.
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
    times: Histogram,
    batches: AtomicU64,
    pictures: AtomicU64,
    /// Pictures in the queue or being decoded for it.
    pub(super) waiting: Gauge,
    /// Those that reach the network soon. Large pictures count only once they are decoded.
    pub(super) coming: Gauge,
    /// Open connections.
    pub(super) connections: Gauge,
    refused_connections: AtomicU64,
    abandoned: AtomicU64,
}

/// A current number.
#[derive(Default)]
pub(super) struct Gauge(AtomicUsize);

#[derive(Default)]
struct Histogram {
    counts: [AtomicU64; BUCKETS.len()],
    all: AtomicU64,
    sum_micros: AtomicU64,
}

impl Metrics {
    pub(super) fn new(backend: &'static str) -> Self {
        Self {
            backend,
            started: Instant::now(),
            requests: Mutex::default(),
            times: Histogram::default(),
            batches: AtomicU64::default(),
            pictures: AtomicU64::default(),
            waiting: Gauge::default(),
            coming: Gauge::default(),
            connections: Gauge::default(),
            refused_connections: AtomicU64::default(),
            abandoned: AtomicU64::default(),
        }
    }

    /// Counts an answered request, and its time if it is a prediction.
    pub(super) fn count_request(
        &self,
        route: &'static str,
        status: u16,
        elapsed: Option<Duration>,
    ) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((route, status)).or_default() += 1;
        if let Some(elapsed) = elapsed {
            self.times.observe(elapsed);
        }
    }

    /// Counts a batch of pictures.
    pub(super) fn count_batch(&self, pictures: usize) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.pictures.fetch_add(pictures as u64, Ordering::Relaxed);
    }

    /// Counts a refused connection.
    pub(super) fn count_refused_connection(&self) {
        self.refused_connections.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a picture whose client was gone before it was decoded.
    pub(super) fn count_abandoned(&self) {
        self.abandoned.fetch_add(1, Ordering::Relaxed);
    }

    /// Formats all metrics.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut metric = |name: &str, kind: &str, help: &str, lines: &[(String, String)]| {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in lines {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        };
        let one = |value: String| [(String::new(), value)];
        let read = |value: &AtomicU64| one(value.load(Ordering::Relaxed).to_string());

        let version = env!("CARGO_PKG_VERSION");
        let labels = format!("{{version=\"{version}\",backend=\"{}\"}}", self.backend);
        metric("nin_build_info", "gauge", "Version and backend.", &[(labels, "1".to_owned())]);
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let requests: Vec<_> = requests
            .into_iter()
            .map(|((route, status), count)| {
                (format!("{{route=\"{route}\",status=\"{status}\"}}"), count.to_string())
            })
            .collect();
        metric("nin_http_requests_total", "counter", "Answered requests.", &requests);
        let name = "nin_batches_total";
        metric(name, "counter", "Batches run through the network.", &read(&self.batches));
        let name = "nin_pictures_total";
        metric(name, "counter", "Pictures run through the network.", &read(&self.pictures));
        let name = "nin_queue_pictures";
        let waiting = one(self.waiting.value().to_string());
        metric(name, "gauge", "Pictures waiting for an answer.", &waiting);
        let connections = one(self.connections.value().to_string());
        metric("nin_connections", "gauge", "Open connections.", &connections);
        let name = "nin_connections_refused_total";
        let refused = read(&self.refused_connections);
        metric(name, "counter", "Connections refused at the limit.", &refused);
        let name = "nin_abandoned_pictures_total";
        let help = "Large pictures whose clients disconnected before their turn.";
        metric(name, "counter", help, &read(&self.abandoned));
        if let Some(bytes) = resident_bytes() {
            let name = "process_resident_memory_bytes";
            metric(name, "gauge", "Resident memory size in bytes.", &one(bytes.to_string()));
        }
        let uptime = one(format!("{:.3}", self.started.elapsed().as_secs_f64()));
        metric("nin_uptime_seconds", "gauge", "Seconds since the start.", &uptime);
        text + &self
            .times
            .text("nin_predict_duration_seconds", "Time from a complete request to its answer.")
    }
}

impl Gauge {
    pub(super) fn add(&self, count: usize) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn subtract(&self, count: usize) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }

    pub(super) fn value(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Histogram {
    fn observe(&self, elapsed: Duration) {
        let secs = elapsed.as_secs_f64();
        for (bucket, count) in BUCKETS.iter().zip(&self.counts) {
            if secs <= *bucket {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.all.fetch_add(1, Ordering::Relaxed);
        self.sum_micros.fetch_add(elapsed.as_micros() as u64, Ordering::Relaxed);
    }

    fn text(&self, name: &str, help: &str) -> String {
        let mut text = format!("# HELP {name} {help}\n# TYPE {name} histogram\n");
        for (bucket, count) in BUCKETS.iter().zip(&self.counts) {
            let count = count.load(Ordering::Relaxed);
            let _ = writeln!(text, "{name}_bucket{{le=\"{bucket}\"}} {count}");
        }
        let all = self.all.load(Ordering::Relaxed);
        let secs = self.sum_micros.load(Ordering::Relaxed) as f64 / 1e6;
        let _ = writeln!(
            text,
            "{name}_bucket{{le=\"+Inf\"}} {all}\n{name}_sum {secs}\n{name}_count {all}"
        );
        text
    }
}

/// Returns the resident memory of this process in bytes, on Linux.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative() {
        let metrics = Metrics::new("flex");
        for millis in [3, 30, 60_000] {
            metrics.count_request("/v1/predict", 200, Some(Duration::from_millis(millis)));
        }
        let text = metrics.text();
        for line in [
            "nin_http_requests_total{route=\"/v1/predict\",status=\"200\"} 3",
            "nin_predict_duration_seconds_bucket{le=\"0.0025\"} 0",
            "nin_predict_duration_seconds_bucket{le=\"0.005\"} 1",
            "nin_predict_duration_seconds_bucket{le=\"30\"} 2",
            "nin_predict_duration_seconds_bucket{le=\"+Inf\"} 3",
            "nin_predict_duration_seconds_sum 60.033",
        ] {
            assert!(text.contains(&format!("{line}\n")), "{line} is not in {text}");
        }
    }
}
