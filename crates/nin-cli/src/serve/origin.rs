//! Checks a request's host, and the page that sent it.
//!
//! A web page in a browser on this machine can send requests to a server that only listens on loopback. A
//! name that resolves to 127.0.0.1 (DNS rebinding) would even let it read the answers. Both are refused: a
//! request must name this server by an IP address, a loopback name or a name from the command line, and a
//! `POST` from a page must come from a page of this server.

use std::net::{IpAddr, Ipv6Addr};

use hyper::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use hyper::http::uri::Authority;
use hyper::{Method, Request, StatusCode};

use super::problem::Problem;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const HOW_TO_ALLOW: &str =
    "use the server's IP address or localhost, or start the server with --allow-host NAME";

/// The names of this server besides IP addresses and loopback names.
#[derive(Debug, Clone, Default)]
pub struct AllowedHosts {
    /// The name from `--addr`.
    own: Option<String>,
    /// Names from `--allow-host`. Their pages may post, too.
    named: Vec<String>,
}

impl AllowedHosts {
    /// Returns these names, ignoring case.
    pub fn new(own: Option<&str>, named: &[String]) -> Self {
        let named = named.iter().map(|name| normalized(name)).collect();
        Self { own: own.map(normalized), named }
    }

    /// Checks that a request is for this server and that no foreign page sent it.
    pub(super) fn check<T>(&self, request: &Request<T>) -> Result<(), Problem> {
        let host = self.host_of(request)?;
        if request.method() == Method::GET || request.method() == Method::HEAD {
            return Ok(()); // without a CORS header, no page can read the answer
        }
        self.check_origin(request.headers(), &host)
    }

    /// Returns the host that a request names in its head, and checks that of a target that is a full URL.
    fn host_of<T>(&self, request: &Request<T>) -> Result<Authority, Problem> {
        let named = only(request.headers(), &HOST).and_then(authority);
        let Some(host) = named else {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "a request needs one `Host` header with a host name or an IP address",
                "such as `Host: localhost:8080`",
            ));
        };
        for authority in [Some(&host), request.uri().authority()].into_iter().flatten() {
            if !self.has(authority.host()) {
                return Err(Problem::new(
                    StatusCode::MISDIRECTED_REQUEST,
                    "this server does not answer to that host name",
                    HOW_TO_ALLOW,
                ));
            }
        }
        Ok(host)
    }

    /// Checks the origin that a browser states. Other clients state none.
    fn check_origin(&self, headers: &HeaderMap, host: &Authority) -> Result<(), Problem> {
        let foreign = || {
            Problem::new(
                StatusCode::FORBIDDEN,
                "the request comes from another site's page",
                "open this server's own page, or start the server with --allow-host NAME",
            )
        };
        let mut is_named = false;
        if headers.contains_key(ORIGIN) {
            let origin = only(headers, &ORIGIN).and_then(|origin| {
                let (_, authority_part) = origin.split_once("://")?;
                authority(authority_part)
            });
            let origin = origin.ok_or_else(foreign)?;
            is_named = self.named.contains(&normalized(origin.host()));
            let is_own = normalized(origin.host()) == normalized(host.host())
                && port_of(&origin) == port_of(host);
            if !is_own && !is_named {
                return Err(foreign());
            }
        }
        if headers.contains_key(SEC_FETCH_SITE) {
            let site = only(headers, &SEC_FETCH_SITE).ok_or_else(foreign)?;
            if !is_named && !["same-origin", "none"].contains(&site) {
                return Err(foreign());
            }
        }
        Ok(())
    }

    fn has(&self, host: &str) -> bool {
        let host = normalized(host);
        let is_loopback = host == "localhost" || host.ends_with(".localhost");
        is_loopback
            || is_address(&host)
            || self.own.as_ref() == Some(&host)
            || self.named.contains(&host)
    }
}

/// Returns the value of a header that occurs once, as text.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

/// Parses a host with an optional port, without a user.
fn authority(text: &str) -> Option<Authority> {
    let authority: Authority = text.parse().ok()?;
    let is_plain = !text.contains('@') && !authority.host().is_empty();
    let has_port = authority.as_str().len() > authority.host().len();
    (is_plain && (!has_port || authority.port_u16().is_some())).then_some(authority)
}

/// Returns the port, or `None` for those of HTTP and HTTPS, which a proxy may exchange.
fn port_of(authority: &Authority) -> Option<u16> {
    authority.port_u16().filter(|port| ![80, 443].contains(port))
}

/// Returns a host name in lower case, without a trailing dot.
fn normalized(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

fn is_address(host: &str) -> bool {
    let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match literal {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => host.parse::<IpAddr>().is_ok_and(|address| address.is_ipv4()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the status of a refused request.
    fn refusal(method: &str, target: &str, headers: &[(&str, &str)]) -> Option<u16> {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let hosts = AllowedHosts::new(Some("Box"), &["Pictures.Example".to_owned()]);
        hosts.check(&request.body(()).unwrap()).err().map(|problem| problem.status.as_u16())
    }

    #[test]
    fn requests_to_the_servers_names_are_accepted() {
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "localhost.",
            "nin.localhost:1",
            "127.0.0.1:8080",
            "192.168.1.7",
            "[::1]:8080",
            "pictures.example:9000",
            "box:8080",
        ] {
            assert_eq!(refusal("GET", "/", &[("host", host)]), None, "{host}");
        }
    }

    #[test]
    fn other_and_malformed_host_names_are_rejected() {
        for (host, status) in [
            ("evil.example", 421),
            ("localhost.evil.example", 421),
            ("127.0.0.1.evil.example", 421),
            ("evil.example:8080", 421),
            ("xpictures.example", 421),
            ("0x7f000001", 421),
            ("", 400),
            ("localhost:", 400),
            ("localhost:80:80", 400),
            ("localhost:99999", 400),
            ("user@localhost", 400),
            ("local host", 400),
        ] {
            assert_eq!(refusal("GET", "/", &[("host", host)]), Some(status), "{host}");
        }
        assert_eq!(refusal("GET", "/", &[]), Some(400));
        assert_eq!(refusal("GET", "/", &[("host", "localhost"), ("host", "localhost")]), Some(400));
        let target = "http://evil.example/";
        assert_eq!(refusal("GET", target, &[("host", "localhost")]), Some(421));
    }

    #[test]
    fn posts_from_other_origins_are_rejected() {
        let host = ("host", "127.0.0.1:8080");
        let post = |headers: &[(&str, &str)]| refusal("POST", "/", &[&[host], headers].concat());
        assert_eq!(post(&[]), None);
        for own in [
            &[("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "same-origin")][..],
            &[("sec-fetch-site", "none")],
            &[("origin", "https://pictures.example"), ("sec-fetch-site", "cross-site")],
        ] {
            assert_eq!(post(own), None, "{own:?}");
        }
        for foreign in [
            &[("origin", "http://evil.example")][..],
            &[("origin", "http://127.0.0.1:3000")],
            &[("origin", "http://localhost:8080")],
            &[("origin", "null")],
            &[("origin", "file://")],
            &[("origin", "http://127.0.0.1:8080"), ("origin", "http://evil.example")],
            &[("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "none")],
        ] {
            assert_eq!(post(foreign), Some(403), "{foreign:?}");
        }
        let beside = [("host", "box:8080"), ("origin", "http://box:3000")];
        assert_eq!(refusal("POST", "/", &beside), Some(403));
        // Behind an HTTPS proxy.
        let proxied = [("host", "pictures.example:443"), ("origin", "https://pictures.example")];
        assert_eq!(refusal("POST", "/", &proxied), None);
    }
}
