use sancho_tests::RedisServer;

use crate::site::{Site, ask, refusal};

#[tokio::test]
async fn a_user_with_a_password_works_in_a_database() {
    let server = RedisServer::start(&["--requirepass", "admin"]);
    let allowed = [
        "-a",
        "admin",
        "--no-auth-warning",
        "ACL",
        "SETUSER",
        "app",
        "on",
    ];
    let rules = [">s@cret/1", "~*", "&*", "+@all", "-@admin"];
    assert_eq!(ask(&server, &[&allowed[..], &rules[..]].concat()), "OK\n");
    let at = |login: &str| format!("redis://{login}127.0.0.1:{}/3", server.port());

    let mut site = Site::at(&at("app:s%40cret%2F1@")).await;
    site.works().await;
    site.stop().await;
    let keys = |database| {
        let login = ["-a", "admin", "--no-auth-warning", "-n", database];
        ask(&server, &[&login[..], &["EXISTS", "queues"]].concat())
    };
    assert_eq!((keys("3").as_str(), keys("0").as_str()), ("1\n", "0\n"));

    for login in ["app:secret@", ":secret@", "secret:x@"] {
        let text = refusal(&at(login)).await;
        for part in [
            &server.port().to_string(),
            "***@",
            "check the user and password",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
    assert!(
        refusal(&at(""))
            .await
            .contains("check the user and password")
    );
}

#[tokio::test]
async fn a_socket_with_a_password_works_in_a_database() {
    let server = RedisServer::start_with(|_, dir| {
        let dir = dir.to_str().unwrap();
        let socket = format!("{dir}/redis.sock");
        let all = [
            "--port",
            "0",
            "--unixsocket",
            &socket,
            "--requirepass",
            "s/cret",
            "--dir",
            dir,
        ];
        all.map(str::to_owned).to_vec()
    });
    let socket = server.dir().join("redis.sock");
    let at = |login: &str| format!("redis+unix://{login}{}?db=2", socket.display());
    let mut site = Site::at(&at(":s%2Fcret@")).await;
    site.works().await;
    site.stop().await;
    let text = refusal(&at(":secret@")).await;
    assert!(
        text.contains("redis.sock") && text.contains("check the user and password"),
        "{text}"
    );
    let text = refusal("unix:///nonexistent/redis.sock").await;
    assert!(text.contains("/nonexistent/redis.sock"), "{text}");
}
