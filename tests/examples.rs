//! The examples run, end by themselves and say what happened.

#![cfg(test)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

/// Where the examples are. `cargo test` builds them as tests, so they are built here, with the features that the workspace gives
/// them; where they are built already, that takes no time.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let build = ["build", "--quiet", "--workspace", "--examples"];
    let built = Command::new(env!("CARGO")).args(build).status().unwrap();
    assert!(built.success(), "the examples cannot be built");
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("examples")
});

/// What an example says on a store of its own. It must end by itself, and well.
fn run(example: &str) -> String {
    let output = command(example).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{example}:\n{said}\n{wrong}");
    said
}

fn command(example: &str) -> Command {
    let mut command = Command::new(FOLDER.join(example));
    command
        .env_remove("REDIS_URL")
        .env("SANCHO_STORE", "memory:");
    command
}

#[test]
fn long_jobs_have_their_limits() {
    let said = run("long_running");
    for line in [
        "data 1 is being processed",
        "data 2 hangs",
        "data 3 stops: Some(Timeout)",
        "ImpatientJob: the job ran longer than its timeout of 1s",
        "BlockingJob: the job ran longer than its timeout of 1s",
        "data 1 is left off: Some(User)",
    ] {
        assert!(said.lines().any(|said| said == line), "{line} in\n{said}");
    }
    assert!(said.ends_with("all have ended\n"), "{said}");
}

fn count(told: &str, line: &str) -> usize {
    told.lines().filter(|told| told.starts_with(line)).count()
}

#[test]
fn order_fulfillment() {
    let told = run("order_fulfillment");
    for order in 1..=3 {
        assert_eq!(
            count(&told, &format!("order {order} is fulfilled")),
            1,
            "{told}"
        );
        assert_eq!(
            count(&told, &format!("order {order} was fulfilled already")),
            2,
            "{told}"
        );
    }
    assert!(told.ends_with("9 runs, 3 shipments\n"), "{told}");
}

