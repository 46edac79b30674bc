use super::*;

fn wrong(url: &str) -> String {
    parse(url).map(drop).unwrap_err()
}

#[test]
fn each_form_is_read() {
    let read = |url| parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
    let target = read("redis://al%40ice:s%2Fe@h:7/3?prefix={a}:&timeout=500ms&connect_timeout=2s");
    assert_eq!(target.config.username.as_deref(), Some("al@ice"));
    assert_eq!(target.config.password.as_deref(), Some("s/e"));
    assert_eq!(target.config.database, Some(3));
    assert_eq!(target.config.server, ServerConfig::new_centralized("h", 7));
    assert_eq!(target.prefix, "{a}:");
    assert_eq!(target.patience.command, Duration::from_millis(500));
    assert_eq!(target.patience.connection, Duration::from_secs(2));
    assert!(target.tls.is_none());

    let target = read("valkeys://:p@[::1]?ca=/ca.pem&cert=/c.pem&key=/k.pem");
    assert_eq!(
        target.config.server,
        ServerConfig::new_centralized("::1", 6379)
    );
    assert_eq!(target.config.username, None);
    let (files, _) = target.tls.unwrap();
    assert_eq!(files.ca.unwrap().to_str(), Some("/ca.pem"));
    assert_eq!(files.client.unwrap().1.to_str(), Some("/k.pem"));

    for url in [
        "redis+unix://:p@/run/r.sock?db=2",
        "unix://:p@/run/r.sock?db=2",
    ] {
        let target = read(url);
        assert_eq!(target.config.password.as_deref(), Some("p"));
        assert_eq!(target.config.database, Some(2));
        assert_eq!(
            target.config.server,
            ServerConfig::Unix {
                path: "/run/r.sock".into()
            }
        );
    }

    let target = read("redis-sentinel://h/1?node=i:5&sentinelServiceName=m&sentinelPassword=p%40");
    let ServerConfig::Sentinel {
        hosts,
        service_name,
        password,
        ..
    } = target.config.server
    else {
        panic!("it is no Sentinel");
    };
    assert_eq!(hosts, [Server::new("h", 26_379), Server::new("i", 5)]);
    assert_eq!(
        (service_name.as_str(), password.as_deref()),
        ("m", Some("p@"))
    );

    let target = read("redis-cluster://h:1?node=i:2&prefix={s}");
    assert_eq!(target.config.server.hosts().len(), 2);
    assert!(check_prefix(&target.config.server, &target.prefix).is_ok());
    for prefix in ["", "s:", "{}s", "}{", "{s"] {
        let error = check_prefix(&target.config.server, prefix).unwrap_err();
        assert!(error.contains("add prefix={sancho}:"), "{error}");
    }
}

#[test]
fn what_is_wrong_is_named_with_what_is_allowed() {
    for (url, named, allowed) in [
        ("redis://", "no host", "redis://host:6379/0"),
        ("redis://:6379", "no host", "redis://host:6379/0"),
        ("redis://h:x", "port is \"x\"", "1 to 65535"),
        ("redis://h:0", "port is \"0\"", "1 to 65535"),
        ("redis://h:65536", "port is \"65536\"", "1 to 65535"),
        ("redis://h:+1", "port is \"+1\"", "1 to 65535"),
        ("redis://[::1", "no ]", "["),
        ("redis://[::1]6380", "something else", ":port"),
        ("redis://h/x", "database is \"x\"", "0 to 255"),
        ("redis://h/256", "database is \"256\"", "0 to 255"),
        ("redis://h/0/1", "database is \"0/1\"", "0 to 255"),
        ("redis://u@h", "user without a password", ":password@host"),
        ("redis://:%zz@h", "%", "%25"),
        ("redis://:%ff@h", "UTF-8", "text"),
        ("redis://:a/b@h", "escaped", "%2F"),
        ("redis://:a?b@h", "escaped", "%3F"),
        ("redis://:a#b@h", "escaped", "%23"),
        (
            "redis://h?prfix=a",
            "prfix is no parameter",
            "did you mean prefix?",
        ),
        (
            "redis://h?zzzzzz=a",
            "zzzzzz is no parameter",
            "there are prefix, timeout, connect_timeout",
        ),
        ("redis://h?prefix", "prefix has no value", "prefix="),
        ("redis://h?prefix=a&prefix=b", "twice", "once"),
        ("redis://h?pool=5", "pool", "one connection"),
        ("redis://h?timeout=2", "timeout is \"2\"", "100ms to 10s"),
        (
            "redis://h?timeout=11s",
            "timeout is \"11s\"",
            "100ms to 10s",
        ),
        (
            "redis://h?timeout=99ms",
            "timeout is \"99ms\"",
            "100ms to 10s",
        ),
        ("redis://h?ca=/x", "ca", "rediss://"),
        ("rediss://h?cert=/x", "cert and key", "both"),
        ("redis://h?db=1", "db", "redis://host:6379/2"),
        ("redis://h?node=a:1", "node", "redis-cluster://"),
        (
            "redis-sentinel://h",
            "which master",
            "sentinelServiceName=mymaster",
        ),
        ("redis-cluster://h/1", "database 0", "leave"),
        ("redis+unix://x", "no socket", "redis+unix:///path"),
        ("redis", "no URL", "redis://"),
        ("http://h", "no scheme", "redis, rediss"),
    ] {
        let error = wrong(url);
        assert!(
            error.contains(named) && error.contains(allowed),
            "{url}: {error}"
        );
    }
}

