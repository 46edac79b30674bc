//! Chromium, driven by WebDriver. Tests that run beside each other have one each; the next test takes over one that is free.

use std::io::{BufRead, BufReader};
use std::ops::Deref;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;

use crate::harness::{in_time, until};

/// Starts the driver, tells its fate on standard output, and kills it when standard input ends, which also happens when the test
/// process dies in any way. The browser hangs on a pipe to the driver, and ends with it.
const KEEPER: &str = r#"
dir=$1
chromedriver --port=0 & driver=$!
exec >/dev/null 2>&1
read -r _
kill -9 $driver; wait $driver
while ! rm -rf "$dir"; do :; done
"#;

/// The key of an element in WebDriver's JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The axe that looks for what keeps people from using a page.
const AXE: &str = include_str!("axe.min.js");

/// How a page is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) dark: bool,
}

/// A browser with one page open.
#[derive(Debug)]
pub(crate) struct Browser {
    port: u16,
    session: String,
    _driver: Driver,
}

#[derive(Debug)]
struct Driver {
    _keeper: Child,
    /// It ends with the process.
    _lifeline: ChildStdin,
}

impl Look {
    pub(crate) const WIDE: Self = Self {
        width: 1280,
        height: 800,
        dark: false,
    };
    pub(crate) const NARROW: Self = Self {
        width: 360,
        height: 800,
        dark: false,
    };

    pub(crate) const fn dark(self) -> Self {
        Self { dark: true, ..self }
    }
}

/// The browsers that no test has.
static FREE: Mutex<Vec<Browser>> = Mutex::new(Vec::new());

/// A browser that a test has.
#[derive(Debug)]
pub(crate) struct Lent(Option<Browser>);

impl Deref for Lent {
    type Target = Browser;

    fn deref(&self) -> &Browser {
        self.0.as_ref().unwrap()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        free.extend(self.0.take());
    }
}

/// A browser, as if it were new, until this is dropped.
pub(crate) async fn browser() -> Lent {
    let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let browser = match free {
        Some(browser) => browser,
        None => Browser::start().await,
    };
    let browser = Lent(Some(browser));
    browser.scripts(true).await;
    browser.look(Look::WIDE).await;
    // Cookies are one site's, and the next site has another port, which makes no difference to them.
    browser
        .devtools("Network.clearBrowserCookies", json!({}))
        .await;
    browser
        .command("POST", "/url", &json!({"url": "about:blank"}))
        .await;
    browser.complaints().await;
    browser
}

