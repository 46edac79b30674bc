//! The style, the script and the icon: in the binary, named by their content, kept by browsers for ever.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

/// A file.
pub(crate) struct Asset {
    /// Its path from the root.
    pub(crate) path: String,
    name: String,
    kind: &'static str,
    text: &'static str,
}

pub(crate) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "style",
        "css",
        "text/css; charset=utf-8",
        include_str!("../assets/style.css"),
    )
});

pub(crate) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "app",
        "js",
        "text/javascript; charset=utf-8",
        include_str!("../assets/app.js"),
    )
});

pub(crate) static ICON: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "icon",
        "svg",
        "image/svg+xml",
        include_str!("../assets/icon.svg"),
    )
});

impl Asset {
    fn new(name: &str, extension: &str, kind: &'static str, text: &'static str) -> Self {
        // It is the same in all processes of a build, which is all that is needed.
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let name = format!("{name}-{:016x}.{extension}", hasher.finish());
        Self {
            path: format!("assets/{name}"),
            name,
            kind,
            text,
        }
    }
}

/// The file of this name.
pub(crate) async fn serve(
    axum::extract::Path(name): axum::extract::Path<String>,
) -> Result<Response, Problem> {
    let found = [&STYLE, &SCRIPT, &ICON]
        .into_iter()
        .find(|asset| asset.name == name)
        .ok_or_else(|| Problem::not_found(format!("there is no file {name:?}: reload the page")))?;
    let headers = [
        (CONTENT_TYPE, found.kind),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, found.text).into_response())
}
