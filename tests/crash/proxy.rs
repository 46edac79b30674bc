//! The way between a process and Redis, which is cut, stalled or slowed down.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

/// What the way does with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Pass,
    /// Closes every connection, and takes none.
    Cut,
    /// Takes everything and hands nothing on. A connection that was stalled stays so.
    Stall,
    /// Hands the answers on so much later.
    Delay(Duration),
}

pub(crate) struct Proxy {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    upstream: watch::Sender<String>,
}

impl Proxy {
    /// Starts it towards a URL.
    pub(crate) async fn start(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mode = watch::Sender::new(Mode::Pass);
        let upstream = watch::Sender::new(host(url));
        let (modes, hosts) = (mode.clone(), upstream.subscribe());
        tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                let host = hosts.borrow().clone();
                if *modes.borrow() != Mode::Cut
                    && let Ok(far) = TcpStream::connect(host).await
                {
                    connect(near, far, &modes);
                }
            }
        });
        Self {
            address,
            mode,
            upstream,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Leads new connections to another server.
    pub(crate) fn lead_to(&self, url: &str) {
        self.upstream.send_replace(host(url));
    }
}

fn host(url: &str) -> String {
    url.strip_prefix("redis://").unwrap().to_owned()
}

fn connect(near: TcpStream, far: TcpStream, mode: &watch::Sender<Mode>) {
    let (from_near, to_near) = near.into_split();
    let (from_far, to_far) = far.into_split();
    let stalled = Arc::new(std::sync::atomic::AtomicBool::new(false));
    tokio::spawn(copy(
        from_near,
        to_far,
        mode.subscribe(),
        stalled.clone(),
        false,
    ));
    tokio::spawn(copy(from_far, to_near, mode.subscribe(), stalled, true));
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
    stalled: Arc<std::sync::atomic::AtomicBool>,
    answers: bool,
) {
    use std::sync::atomic::Ordering::SeqCst;
    let mut bytes = vec![0; 1 << 16];
    loop {
        let now = *mode.borrow_and_update();
        match now {
            Mode::Cut => return,
            Mode::Stall => stalled.store(true, SeqCst),
            Mode::Pass | Mode::Delay(_) => {}
        }
        let count = tokio::select! {
            count = from.read(&mut bytes) => count.unwrap_or(0),
            _ = mode.changed() => continue,
        };
        if count == 0 {
            return;
        }
        if stalled.load(SeqCst) {
            continue;
        }
        if let Mode::Delay(time) = now
            && answers
        {
            sleep(time).await;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
