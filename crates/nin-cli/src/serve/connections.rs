//! Connections: limits their number, closes silent ones, and drains them at the end.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::routes;
use super::service::Service;
use super::wire::Wire;

/// The longest time that a connection may be silent, or a request's head may take.
const LONGEST_SILENCE: Duration = Duration::from_secs(10);
/// The longest time that a client may take to read an answer. The socket's buffer holds most answers, so only a
/// client that does not read exceeds it.
const LONGEST_STALL: Duration = Duration::from_secs(5);
/// How long a stopping server waits for running requests. This leaves two of ten seconds for the batch in the
/// network.
const LONGEST_DRAIN: Duration = Duration::from_secs(8);
/// The read buffer, in bytes.
const BUFFER: usize = 64 << 10;
/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 32 << 10;
/// The pause after a connection could not be accepted, because too many files are open.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a refused connection is kept open.
const LONGEST_REFUSAL: Duration = Duration::from_secs(2);
/// The answer to a connection beyond the limit.
const TOO_MANY: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\n\
    connection: close\r\nretry-after: 1\r\n\r\n\
    {\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,\
    \"detail\":\"too many connections are open\",\
    \"hint\":\"retry in a second, or raise `nin-cli serve --max-connections`\"}\n";

/// Answers connections until the service is stopped, then the running requests. Returns whether all of them were
/// answered.
pub(super) async fn serve(
    listener: std::net::TcpListener,
    service: Service,
) -> anyhow::Result<bool> {
    listener.set_nonblocking(true).context("cannot listen")?;
    let listener = TcpListener::from_std(listener).context("cannot listen")?;
    let service = Arc::new(service);
    let graceful = GracefulShutdown::new();
    service.stop.run_until_cancelled(accept_all(&listener, &service, &graceful)).await;
    // New connections are refused from here on.
    drop(listener);
    Ok(timeout(LONGEST_DRAIN, graceful.shutdown()).await.is_ok())
}

/// Accepts connections forever.
async fn accept_all(listener: &TcpListener, service: &Arc<Service>, graceful: &GracefulShutdown) {
    let places = Arc::new(Semaphore::new(service.limits.connections));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(LONGEST_SILENCE.min(service.limits.patience))
        .max_buf_size(BUFFER)
        .max_header_size(LONGEST_HEAD)
        // A client that shut down its sending half may still wait for an answer.
        .half_close(true);
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                if !is_the_clients(&error) {
                    sleep(PAUSE).await;
                }
                continue;
            }
        };
        // Answers are short and should not wait for more data.
        let _ = stream.set_nodelay(true);
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            service.metrics.count_refused_connection();
            tokio::spawn(refuse(stream));
            continue;
        };
        let service = Arc::clone(service);
        let open = Open::new(&service);
        let wire = Wire::new(stream, LONGEST_STALL);
        let presence = wire.presence();
        let answer = service_fn(move |request| {
            let (service, presence) = (Arc::clone(&service), presence.clone());
            async move { Ok::<_, Infallible>(routes::answer(service, presence, request).await) }
        });
        let connection = graceful.watch(http.serve_connection(TokioIo::new(wire), answer));
        tokio::spawn(async move {
            // Ignores clients that disconnect.
            let _ = connection.await;
            drop((open, place));
        });
    }
}

/// A counted connection.
struct Open(Arc<Service>);

impl Open {
    fn new(service: &Arc<Service>) -> Self {
        service.metrics.connections.add(1);
        Self(Arc::clone(service))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.metrics.connections.subtract(1);
    }
}

/// Refuses a client, and reads until it is gone. A connection that is closed with unread data is reset, and the
/// client may lose the answer.
async fn refuse(mut stream: TcpStream) {
    let telling = async {
        stream.write_all(TOO_MANY.as_bytes()).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    };
    let _ = timeout(LONGEST_REFUSAL, telling).await;
}

fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    [ConnectionAborted, ConnectionRefused, ConnectionReset].contains(&error.kind())
}