#[test]
fn no_password_is_shown_wherever_it_stands() {
    for url in [
        "redis://:secret@h/1?prefix=a",
        "redis://secret:secret@h:x",
        "redis://:sec/secret@h",
        "redis://:sec?secret@h",
        "redis://:sec?secret=secret@h",
        "redis://:sec#secret@h",
        "redis://:sec@secret@h",
        "redis://:sec&secret@h?prefix=a",
        "redis://:secret%zz@h",
        "redis+unix://:secret@/run/r.sock",
        "redis+unix://:sec/secret@/run/r.sock",
        "redis-sentinel://h?sentinelServiceName=m&sentinelPassword=secret",
        "redis-sentinel://h?sentinelServiceName=m&sentinelPassword=a@secret",
        "redis-sentinel://h?sentinelServiceName=m&sentinelPasword=secret",
        "redis://h?password=secret",
        "redis://h?secret",
        "redis:/:secret@h",
        ":secret@h:6379",
        "secret@h://x",
    ] {
        assert!(!shown(url).contains("secret"), "{url}: {}", shown(url));
        if url == "redis://h?secret" {
            // A name is told: it may be a parameter misspelt.
            continue;
        }
        if let Err(error) = parse(url) {
            assert!(!error.contains("secret"), "{url}: {error}");
        }
    }
    assert_eq!(
        shown("redis://u:p@h:1/2?prefix=a"),
        "redis://***@h:1/2?prefix=a"
    );
    assert_eq!(shown("redis://h/2"), "redis://h/2");
}

#[test]
fn parameters_that_stand_elsewhere_count_where_the_url_is_silent() {
    let one = |url, name, value: &str| with(url, name, &[value.to_owned()]);
    let url = one("redis://h/1", "timeout", "1s").unwrap();
    assert_eq!(url, "redis://h/1?timeout=1s");
    let url = one(&url, "prefix", "a&b=c@{d}:").unwrap();
    assert_eq!(url, "redis://h/1?timeout=1s&prefix=a%26b%3Dc%40%7Bd%7D:");
    assert_eq!(parse(&url).map(|it| it.prefix).as_deref(), Ok("a&b=c@{d}:"));
    assert_eq!(one(&url, "timeout", "2s").as_deref(), Ok(&*url));
    let nodes = ["a:1".to_owned(), "b:2".to_owned()];
    let cluster = with("redis-cluster://h?prefix={s}", "node", &nodes).unwrap();
    assert_eq!(
        parse(&cluster).map(|it| it.config.server.hosts().len()),
        Ok(3)
    );
    for (url, name, value, said) in [
        ("redis://h", "ca", "/x", "is only for encrypted connections"),
        ("rediss://h", "node", "a", "is only for redis-sentinel://"),
        ("redis://h", "db", "2", "is only for unix sockets"),
        ("redis://h", "timeout", "2", "is \"2\": give a time"),
    ] {
        let error = one(url, name, value).unwrap_err();
        assert!(error.contains(said), "{url} {name}: {error}");
    }
    // What is no URL is told of by who reads it.
    assert_eq!(one("no url", "timeout", "x").as_deref(), Ok("no url"));
    assert!(!parameters().any(|name| name == "pool"));
}
