//! The files that requests get: the page, and the description of the interface.

use std::sync::LazyLock;

use crate::page::{Slots, files, html};

/// A file that requests get.
pub(super) struct Asset {
    pub(super) path: &'static str,
    pub(super) media_type: &'static str,
    pub(super) content: &'static str,
}

static PAGE: LazyLock<String> = LazyLock::new(|| {
    html(&Slots {
        head: "<link rel=\"icon\" href=\"/icon.svg\">\n\
               <link rel=\"stylesheet\" href=\"/style.css\">\n\
               <script type=\"module\" src=\"/page.js\"></script>",
        without_scripts: "Without it, send a picture to <code>/v1/predict</code> with \
                          <code>curl -F image=@shirt.jpg</code>.",
        privacy: "Pictures go to this server only and are not stored.",
        links: "<a href=\"/openapi.json\">API</a>, <a href=\"/metrics\">metrics</a>, ",
        data: "",
    })
});

static ASSETS: LazyLock<[Asset; 10]> = LazyLock::new(|| {
    [
        Asset { path: "/", media_type: HTML, content: &PAGE },
        Asset { path: "/style.css", media_type: CSS, content: files::STYLE },
        script(files::PAGE),
        script(files::INPUTS),
        script(files::DRAWING),
        script(files::CAMERA),
        script(files::ANSWER),
        script(files::SERVE),
        Asset { path: "/icon.svg", media_type: SVG, content: files::ICON },
        Asset { path: "/openapi.json", media_type: JSON, content: include_str!("openapi.json") },
    ]
});

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
pub(super) const JSON: &str = "application/json";

const fn script(module: files::Module) -> Asset {
    Asset { path: module.path, media_type: SCRIPT, content: module.source }
}

/// Returns the file for a request's path: an embedded one, never one on disk.
pub(super) fn asset(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::routes::ROUTES;
    use super::*;

    #[test]
    fn the_description_is_json_with_this_version() {
        let description: Value =
            serde_json::from_str(asset("/openapi.json").unwrap().content).unwrap();
        assert_eq!(description["info"]["version"], env!("CARGO_PKG_VERSION"));
    }

    #[test]
    fn every_route_is_described_with_its_errors() {
        let description: Value =
            serde_json::from_str(asset("/openapi.json").unwrap().content).unwrap();
        let paths = description["paths"].as_object().unwrap();
        assert_eq!(paths.len(), ROUTES.len());
        for route in ROUTES {
            // The route of the gallery ends in the number of a picture.
            let (path, methods) = paths.iter().find(|(path, _)| path.starts_with(route)).unwrap();
            assert!(*path == route || *path == format!("{route}{{number}}"), "{path}");
            for (method, operation) in methods.as_object().unwrap() {
                for status in ["405", "431"] {
                    let response = operation["responses"][status]["$ref"].as_str().unwrap();
                    let response = description.pointer(response.trim_start_matches('#'));
                    assert!(response.is_some(), "{method} {path}: {status}");
                }
            }
        }
    }

    #[test]
    fn the_page_requests_only_existing_files() {
        let page = asset("/").unwrap().content;
        let named = ["src=\"", "href=\""].into_iter().flat_map(|before| {
            page.match_indices(before)
                .map(move |(at, _)| page[at + before.len()..].split('"').next().unwrap())
        });
        for path in named.filter(|path| !path.starts_with('#')) {
            assert!(asset(path).is_some() || ROUTES.contains(&path), "{path}");
        }
        for forbidden in ["<style", "style=\"", "onclick", "onload", "javascript:"] {
            assert!(!page.contains(forbidden), "{forbidden} is not allowed by the policy");
        }
    }
}
