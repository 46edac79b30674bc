//! What a worker is told before it starts.

use sancho_tests::RedisServer;

use crate::process::{Site, WORKER, Worker};

/// The sidekiq.yml of a guide to Sidekiq, as it stands there.
const GUIDE: &str = include_str!("../../runtime/src/serve/config/guide.yml");

#[tokio::test]
async fn the_command_lines_of_the_guide_serve() {
    for (arguments, told) in [
        (
            &[][..],
            "concurrency=10 queues=critical,default,mailers,low",
        ),
        (&["-C", "config/sidekiq.yml"], "concurrency=10"),
        (
            &["-q", "critical,2", "-q", "default,1", "-q", "low,1"],
            "queues=critical,default,low",
        ),
    ] {
        let site = Site::new();
        site.write("config/sidekiq.yml", GUIDE);
        let mut worker = Worker::start(site.worker(arguments));
        let line = worker.line("sancho serves 3 jobs").await;
        assert!(line.contains(told), "{line}");
        worker.stop().await;
    }
}

#[tokio::test]
async fn the_unit_of_the_guide_serves_with_one_line_for_redis() {
    let redis = RedisServer::start(&[]);
    let site = Site::new();
    site.write("config/sidekiq.yml", GUIDE);
    let mut command = site.command("/bin/bash");
    command
        .args(["-lc", &format!("'{WORKER}' -e production")])
        .env("REDIS_URL", redis.url());
    let mut worker = Worker::start(command);
    let line = worker.line("sancho serves 3 jobs").await;
    assert!(line.contains("concurrency=25"), "{line}");
    let client = sancho::Client::connect(sancho::Config::new().store(redis.url()));
    let client = client.await.unwrap();
    let queue = client.job("Says").queue("mailers");
    queue.perform_async(("in time",)).await.unwrap();
    worker.line("in time").await;
    worker.stop().await;
    assert!(!site.files().contains(&"sancho.db".to_owned()));
}

