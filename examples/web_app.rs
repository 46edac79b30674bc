//! A web application that enqueues from a form, with its worker in the same process: `cargo run --example web_app` serves
//! http://127.0.0.1:3000 until Ctrl-C; with `--once`, until a page says that the mail is sent. It heeds `PORT` and `SANCHO_STORE`.

use std::sync::Arc;

use axum::extract::{Form, Path, State};
use axum::response::{Html, Redirect};
use axum::{Router, http::StatusCode, routing};
use sancho::{job, runtime::Server};
use tokio::sync::{Mutex, Notify};

/// What a database would be: those who have signed up, and whether their mail is sent.
type Users = Mutex<Vec<(String, bool)>>;
type Page = (StatusCode, Html<String>);

#[derive(serde::Deserialize)]
struct SignUp {
    name: String,
}

static SHOWN: Notify = Notify::const_new();
const FORM: &str = r#"<form method="post" action="/users">Name <input name="name"> <button>Sign up</button></form>"#;

#[job(queue = "mailers", retry = 5)]
async fn welcome_email(user_id: usize, #[state] users: &Users) {
    if let Some((name, sent)) = users.lock().await.get_mut(user_id) {
        *sent = true;
        println!("welcome, {name}");
    }
}

async fn sign_up(users: State<Arc<Users>>, form: Form<SignUp>) -> Result<Redirect, Page> {
    let name = form.name.trim().replace('&', "&amp;").replace('<', "&lt;");
    if name.is_empty() {
        let again = Html(format!("<p>A name is missing.</p>{FORM}"));
        return Err((StatusCode::UNPROCESSABLE_ENTITY, again));
    }
    let mut users = users.lock().await;
    let id = users.len();
    // The answer waits until the job is in the store, not until it has run.
    let pushed = welcome_email::perform_async(id).await;
    pushed.map_err(|error| (StatusCode::SERVICE_UNAVAILABLE, Html(error.to_string())))?;
    users.push((name, false));
    Ok(Redirect::to(&format!("/users/{id}")))
}

async fn show(users: State<Arc<Users>>, Path(id): Path<usize>) -> Result<Html<String>, StatusCode> {
    let users = users.lock().await;
    let (name, sent) = users.get(id).ok_or(StatusCode::NOT_FOUND)?;
    sent.then(|| SHOWN.notify_one());
    let mail = if *sent { "is sent" } else { "comes" };
    Ok(Html(format!("<p>{name}, a mail {mail}.</p>")))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let once = std::env::args().any(|argument| argument == "--once");
    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".into());
    let store = std::env::var("SANCHO_STORE").unwrap_or_else(|_| "memory:".into());
    let users = Arc::new(Users::default());
    let server = Server::builder().store(store).state_arc(users.clone());
    let server = server.queues(["mailers"]).build()?;
    let router = Router::new().route("/", routing::get(async || Html(FORM)));
    let router = router.route("/users", routing::post(sign_up));
    let router = router.route("/users/{id}", routing::get(show));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port.parse()?)).await?;
    println!("http://{}", listener.local_addr()?);
    let serving = axum::serve(listener, router.with_state(users));
    let serving = serving.with_graceful_shutdown(async move {
        match once {
            true => SHOWN.notified().await,
            false => drop(tokio::signal::ctrl_c().await),
        }
    });
    let mut served = Ok(());
    // The worker stops when the web server has ended.
    server.run_until(async { served = serving.await }).await?;
    Ok(served?)
}
