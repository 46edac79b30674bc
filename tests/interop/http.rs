//! As much of a browser as Sidekiq's Web UI needs: pages, forms and a session.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::in_time;

/// A browser that has one site open.
pub(crate) struct Browser {
    port: u16,
    cookie: Option<String>,
}

struct Response {
    status: u16,
    head: String,
    body: String,
}

impl Browser {
    pub(crate) fn at(port: u16) -> Self {
        Self { port, cookie: None }
    }

    /// A page.
    pub(crate) async fn get(&mut self, path: &str) -> String {
        let response = self.send("GET", path, "").await;
        assert_eq!(response.status, 200, "{path}: {}", response.body);
        response.body
    }

    /// Presses a button of a form on a page, which leads to another one.
    pub(crate) async fn press(&mut self, page: &str, action: &str, fields: &[(&str, &str)]) {
        let shown = self.get(page).await;
        let token = between(&shown, "name='authenticity_token' value='", "'");
        let mut form = format!("authenticity_token={}", encoded(token));
        for (name, value) in fields {
            form += &format!("&{}={}", encoded(name), encoded(value));
        }
        let response = self.send("POST", action, &form).await;
        assert_eq!(response.status, 302, "{action}: {}", response.body);
    }

    /// Sends a form that lacks the token of its page; and the status of the answer.
    pub(crate) async fn forge(&mut self, action: &str) -> u16 {
        self.send("POST", action, "retry=1").await.status
    }

    async fn send(&mut self, method: &str, path: &str, form: &str) -> Response {
        let cookie = self.cookie.as_ref();
        let cookie = cookie.map_or_else(String::new, |cookie| format!("Cookie: {cookie}\r\n"));
        let length = form.len();
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{}\r\n{cookie}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{form}",
            self.port
        );
        let answer = async {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
            stream.write_all(request.as_bytes()).await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = in_time("the Web UI answers", answer).await.unwrap();
        let response = Response::read(&String::from_utf8(answer).unwrap());
        if response.head.contains("Set-Cookie: ") {
            self.cookie = Some(between(&response.head, "Set-Cookie: ", ";").to_owned());
        }
        response
    }
}

impl Response {
    fn read(answer: &str) -> Self {
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap();
        Self {
            status: status.parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }
}

/// What stands between two texts.
pub(crate) fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text
        .split_once(before)
        .unwrap_or_else(|| panic!("{before:?} is not in {text}"));
    rest.split_once(after).unwrap().0
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