impl Browser {
    async fn start() -> Self {
        let dir = TempDir::new().unwrap().keep();
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "sh"])
            .arg(&dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lifeline = keeper.stdin.take().unwrap();
        let mut lines = BufReader::new(keeper.stdout.take().unwrap()).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse().ok()
        });
        let port =
            port.expect("chromedriver starts (Debian: apt-get install chromium chromium-driver)");
        thread::spawn(move || lines.for_each(drop));
        let profile = format!("--user-data-dir={}", dir.display());
        let arguments = [
            "--headless=new",
            // Root cannot have a sandbox, nor can many containers; the pages are our own.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--remote-debugging-pipe",
            &profile,
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let session = ask(port, "POST", "/session", &wanted).await;
        let session = session.expect("Chromium starts (Debian: apt-get install chromium)");
        Self {
            port,
            session: session["sessionId"].as_str().unwrap().to_owned(),
            _driver: Driver {
                _keeper: keeper,
                _lifeline: lifeline,
            },
        }
    }

    /// Looks at the page that is open, and at those that are opened from now on, like this.
    pub(crate) async fn look(&self, look: Look) {
        let size = json!({"width": look.width, "height": look.height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", size)
            .await;
        let scheme = if look.dark { "dark" } else { "light" };
        let media = json!({"features": [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]});
        self.devtools("Emulation.setEmulatedMedia", media).await;
        let script = "return [innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]";
        let wanted = json!([look.width, look.dark]);
        let seen = || self.run(script, json!([]));
        until("the page looks like this", seen, |seen| *seen == wanted).await;
    }

    /// Lets pages that are opened from now on run scripts, or not.
    pub(crate) async fn scripts(&self, may: bool) {
        let value = json!({"value": !may});
        self.devtools("Emulation.setScriptExecutionDisabled", value)
            .await;
    }

    /// Opens a page, whatever its answer is.
    pub(crate) async fn open(&self, url: &str) {
        self.command("POST", "/url", &json!({ "url": url })).await;
    }

    /// What a script comes to; it runs where scripts of pages do not, too.
    pub(crate) async fn run(&self, script: &str, arguments: Value) -> Value {
        let script = json!({"script": script, "args": arguments});
        self.command("POST", "/execute/sync", &script).await
    }

    /// Clicks on the first thing that is visible, fits the selector and, unless the text is empty, has exactly this text.
    #[track_caller]
    pub(crate) fn press(&self, selector: &str, text: &str) -> impl Future<Output = ()> {
        let what = format!("{selector} with {text:?} is pressed");
        let pressed = until(what, move || self.try_press(selector, text), Result::is_ok);
        async move { drop(pressed.await) }
    }

    async fn try_press(&self, selector: &str, text: &str) -> Result<(), String> {
        let script = "const fits = (e) => (arguments[1] === '' || e.textContent.trim() === arguments[1]) && e.getClientRects().length > 0;
            return [...document.querySelectorAll(arguments[0])].find(fits) ?? document.body.innerText;";
        let found = self.run(script, json!([selector, text])).await;
        let Some(id) = found.get(ELEMENT).and_then(Value::as_str) else {
            return Err(format!("not on the page: {found}"));
        };
        let path = format!("/session/{}/element/{id}/click", self.session);
        match ask(self.port, "POST", &path, &json!({})).await {
            Ok(_) => Ok(()),
            // A page that stays current has replaced it meanwhile.
            Err(error) if error.contains("stale element") => Err(error),
            Err(error) => panic!("{selector} {text:?}: {error}"),
        }
    }

    /// Types into what fits the selector; keys that mean something to the page go to `body`.
    pub(crate) async fn keys(&self, selector: &str, text: &str) {
        let element = json!({"using": "css selector", "value": selector});
        let found = self.command("POST", "/element", &element).await;
        let id = found[ELEMENT].as_str().unwrap();
        self.command(
            "POST",
            &format!("/element/{id}/value"),
            &json!({ "text": text }),
        )
        .await;
    }

    /// Waits until the page shows this.
    #[track_caller]
    pub(crate) fn shows(&self, text: &str) -> impl Future<Output = ()> {
        let shown = until(
            format!("the page shows {text:?}"),
            || self.text("body"),
            move |shown| shown.contains(text),
        );
        async move { drop(shown.await) }
    }

    /// Waits until what fits the selector has this text.
    #[track_caller]
    pub(crate) fn has(&self, selector: &str, text: &str) -> impl Future<Output = ()> {
        let shown = until(
            format!("{selector} has {text:?}"),
            move || self.text(selector),
            move |shown| shown == text,
        );
        async move { drop(shown.await) }
    }

    /// The text of what fits the selector as it is seen; empty where nothing does.
    pub(crate) async fn text(&self, selector: &str) -> String {
        let script = "return document.querySelector(arguments[0])?.innerText ?? ''";
        let text = self.run(script, json!([selector])).await;
        text.as_str().unwrap_or_default().trim().to_owned()
    }

    /// What axe finds that is serious or worse.
    pub(crate) async fn barriers(&self) -> Value {
        // Half a megabyte is sent once for a page, and not for each of its looks.
        if self.run("return typeof window.axe", json!([])).await == "undefined" {
            self.run(AXE, json!([])).await;
        }
        let script = "
             const done = arguments[arguments.length - 1];
             const told = (rule) => [rule.impact, rule.id, rule.help, rule.nodes.slice(0, 3).map((n) => n.html + ' ' + n.failureSummary)];
             const bad = (rule) => ['serious', 'critical'].includes(rule.impact);
             window.axe.run(document, {resultTypes: ['violations']}).then((r) => done(r.violations.filter(bad).map(told)), (e) => done(String(e)));";
        let script = json!({"script": script, "args": []});
        self.command("POST", "/execute/async", &script).await
    }

    /// What the browser has complained of since it was asked last: errors of scripts, of the policy, of what could not be loaded.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let which = json!({"type": "browser"});
        let log = self.command("POST", "/se/log", &which).await;
        let entries = log.as_array().unwrap().iter();
        entries
            .filter(|entry| entry["level"] == "SEVERE")
            .map(|entry| entry["message"].to_string())
            .collect()
    }

    /// What is seen, as PNG in base64.
    pub(crate) async fn picture(&self) -> String {
        let picture = self.command("GET", "/screenshot", &Value::Null).await;
        picture.as_str().unwrap().to_owned()
    }

    async fn devtools(&self, command: &str, params: Value) {
        let command = json!({"cmd": command, "params": params});
        self.command("POST", "/goog/cdp/execute", &command).await;
    }

    async fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let path = format!("/session/{}{path}", self.session);
        ask(self.port, method, &path, body)
            .await
            .unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

/// What the driver answers to a command.
async fn ask(port: u16, method: &str, path: &str, body: &Value) -> Result<Value, String> {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = async {
        let mut stream = BufStream::new(TcpStream::connect(("127.0.0.1", port)).await?);
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        let (mut head, mut length) = (String::new(), 0);
        // The connection stays open after the answer, so its length counts.
        while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).await? > 0 {
            let last = head.lines().last().unwrap_or_default().to_ascii_lowercase();
            if let Some(value) = last.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        Ok::<_, std::io::Error>((head, body))
    };
    let (head, body) = in_time(path, answer)
        .await
        .map_err(|error| error.to_string())?;
    let body = String::from_utf8(body).unwrap();
    let mut body: Value =
        serde_json::from_str(&body).map_err(|error| format!("{error}: {body}"))?;
    if head.starts_with("HTTP/1.1 200") {
        Ok(body["value"].take())
    } else {
        Err(body["value"]["message"].to_string())
    }
}
