use tokio::io::duplex;

use super::*;

/// What is answered to these bytes, after which nothing more is sent.
async fn answered(request: &[u8]) -> String {
    let (mut asks, answers) = duplex(256 * 1024);
    let handle = Handle::of_no_server();
    let asked = async {
        asks.write_all(request).await.unwrap();
        asks.shutdown().await.unwrap();
        let mut text = String::new();
        asks.read_to_string(&mut text).await.unwrap();
        text
    };
    let (answer, text) = tokio::join!(answer(answers, &handle), asked);
    answer.unwrap();
    text
}

#[tokio::test]
async fn each_path_has_its_answer() {
    for (request, status, part) in [
        (
            "GET /livez HTTP/1.1\r\nHost: h\r\n\r\n",
            "200 OK",
            "\r\n\r\nalive\n",
        ),
        ("GET /livez?verbose HTTP/1.0\r\n\r\n", "200 OK", "alive"),
        (
            "GET /readyz HTTP/1.1\n\n",
            "503 Service Unavailable",
            "not ready: it has not started",
        ),
        (
            "GET /metrics HTTP/1.1\r\n\r\n",
            "200 OK",
            "text/plain; version=0.0.4",
        ),
        (
            "GET / HTTP/1.1\r\n\r\n",
            "404 Not Found",
            "/metrics, /livez and /readyz",
        ),
        (
            "GET /livez/../metrics HTTP/1.1\r\n\r\n",
            "404 Not Found",
            "",
        ),
        (
            "POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
            "405 Method",
            "Allow: GET, HEAD",
        ),
        (
            "GET http://h/livez HTTP/1.1\r\n\r\n",
            "400 Bad",
            "no HTTP/1 request",
        ),
        ("GET /livez HTTP/2.0\r\n\r\n", "400 Bad", ""),
        ("GET /livez\r\n\r\n", "400 Bad", ""),
        ("hello\r\n\r\n", "400 Bad", ""),
        ("GET /livez HTTP/1.1\r\nHo", "400 Bad", "no end"),
    ] {
        let text = answered(request.as_bytes()).await;
        assert!(
            text.starts_with(&format!("HTTP/1.1 {status}")),
            "{request:?}: {text}"
        );
        assert!(text.contains(part), "{request:?}: {text}");
    }
}

#[tokio::test]
async fn a_head_has_no_body_and_its_length() {
    let get = answered(b"GET /livez HTTP/1.1\r\n\r\n").await;
    let head = answered(b"HEAD /livez HTTP/1.1\r\n\r\n").await;
    assert_eq!(get, format!("{head}alive\n"));
    assert!(head.contains("Content-Length: 6\r\n"), "{head}");
}

#[tokio::test]
async fn what_is_no_request_is_refused_without_more_than_it_takes() {
    assert_eq!(answered(b"").await, "");
    let bytes = answered(b"\x16\x03\x01\xff\xfe\n\n").await;
    assert!(bytes.starts_with("HTTP/1.1 400"), "{bytes}");
    let mut long = b"GET /livez HTTP/1.1\r\nX: ".to_vec();
    long.resize(100_000, b'a');
    let long = answered(&long).await;
    assert!(long.starts_with("HTTP/1.1 431"), "{long}");
}

#[tokio::test(start_paused = true)]
async fn slow_connections_are_cut_off_and_keep_nobody_from_being_answered_for_ever() {
    let health = Health::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let address = health.0.local_addr().unwrap();
    let serving = health.serve(Handle::of_no_server());
    let mut slow = Vec::new();
    for _ in 0..MOST_CONNECTIONS {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /livez").await.unwrap();
        slow.push(stream);
    }
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET /livez HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.ends_with("alive\n"), "{text}");
    serving.abort();
}

#[tokio::test]
async fn a_port_that_is_in_use_is_named() {
    let first = Health::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let address = first.0.local_addr().unwrap();
    let error = Health::bind(address).await.unwrap_err();
    assert!(error.is_config());
    let error = error.to_string();
    assert!(
        error.contains(&address.to_string()) && error.contains("in use"),
        "{error}"
    );
}
