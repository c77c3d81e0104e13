//! Routes requests to their answers.

use std::sync::Arc;
use std::time::Instant;

use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use nin_model::ModelError;
use nin_prediction::{Answer, NO_FILE, answers};
use tokio::time::timeout;

use super::assets::{Asset, JSON, asset};
use super::lanes::Work;
use super::problem::Problem;
use super::requests::{Parameters, Upload};
use super::response::{Content, content};
use super::service::Service;
use super::wire::Presence;

const PREDICT: &str = "/v1/predict";
const MODEL: &str = "/v1/model";
const GALLERY: &str = "/v1/gallery/";
const HEALTH: &str = "/healthz";
const METRICS: &str = "/metrics";
/// The paths that are not files of the page.
#[cfg(test)]
pub(super) const ROUTES: [&str; 5] = [PREDICT, MODEL, GALLERY, HEALTH, METRICS];

const TEXT: &str = "text/plain; charset=utf-8";

/// Headers of every response: only the server's own scripts, styles and pictures, no frames, no referrer, no
/// caching.
const HEADERS: [(&str, &str); 8] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
         media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(self), microphone=(), geolocation=(), payment=(), usb=()"),
    ("cache-control", "no-store"),
];

/// The target of a request.
enum Route {
    Predict,
    Model,
    Gallery(Bytes),
    Health,
    Metrics,
    Asset(&'static Asset),
}

impl Route {
    fn of(path: &str, service: &Service) -> Option<Self> {
        Some(match path {
            PREDICT => Self::Predict,
            MODEL => Self::Model,
            HEALTH => Self::Health,
            METRICS => Self::Metrics,
            path => match path.strip_prefix(GALLERY) {
                Some(number) => Self::Gallery(service.gallery.png(number)?),
                None => Self::Asset(asset(path)?),
            },
        })
    }

    /// Returns the name for the metrics, which never comes from a client.
    const fn name(&self) -> &'static str {
        match self {
            Self::Predict => PREDICT,
            Self::Model => MODEL,
            Self::Gallery(_) => GALLERY,
            Self::Health => HEALTH,
            Self::Metrics => METRICS,
            Self::Asset(asset) => asset.path,
        }
    }

    /// Returns the permitted methods.
    const fn methods(&self) -> &'static str {
        if matches!(self, Self::Predict) { "POST" } else { "GET, HEAD" }
    }
}

/// Answers any request.
pub(super) async fn answer(
    service: Arc<Service>,
    presence: Presence,
    request: Request<Incoming>,
) -> Response<Content> {
    let route = Route::of(request.uri().path(), &service);
    let name = route.as_ref().map_or("none", Route::name);
    let begun = Instant::now();
    let is_prediction = matches!(route, Some(Route::Predict));
    let response = match service.hosts.check(&request) {
        Ok(()) => dispatch(&service, route, presence, request).await,
        Err(problem) => Err(problem),
    };
    let mut response = response.unwrap_or_else(|problem| problem.response());
    for (header, value) in HEADERS {
        let header = HeaderName::from_static(header);
        response.headers_mut().insert(header, HeaderValue::from_static(value));
    }
    let elapsed = is_prediction.then(|| begun.elapsed());
    service.metrics.count_request(name, response.status().as_u16(), elapsed);
    response
}

async fn dispatch(
    service: &Service,
    route: Option<Route>,
    presence: Presence,
    request: Request<Incoming>,
) -> Result<Response<Content>, Problem> {
    let Some(route) = route else {
        return Err(Problem::new(StatusCode::NOT_FOUND, "not found", "see /openapi.json"));
    };
    let allowed = route.methods();
    let method = request.method();
    let fits = if allowed == "POST" {
        method == Method::POST
    } else {
        [Method::GET, Method::HEAD].contains(method)
    };
    if !fits {
        let detail = format!("this path accepts {allowed}");
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail, "see /openapi.json");
        let mut response = problem.response();
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
        return Ok(response);
    }
    Ok(match route {
        Route::Predict => predict(service, presence, request).await?,
        Route::Model => content(StatusCode::OK, JSON, service.description.clone()),
        Route::Gallery(png) => content(StatusCode::OK, "image/png", png),
        Route::Health => health(service)?,
        Route::Metrics => {
            let kind = "text/plain; version=0.0.4; charset=utf-8";
            content(StatusCode::OK, kind, service.metrics.text())
        }
        Route::Asset(asset) => content(StatusCode::OK, asset.media_type, asset.content),
    })
}

fn health(service: &Service) -> Result<Response<Content>, Problem> {
    if service.stop.is_cancelled() {
        return Err(ending());
    }
    Ok(content(StatusCode::OK, TEXT, "ok\n"))
}

/// Classifies a request's picture.
async fn predict(
    service: &Service,
    presence: Presence,
    request: Request<Incoming>,
) -> Result<Response<Content>, Problem> {
    let parameters = Parameters::parse(request.uri().query().unwrap_or_default())?;
    let upload = Upload::receive(request, &service.limits, &service.bodies).await?;
    let place = service.queue.place_soon().await.ok_or_else(|| {
        Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            format!("{} pictures are already waiting", service.limits.queue),
            "retry in a second, or raise `nin-cli serve --max-queue`",
        )
    })?;
    let answering = async {
        let preparation = service.preparation(parameters.invert);
        let picture = service.lanes.prepare(Work { upload, preparation, presence }).await?;
        let answered = service.queue.submit(picture, place).await.map_err(|_| ending())?;
        answered.map_err(|error| no_answer(&error))
    };
    let answered = timeout(service.limits.patience, answering).await.map_err(|_| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the answer took too long",
            "the server is overloaded: retry later",
        )
    })??;
    let answer = Answer {
        name: NO_FILE.to_owned(),
        size: answered.size,
        inverted: answered.inverted,
        prediction: answered.prediction,
    };
    let image = answer.as_json(
        &service.metadata,
        parameters.top,
        parameters.threshold.or(service.defaults.threshold),
    );
    let body = answers(&[image], &[]).to_string() + "\n";
    Ok(content(StatusCode::OK, JSON, body))
}

/// Returns the problem of a picture on which the network overflowed.
fn no_answer(error: &ModelError) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string(), error.hint())
}

fn ending() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the server is shutting down", "restart it")
}
