//! A client's connection: detects clients that are gone or do not read.

use std::io::{self, ErrorKind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{Sleep, sleep};

/// The interval at which a client with further requests is checked.
const LOOK: Duration = Duration::from_millis(100);

/// A connection that fails if its client does not read in time.
pub(super) struct Wire {
    reader: Arc<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    write_timeout: Duration,
    /// Runs while the client does not read.
    stall: Option<Pin<Box<Sleep>>>,
}

/// Tells whether a connection's client is still there.
#[derive(Clone)]
pub(super) struct Presence(Arc<OwnedReadHalf>);

impl Wire {
    pub(super) fn new(stream: TcpStream, write_timeout: Duration) -> Self {
        let (reader, writer) = stream.into_split();
        Self { reader: Arc::new(reader), writer, write_timeout, stall: None }
    }

    pub(super) fn presence(&self) -> Presence {
        Presence(Arc::clone(&self.reader))
    }

    /// Returns the result of a write, or an error if the client has stalled for too long.
    fn in_time<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_pending() {
            let timeout = self.write_timeout;
            let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(timeout)));
            ready!(stall.as_mut().poll(context));
            return Poll::Ready(Err(ErrorKind::TimedOut.into()));
        }
        written
    }
}

impl Presence {
    /// Returns whether the client has closed its side of the connection. A client that only shut down its sending
    /// half looks the same.
    pub(super) fn has_hung_up(&self) -> bool {
        let ready = pin!(self.0.ready(Interest::READABLE));
        match ready.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(ready) => is_closed(&ready),
            Poll::Pending => false,
        }
    }

    /// Waits until the client has closed its side.
    pub(super) async fn hung_up(&self) {
        while !is_closed(&self.0.ready(Interest::READABLE).await) {
            // An unread request also makes the connection readable.
            sleep(LOOK).await;
        }
    }
}

fn is_closed(ready: &io::Result<Ready>) -> bool {
    ready.as_ref().map_or(true, |ready| ready.is_read_closed())
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream: &TcpStream = (*self.reader).as_ref();
        loop {
            ready!(stream.poll_read_ready(context))?;
            match stream.try_read(buffer.initialize_unfilled()) {
                Ok(length) => {
                    buffer.advance(length);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.writer).poll_write(context, bytes);
        self.in_time(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.writer).poll_write_vectored(context, slices);
        self.in_time(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.writer.is_write_vectored()
    }

    /// Called once all bytes are written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stall = None;
        Pin::new(&mut self.writer).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_shutdown(context)
    }
}
