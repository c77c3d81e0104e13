//! Errors as RFC 9457 problem details.

use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::json;

use super::response::{Content, content};
use crate::pictures::PictureError;

/// The reason that a request fails.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    detail: String,
    hint: String,
}

impl Problem {
    pub(super) fn new(
        status: StatusCode,
        detail: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { status, detail: detail.into(), hint: hint.into() }
    }

    /// Returns the response. Temporary problems say when to retry.
    pub(super) fn response(&self) -> Response<Content> {
        let Self { status, detail, hint } = self;
        let body = json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or("Error"),
            "status": status.as_u16(),
            "detail": detail,
            "hint": hint,
        });
        let mut response = content(*status, "application/problem+json", body.to_string() + "\n");
        if [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(status) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<PictureError> for Problem {
    fn from(error: PictureError) -> Self {
        let status = match error {
            PictureError::FileTooLarge { .. }
            | PictureError::TooManyPixels { .. }
            | PictureError::SideTooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            PictureError::UnknownFormat
            | PictureError::ForeignFormat { .. }
            | PictureError::UnsupportedKind { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let hint = error.hint();
        Self::new(status, error.to_string(), hint)
    }
}
