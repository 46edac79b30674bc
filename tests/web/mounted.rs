//! At any path of any application, and behind proxies.

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use sancho_tests::Kind;

use crate::browser::{Site, ask, body, posted};

/// The path that a browser on the page at `path` asks for when it follows a relative link.
fn resolved(path: &str, link: &str) -> String {
    if link.starts_with('/') {
        return link.to_owned();
    }
    let mut parts: Vec<&str> = path.split('?').next().unwrap().split('/').collect();
    parts.pop();
    for part in link.split('?').next().unwrap().split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let query = link.find('?').map_or("", |at| &link[at..]);
    format!("{}{query}", parts.join("/"))
}

async fn links_lead_to_pages(router: &Router, start: &str) {
    let page = ask(router, Request::get(start).body(Body::empty()).unwrap()).await;
    page.is(200);
    let links: Vec<String> = page
        .text
        .split("href=\"")
        .skip(1)
        .chain(page.text.split("src=\"").skip(1))
        .map(|rest| rest.split('"').next().unwrap().replace("&amp;", "&"))
        .filter(|link| !link.starts_with('#'))
        .collect();
    assert!(links.len() > 10, "{links:?}");
    for link in links {
        let path = resolved(start, link.split('#').next().unwrap());
        let page = ask(router, Request::get(&path).body(Body::empty()).unwrap()).await;
        assert_eq!(page.status, 200, "{link} from {start} is {path}");
    }
}

#[tokio::test]
async fn links_are_right_under_any_prefix() {
    let site = Site::on(Kind::Memory).await;
    site.push("default", r#"{"class":"A","args":[],"jid":"a1"}"#)
        .await;
    for page in [
        "/",
        "/busy",
        "/queue?name=default",
        "/queues",
        "/job?in=queue&name=default&jid=a1",
    ] {
        links_lead_to_pages(&site.router, page).await;
    }
    let nested = Router::new().nest("/admin/jobs", site.router.clone());
    for page in [
        "/admin/jobs",
        "/admin/jobs/queues",
        "/admin/jobs/queue?name=default",
    ] {
        links_lead_to_pages(&nested, page).await;
    }
    let served = Router::new().nest_service("/admin/jobs", site.router.clone());
    for page in ["/admin/jobs", "/admin/jobs/", "/admin/jobs/queues"] {
        links_lead_to_pages(&served, page).await;
    }
    let form = [("name", "default"), ("do", "pause")];
    let request = posted("/admin/jobs/queues", &form)
        .body(body(&form))
        .unwrap();
    let answer = ask(&nested, request).await;
    let to = resolved(
        "/admin/jobs/queues",
        answer.headers["location"].to_str().unwrap(),
    );
    assert!(to.starts_with("/admin/jobs/queues?did=pause"), "{to}");
}

#[tokio::test]
async fn a_proxy_can_name_the_prefix_that_it_takes_away() {
    let site = Site::on(Kind::Memory).await;
    let request = |prefix: &str| {
        Request::get("/")
            .header("x-forwarded-prefix", prefix)
            .body(Body::empty())
            .unwrap()
    };
    site.ask(request("/sancho"))
        .await
        .shows("href=\"/sancho/busy\"");
    site.ask(request("/sancho/"))
        .await
        .shows("href=\"/sancho/busy\"");
    for evil in ["//evil.example", "https://evil.example", "/\"><script>"] {
        site.ask(request(evil))
            .await
            .shows("href=\"busy\"")
            .hides("evil")
            .hides("<script>");
    }
}

#[tokio::test]
async fn pages_that_are_not_there_lead_home_from_any_depth() {
    let site = Site::on(Kind::Memory).await;
    let nested = Router::new().nest("/a", site.router.clone());
    for path in ["/a/b", "/a/b/c/d", "/a/b/"] {
        let page = ask(&nested, Request::get(path).body(Body::empty()).unwrap()).await;
        page.is(404);
        assert_eq!(resolved(path, &page.link("busy")), "/a/busy");
    }
}

#[tokio::test]
async fn assets_are_named_by_their_content_and_kept() {
    let site = Site::on(Kind::Memory).await;
    let page = site.get("/").await;
    for kind in ["style-", "icon-"] {
        let link = page.link(kind);
        let asset = site.get(&format!("/{link}")).await;
        asset.is(200);
        let kept = asset.headers["cache-control"].to_str().unwrap();
        assert!(kept.contains("immutable"), "{kept}");
    }
    let script = page
        .text
        .split("src=\"assets/app-")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let request = Request::get(format!("/assets/app-{script}")).header("accept-encoding", "gzip");
    let script = site.ask(request.body(Body::empty()).unwrap()).await;
    script.is(200);
    assert_eq!(script.headers["content-encoding"], "gzip");
    assert!(
        script.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/javascript")
    );
}

#[tokio::test]
async fn the_colours_that_were_chosen_are_kept_in_a_cookie() {
    let site = Site::on(Kind::Memory).await;
    let answer = site.post("/theme", &[("theme", "dark")]).await;
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("sancho_theme=dark;"), "{cookie}");
    let request = Request::get("/").header("cookie", "a=b; sancho_theme=dark");
    site.ask(request.body(Body::empty()).unwrap())
        .await
        .shows("data-theme=\"dark\"");
    let request = Request::get("/").header("cookie", "sancho_theme=\"><b>");
    site.ask(request.body(Body::empty()).unwrap())
        .await
        .hides("data-theme");
}
