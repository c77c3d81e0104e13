//! Reads a request: its parameters, its body within the limits, and the picture in the body.

use std::time::Duration;

use clap::ValueEnum;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, EXPECT};
use hyper::{Request, StatusCode};
use nin_prediction::Threshold;
use tokio::time::timeout;

use super::limits::Limits;
use super::memory::{Body, BodyMemory};
use super::multipart::{self, FormError};
use super::problem::Problem;
use crate::pictures::Invert;

/// The default number of classes, as for `predict`.
const TOP: usize = 3;
/// The largest number of classes, as for `predict`.
const MOST_TOP: usize = 65_536;
/// The bytes of a body beyond the limit that are still read. A client that is cut off while it sends does not see
/// the reason.
const DISCARDED: u64 = 64 << 20;

/// The query parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Parameters {
    pub(super) top: usize,
    pub(super) invert: Invert,
    /// `None` for the server's default.
    pub(super) threshold: Option<Threshold>,
}

impl Parameters {
    pub(super) fn parse(query: &str) -> Result<Self, Problem> {
        let mut parameters = Self { top: TOP, invert: Invert::Auto, threshold: None };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "top" => {
                    let top = value.parse().ok().filter(|top| (1..=MOST_TOP).contains(top));
                    parameters.top =
                        top.ok_or_else(|| refused("top", "a number from 1 to 65536"))?;
                }
                "invert" => {
                    let invert = Invert::from_str(value, false);
                    parameters.invert = invert.map_err(|_| refused("invert", "auto, yes or no"))?;
                }
                "threshold" => {
                    let threshold = value.parse().ok().and_then(Threshold::new);
                    let threshold =
                        threshold.ok_or_else(|| refused(name, "a number from 0 to 1"))?;
                    parameters.threshold = Some(threshold);
                }
                _ => {
                    return Err(Problem::new(
                        StatusCode::BAD_REQUEST,
                        "unknown parameter in the query",
                        "the parameters are `top`, `invert` and `threshold`",
                    ));
                }
            }
        }
        Ok(parameters)
    }
}

fn refused(name: &str, expected: &str) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        format!("the parameter `{name}` has an invalid value, expected {expected}"),
        "such as /v1/predict?top=3&invert=auto",
    )
}

/// A complete body and its content type.
pub(super) struct Upload {
    content_type: Option<String>,
    body: Body,
}

impl Upload {
    /// Reads a request's body within the limits.
    pub(super) async fn receive(
        request: Request<Incoming>,
        limits: &Limits,
        memory: &BodyMemory,
    ) -> Result<Self, Problem> {
        let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        if let Some(encoding) = text(CONTENT_ENCODING)
            && !encoding.eq_ignore_ascii_case("identity")
        {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the body has a content encoding",
                "send the picture file as it is: it is already compressed",
            ));
        }
        let content_type = text(CONTENT_TYPE).map(str::to_owned);
        let asks_first = request.headers().contains_key(EXPECT);
        let receiving = receive(request.into_body(), limits.body_bytes, memory, asks_first);
        let body =
            timeout(limits.patience, receiving).await.map_err(|_| slow(limits.patience))??;
        Ok(Self { content_type, body })
    }

    /// Returns the picture's bytes: the form's field `image`, or the body itself. The content type of the picture
    /// does not matter.
    pub(super) fn picture(&self) -> Result<&[u8], Problem> {
        let picture = match &self.content_type {
            Some(kind) if is_form(kind) => {
                let boundary = multipart::boundary(kind).map_err(form_problem)?;
                multipart::field(self.body.bytes(), boundary, "image").map_err(form_problem)?
            }
            _ => self.body.bytes(),
        };
        if picture.is_empty() {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "the picture is empty",
                HOW,
            ));
        }
        Ok(picture)
    }
}

const HOW: &str = "send a picture file as the body or in the form field `image`, such as \
                   curl -F image=@shirt.jpg";

fn is_form(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("multipart/form-data")
}

fn form_problem(error: FormError) -> Problem {
    let status = match error {
        FormError::Missing(_) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::BAD_REQUEST,
    };
    Problem::new(status, error.to_string(), HOW)
}

fn slow(patience: Duration) -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        format!("the body did not arrive within {} seconds", patience.as_secs()),
        "send a smaller picture, or raise `nin-cli serve --timeout`",
    )
}

async fn receive(
    mut body: Incoming,
    limit: usize,
    memory: &BodyMemory,
    asks_first: bool,
) -> Result<Body, Problem> {
    let too_large = || {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is larger than {limit} bytes"),
            "scale the picture down: the network resizes it to its input size anyway",
        )
    };
    let limit = limit as u64;
    let declared = body.size_hint().lower();
    if declared > limit + DISCARDED || (asks_first && declared > limit) {
        return Err(too_large());
    }
    let (mut length, mut received) = (0, Ok(Body::default()));
    while let Some(frame) = body.frame().await {
        let broken = |_| Problem::new(StatusCode::BAD_REQUEST, "the body ended early", HOW);
        let data: Bytes = frame.map_err(broken)?.into_data().unwrap_or_default();
        length += data.len() as u64;
        if length > limit {
            received = Err(too_large());
        } else if let Ok(body) = &mut received
            && memory.append(body, &data, limit as usize).is_err()
        {
            received = Err(no_memory());
        }
        if length > limit + DISCARDED {
            break;
        }
    }
    received
}

fn no_memory() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "too many large pictures are arriving at once",
        "retry in a second, or send a smaller picture",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_match_predict() {
        let parse = |query| Parameters::parse(query).map_err(|problem| problem.status.as_u16());
        let threshold = None;
        assert_eq!(parse(""), Ok(Parameters { top: 3, invert: Invert::Auto, threshold }));
        let expected = Parameters { top: 10, invert: Invert::No, threshold: Threshold::new(0.5) };
        assert_eq!(parse("top=10&invert=no&threshold=0.5"), Ok(expected));
        for bad in [
            "threshold=1.1",
            "threshold=nan",
            "threshold=",
            "top=0",
            "top=-1",
            "top=65537",
            "top",
            "invert=maybe",
            "path=/etc/passwd",
        ] {
            assert_eq!(parse(bad), Err(400), "{bad}");
        }
    }

    #[test]
    fn the_picture_is_the_body_or_a_form_field() {
        let memory = BodyMemory::new(1000);
        let upload = |kind: Option<&str>, bytes: &[u8]| {
            let mut body = Body::default();
            memory.append(&mut body, bytes, 1000).unwrap();
            Upload { content_type: kind.map(str::to_owned), body }
        };
        let status = |upload: Upload| {
            upload.picture().map(<[u8]>::to_vec).map_err(|problem| problem.status.as_u16())
        };
        assert_eq!(status(upload(Some("image/png"), b"abc")), Ok(b"abc".to_vec()));
        assert_eq!(status(upload(None, b"")), Err(422));
        let form = b"--b\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\n1\r\n--b--";
        assert_eq!(status(upload(Some("multipart/form-data; boundary=b"), form)), Err(422));
        assert_eq!(status(upload(Some("Multipart/Form-Data"), form)), Err(400));
        assert_eq!(status(upload(Some("multipart/form-data; boundary=c"), form)), Err(400));
    }
}