#[tokio::test]
async fn a_check_says_what_would_start_and_starts_nothing() {
    let site = Site::new();
    site.write("config/sidekiq.yml", GUIDE);
    let mut command = site.worker([
        "--check=settings",
        "-e",
        "production",
        "-q",
        "a,2",
        "-q",
        "b",
    ]);
    command.env("REDIS_URL", "redis://:secret@127.0.0.1:1/0");
    let (code, said, _) = site.ended(command).await;
    assert_eq!(code, Some(0));
    for part in [
        "environment production, config/sidekiq.yml, 3 jobs, store redis://***@127.0.0.1:1/0",
        "capsule default: 25 jobs at once, weighted order of a, b",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(site.files(), ["config"]);

    let wrong = site.worker(["--check", "--store", "redis://127.0.0.1:port"]);
    let (code, said, errors) = site.ended(wrong).await;
    assert_eq!((code, said.as_str()), (Some(2), ""));
    assert!(
        errors.starts_with("error: ") && errors.contains("127.0.0.1:port"),
        "{errors}"
    );
}

#[tokio::test]
async fn a_check_says_whether_the_store_answers() {
    let redis = RedisServer::start(&[]);
    let site = Site::new();
    let mut command = site.worker(["--check"]);
    command.env("REDIS_URL", redis.url());
    let (code, said, errors) = site.ended(command).await;
    assert_eq!(code, Some(0), "{errors}");
    assert!(
        said.ends_with(&format!("the store {} answers\n", redis.url())),
        "{said}"
    );

    // A SQLite file is not made by a look.
    let (code, said, _) = site.ended(site.worker(["--check"])).await;
    assert_eq!(code, Some(0));
    let absent = "the store sqlite:sancho.db is not there yet, and will be made\n";
    assert!(said.ends_with(absent), "{said}");
    assert!(site.files().is_empty(), "{:?}", site.files());

    // The keys of `redis` count for it too.
    site.write("config/sidekiq.yml", "redis:\n  connect_timeout: 100ms\n");
    let mut away = site.worker(["--check"]);
    away.env("REDIS_URL", "redis://:secret@127.0.0.1:1/0");
    let (code, _, errors) = site.ended(away).await;
    assert_eq!(code, Some(2), "{errors}");
    let lines: Vec<_> = errors
        .lines()
        .filter(|it| it.starts_with("error: "))
        .collect();
    assert_eq!(lines.len(), 1, "{errors}");
    assert!(
        lines[0].contains("redis://***@127.0.0.1:1/0?connect_timeout=100ms")
            && lines[0].contains(": Connection refused: "),
        "{errors}"
    );
    assert!(!errors.contains("secret"), "{errors}");
}

#[tokio::test]
async fn help_and_version_are_shown() {
    let site = Site::new();
    let (code, said, _) = site.ended(site.worker(["-V"])).await;
    assert_eq!((code, said.as_str()), (Some(0), "sancho 0.1.0\n"));
    let (code, said, _) = site.ended(site.worker(["-h"])).await;
    assert_eq!(code, Some(0));
    assert!(
        said.contains("--queue <NAME>") && said.contains("-C, --config"),
        "{said}"
    );
}

#[tokio::test]
async fn bad_input_is_one_line_and_exit_code_2_and_starts_nothing() {
    let file = |text: &str| Some(text.to_owned());
    for (arguments, variables, config, parts) in [
        (
            &["-c", "0"][..],
            &[][..],
            None,
            &["--concurrency", "1 to 100000"][..],
        ),
        (&["-t", "soon"], &[], None, &["--timeout", "give seconds"]),
        (&["-q", "a,b"], &[], None, &["--queue", "NAME,WEIGHT"]),
        (&["--stroe", "memory:"], &[], None, &["--stroe", "--store"]),
        (&["extra"], &[], None, &["'extra'"]),
        (
            &["--log-format", "xml"],
            &[],
            None,
            &["--log-format", "logfmt"],
        ),
        (
            &["--store", "postgres://u:secret@h/d"],
            &[],
            None,
            &["--store is", "use redis://"],
        ),
        (
            &["--store", "sqlite:"],
            &[],
            None,
            &["--store is", "names no file"],
        ),
        (
            &["--store", "sqlite:nowhere/at/all.db"],
            &[],
            None,
            &["nowhere/at/all.db", "--store"],
        ),
        (
            &["--store", "redis://127.0.0.1:1"],
            &[],
            None,
            &["127.0.0.1:1", "REDIS_URL"],
        ),
        (
            &["--store", "redis://127.0.0.1:port"],
            &[],
            None,
            &["127.0.0.1:port"],
        ),
        (
            &[],
            &[("REDIS_URL", "http://h")],
            None,
            &["REDIS_URL is", "use redis://"],
        ),
        (
            &[],
            &[("REDIS_PROVIDER", "MINE")],
            None,
            &["REDIS_PROVIDER", "set MINE"],
        ),
        (
            &[],
            &[("RAILS_MAX_THREADS", "many")],
            None,
            &["RAILS_MAX_THREADS is \"many\""],
        ),
        (
            &["-e", "production"],
            &[],
            None,
            &["production", "REDIS_URL"],
        ),
        (
            &[],
            &[("APP_ENV", "production")],
            None,
            &["production", "--store"],
        ),
        (
            &["-C", "gone.yml"],
            &[],
            None,
            &["gone.yml", "No such file", "-C"],
        ),
        (&["-C", "config"], &[], file(""), &["config", "directory"]),
        (
            &[],
            &[],
            file("concurency: 1\n"),
            &["config/sidekiq.yml: concurency", "concurrency?"],
        ),
        (
            &[],
            &[],
            file(":timeout: never\n"),
            &["timeout is \"never\"", "seconds"],
        ),
        (
            &[],
            &[],
            file(":timeout: <%= 1 %>\n"),
            &["line 1 of config/sidekiq.yml", "ERB"],
        ),
        (&[], &[], file("a: [\n"), &["config/sidekiq.yml is no YAML"]),
        (
            &[],
            &[],
            file("store: ftp://h\n"),
            &["config/sidekiq.yml: store is", "use redis://"],
        ),
        (
            &["--health", "here"],
            &[],
            None,
            &["--health", "ADDRESS:PORT"],
        ),
        (
            &[],
            &[],
            file("health: 70000\n"),
            &["config/sidekiq.yml: health is 70000", "PORT"],
        ),
        (
            &["--health", "192.0.2.1:9394"],
            &[],
            None,
            &["health is 192.0.2.1:9394", "another port or address"],
        ),
        (
            &["--alive-file", "no/such/folder"],
            &[],
            None,
            &["alive_file", "no/such/folder"],
        ),
        (&["redis://:secret@h"], &[], None, &["'redis://***@h'"]),
        (
            &[],
            &[("REDIS_PROVIDER", "redis://:secret@h")],
            None,
            &["REDIS_PROVIDER is not the name of a variable"],
        ),
        (
            &[],
            &[("REDIS_URL", "redis://h")],
            file("redis: {ca: /x}\n"),
            &[
                "config/sidekiq.yml: redis.ca is only for encrypted",
                "rediss://",
            ],
        ),
        (
            &[],
            &[],
            file("redis: {timeout: 1m}\n"),
            &["config/sidekiq.yml: redis is wrong", "0.1 to 10", "timeout"],
        ),
        (
            &[],
            &[],
            file("redis: {url: \"redis://:secret@h/x\"}\n"),
            &["config/sidekiq.yml: redis.url cannot be used", "0 to 255"],
        ),
        (&["-C", "/dev/zero"], &[], None, &["/dev/zero"]),
        (
            &[],
            &[("REDIS_URL", "rediss://h")],
            file("redis: {ca: /gone}\n"),
            &["REDIS_URL with the keys of redis", "ca=/gone"],
        ),
    ] {
        let site = Site::new();
        if let Some(text) = &config {
            site.write("config/sidekiq.yml", text);
        }
        let mut command = site.worker(arguments);
        command.envs(variables.iter().copied());
        let (code, said, errors) = site.ended(command).await;
        let case = format!("{arguments:?} {variables:?} {config:?}: {errors}");
        assert_eq!((code, said.as_str()), (Some(2), ""), "{case}");
        // What the log says before, of a store that is tried, is no part of it.
        let lines: Vec<_> = errors
            .lines()
            .filter(|it| it.starts_with("error: "))
            .collect();
        assert_eq!(lines.len(), 1, "{case}");
        for part in parts {
            assert!(lines[0].contains(part), "{part:?} of {case}");
        }
        assert!(!errors.contains("secret"), "{case}");
        let left: Vec<_> = site
            .files()
            .into_iter()
            .filter(|name| name != "config")
            .collect();
        assert!(left.is_empty(), "{case} left {left:?}");
    }
}

#[tokio::test]
async fn what_is_rubys_alone_is_warned_about() {
    let site = Site::new();
    site.write("config/sidekiq.yml", ":require: ./app\n:pidfile: x.pid\n");
    let mut worker = Worker::start(site.worker(["-r", "./app"]));
    worker.line("require is Ruby's own").await;
    worker.line("pidfile is Ruby's own").await;
    worker.line("-r is Ruby's own").await;
    worker.line("sancho serves").await;
    worker.stop().await;
}

#[tokio::test]
async fn every_format_of_the_log_shows_the_start_and_end_of_a_job() {
    let site = Site::new();
    let client = site.client().await;
    for (format, of_success, of_failure) in [
        (
            "plain",
            " DEBUG done jid=",
            "  WARN fail: the mill is a giant jid=",
        ),
        (
            "logfmt",
            "lvl=debug target=sancho::engine::execute msg=done jid=",
            "msg=\"fail: the mill is a giant\"",
        ),
        (
            "pretty",
            "\u{1b}[34mDEBUG\u{1b}[0m done",
            "fail: the mill is a giant",
        ),
        (
            "json",
            "\"msg\":\"done\",\"ctx\":{\"jid\":",
            "\"msg\":\"fail: the mill is a giant\"",
        ),
    ] {
        let mut worker = Worker::serving(site.worker(["-v", "--log-format", format])).await;
        client.push("Says", ("hello",)).await.unwrap();
        worker.line("start").await;
        let done = worker.line(of_success).await;
        client.push("Fails", ()).await.unwrap();
        let failed = worker.line(of_failure).await;
        for line in [&done, &failed] {
            for field in ["jid", "class", "queue", "elapsed"] {
                assert!(line.contains(field), "{line}");
            }
            if format == "json" {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                assert_eq!(line["ctx"]["queue"], "default");
                assert!(line["ctx"]["elapsed"].is_f64(), "{line}");
            }
        }
        worker.stop().await;
    }
}
