//! `serve`: serves a page that classifies pictures, and an HTTP interface.

use std::io::ErrorKind;
use std::net::{TcpListener, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::arguments::ServeArguments;
use crate::backend::Selected;
use crate::error::CommandError;
use crate::interrupt;
use crate::output::{note, print_text};
use crate::serve::{AllowedHosts, Defaults, Limits, Server};
use crate::threshold::checked_threshold;

pub fn run(arguments: &ServeArguments) -> anyhow::Result<ExitCode> {
    let threshold = arguments.threshold.map(checked_threshold).transpose()?;
    let (metadata, weights) = arguments.checkpoint.load()?;
    // Refuses a network that is too large before anything listens.
    metadata.batch_in_memory(1)?;
    let listener = listen(&arguments.addr)?;
    let selected = Selected::choose(arguments.device.request_for(&weights))?;
    selected.note_format(metadata.precision, &weights);
    let limits = Limits {
        body_bytes: usize::from(arguments.max_body) << 20,
        queue: usize::from(arguments.max_queue),
        connections: usize::from(arguments.max_connections),
        patience: Duration::from_secs(u64::from(arguments.timeout)),
    };
    let stop = CancellationToken::new();
    let on_signal = stop.clone();
    interrupt::on_signal(move || on_signal.cancel())?;

    let address = listener.local_addr()?;
    let hosts = AllowedHosts::new(name_of(&arguments.addr), &arguments.allow_host);
    let server = Server::new(metadata, selected, limits, Defaults { threshold }, hosts)?;
    server.run(&weights, listener, &stop, |device| {
        note(format!("the network runs on {device}"));
        if !address.ip().is_loopback() {
            note(
                "warning: anyone who can reach this address can use the server: no password, no \
                 encryption",
            );
        }
        note("press Ctrl-C to stop");
        print_text(&format!("http://{address}"))
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the host name or IP address in an address.
fn name_of(address: &str) -> Option<&str> {
    address.rsplit_once(':').map(|(name, _)| name)
}

fn listen(address: &str) -> anyhow::Result<TcpListener> {
    let resolved = address.to_socket_addrs().map_err(|error| {
        CommandError::new(
            format!("`{address}` is not an address: {error}"),
            "pass a host and a port, such as --addr 127.0.0.1:8080",
        )
    })?;
    TcpListener::bind(&resolved.collect::<Vec<_>>()[..]).map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::PermissionDenied => "ports below 1024 need privileges: choose a higher one",
            _ => "another program may use the port: choose another one, or 0 for a free one",
        };
        CommandError::new(format!("cannot listen on `{address}`: {error}"), hint).into()
    })
}
