//! One request: appends the rest of a file to an incomplete one.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, CONTENT_RANGE, RANGE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};

use super::FetchError;

/// More than the largest compressed file of a known data set, in bytes.
const LARGEST_FILE: u64 = 64 << 20;
/// Redirects to follow.
const MOST_REDIRECTS: usize = 5;
/// The timeout of a whole file.
const LONGEST_REQUEST: Duration = Duration::from_mins(30);

/// Returns a client that gives up on a server that is silent for `silence`. Takes proxies from the environment:
/// `https_proxy`, `http_proxy`, `all_proxy`, `no_proxy`.
pub(super) fn client(silence: Duration) -> reqwest::Result<Client> {
    Client::builder()
        .user_agent(concat!("nin-cli/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::limited(MOST_REDIRECTS))
        .connect_timeout(silence)
        .read_timeout(silence)
        .timeout(LONGEST_REQUEST)
        .build()
}

/// Appends the rest of the server's file to `part`.
pub(super) async fn append(
    client: &Client,
    address: &str,
    part: &mut File,
    path: &Path,
) -> Result<(), FetchError> {
    let failed = |action| move |source| FetchError::Io { path: path.to_owned(), action, source };
    let too_large = || FetchError::TooLarge { address: address.to_owned(), most: LARGEST_FILE };
    let mut bytes = part.seek(SeekFrom::End(0)).map_err(failed("read"))?;
    let mut request = client.get(address).header(ACCEPT_ENCODING, "identity");
    if bytes > 0 {
        request = request.header(RANGE, format!("bytes={bytes}-"));
    }
    let mut response = request.send().await.map_err(|error| refused(address, bytes, error))?;
    match response.status().as_u16() {
        206 if bytes > 0 && first_byte(&response) == Some(bytes) => {}
        status @ (200 | 206 | 416) => {
            // The whole file, or another part than requested.
            part.set_len(0).map_err(failed("write"))?;
            part.rewind().map_err(failed("write"))?;
            if status != 200 {
                return Err(FetchError::Part { address: address.to_owned(), bytes });
            }
            bytes = 0;
        }
        status => return Err(FetchError::Status { address: address.to_owned(), status }),
    }
    if response.content_length().is_some_and(|rest| rest > LARGEST_FILE - bytes.min(LARGEST_FILE)) {
        return Err(too_large());
    }
    loop {
        let chunk = response.chunk().await;
        let Some(chunk) = chunk.map_err(|source| FetchError::Broken {
            address: address.to_owned(),
            bytes,
            source,
        })?
        else {
            return part.sync_all().map_err(failed("write"));
        };
        bytes += chunk.len() as u64;
        if bytes > LARGEST_FILE {
            part.set_len(0).map_err(failed("write"))?;
            return Err(too_large());
        }
        part.write_all(&chunk).map_err(failed("write"))?;
    }
}

/// Returns the position of the part's first byte in the file.
fn first_byte(response: &Response) -> Option<u64> {
    let range = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

fn refused(address: &str, bytes: u64, source: reqwest::Error) -> FetchError {
    if source.is_redirect() {
        return FetchError::Redirects { address: address.to_owned(), most: MOST_REDIRECTS };
    }
    if source.is_connect() || source.is_builder() {
        let host = reqwest::Url::parse(address)
            .ok()
            .and_then(|url| url.host_str().map(ToOwned::to_owned))
            .unwrap_or_else(|| address.to_owned());
        return FetchError::Unreachable { host, source };
    }
    FetchError::Broken { address: address.to_owned(), bytes, source }
}