#[test]
fn queue_monitor() {
    let told = run("queue_monitor");
    let expected = [
        "queue \"critical\" has 150 jobs (threshold: 100)",
        "queue \"mailers\" has 1001 jobs (threshold: 1000)",
        "all queues were looked at",
    ];
    assert_eq!(told.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_user_is_welcomed() {
    let said = run("welcome_email");
    assert_eq!(said, "to user 42: welcome, Ana\n");
}

/// The seconds of `... in 17 s...` in the line that begins so.
fn seconds(said: &str, line: &str) -> u64 {
    let line = said
        .lines()
        .find(|said| said.starts_with(line))
        .unwrap_or_else(|| panic!("no line {line:?} in\n{said}"));
    let (_, rest) = line.split_once(" in ").unwrap();
    rest.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn payments_wait_by_their_errors() {
    let said = run("payments");
    assert!(said.contains("order 1 is paid\n"), "{said}");
    for error in [
        "the gateway wants fewer requests: tried again",
        "the gateway does not answer: tried again",
        "the payment failed: the card has expired: tried again",
    ] {
        assert!(seconds(&said, error) <= 25, "{said}");
    }
}

#[test]
fn an_important_sync_tells_the_team() {
    let said = run("important_sync");
    let told = "the team was told: Job ImportantSync with args [42] failed permanently: resource 42 cannot be read\n";
    assert_eq!(said, told);
}

#[test]
fn notifications_are_tried_again_or_discarded() {
    let said = run("notification");
    assert!(said.contains("to user 1: Your order shipped!\n"), "{said}");
    assert!(said.contains("discarded: there is no user 3\n"), "{said}");
    assert!(
        said.contains(" s, after {\"NotifyError::OpenTimeout\":1}\n"),
        "{said}"
    );
    assert!(seconds(&said, "tried again") <= 15, "{said}");
    assert!(
        (500..=600).contains(&seconds(&said, "a reminder")),
        "{said}"
    );
}

#[test]
fn a_daily_clean_up_keeps_what_is_new() {
    let said = run("cron_cleanup");
    assert!(said.contains("\ndeleted old.log\n"), "{said}");
    assert!(said.ends_with("left: 1\n"), "{said}");
}

#[test]
fn a_schedule_file_gives_arguments() {
    let said = run("hourly_sync");
    assert!(said.matches("syncing changes\n").count() >= 2, "{said}");
    assert!(said.contains("syncing full\n"), "{said}");
    for entry in ["hourly_sync made ", "sync_of_changes made "] {
        assert!(said.contains(entry), "{said}");
    }
}

#[test]
fn reports_wait_for_their_time() {
    let said = run("scheduled_report");
    for part in [
        "report 1 is due at ",
        "report 2 is due at ",
        "report 1 is written\n",
        "report 2 is written\n",
    ] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn a_long_import_survives_a_deploy() {
    let said = run("long_import");
    let lines: Vec<_> = said.lines().collect();
    let [deploy, resumed, imported] = lines[..] else {
        panic!("{said}");
    };
    assert_eq!(deploy, "a deploy");
    assert!(resumed.starts_with("going on after 1"), "{said}");
    assert_eq!(imported, "300 rows are imported");
}

#[test]
fn a_graceful_batch_processes_each_record_once() {
    let said = run("graceful_batch");
    assert!(said.starts_with("stopping after record "), "{said}");
    assert!(
        said.ends_with("200 records are processed, each once\n"),
        "{said}"
    );
}

/// A program that does not outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended by itself where the test passes.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The answer to a request, with its head.
fn ask(address: &str, request: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "{request} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\
         content-type: application/x-www-form-urlencoded\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_form_enqueues_a_job() {
    let child = command("web_app")
        .arg("--once")
        .env("PORT", "0")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut app = Running(child);
    let mut said = BufReader::new(app.0.stdout.take().unwrap()).lines();
    let address = said.next().unwrap().unwrap();
    let address = address.strip_prefix("http://").unwrap();

    let form = ask(address, "GET /", "");
    assert!(form.starts_with("HTTP/1.1 200"), "{form}");
    assert!(form.contains("action=\"/users\""), "{form}");
    let nameless = ask(address, "POST /users", "name=+");
    assert!(nameless.starts_with("HTTP/1.1 422"), "{nameless}");
    assert!(nameless.contains("action=\"/users\""), "{nameless}");
    let nobody = ask(address, "GET /users/0", "");
    assert!(nobody.starts_with("HTTP/1.1 404"), "{nobody}");

    let signed_up = ask(address, "POST /users", "name=Ana+%3Cb%3E");
    assert!(signed_up.starts_with("HTTP/1.1 303"), "{signed_up}");
    assert!(signed_up.contains("location: /users/0\r\n"), "{signed_up}");
    assert_eq!(said.next().unwrap().unwrap(), "welcome, Ana &lt;b>");
    let shown = ask(address, "GET /users/0", "");
    assert!(shown.contains("Ana &lt;b>, a mail is sent."), "{shown}");

    assert!(app.0.wait().unwrap().success());
    assert!(said.next().is_none());
}

#[test]
fn every_example_is_short_and_known() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
    let (table, manifest) = (read("README.md"), read("Cargo.toml"));
    let mut examples = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = file.strip_suffix(".rs").filter(|name| *name != "lib") else {
            continue;
        };
        examples += 1;
        let lines = read(&file).lines().count();
        assert!(lines < 80, "{file} has {lines} lines");
        assert!(table.contains(&format!("({file})")), "{file} in README.md");
        let listed = format!("path = \"{file}\"");
        assert!(manifest.contains(&listed), "{file} in Cargo.toml");
        let run = [format!("run(\"{name}\")"), format!("command(\"{name}\")")];
        let this = include_str!("examples.rs");
        assert!(run.iter().any(|run| this.contains(run)), "{file} is run");
    }
    assert!(examples >= 13, "only {examples}");
}
