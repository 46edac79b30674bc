//! The way to Redis, on which the process can die when its command has left, or when the answer is there and not handed on.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::kill::Kill;

/// Starts it; gives the URL to use instead.
pub(crate) fn start(url: &str, kill: Arc<Kill>) -> String {
    let upstream = url
        .strip_prefix("redis://")
        .expect("a plain URL")
        .to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it has a port").port();
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            if let Ok(far) = TcpStream::connect(&upstream) {
                connect(&near, &far, &kill);
            }
        }
    });
    format!("redis://127.0.0.1:{port}")
}

fn connect(near: &TcpStream, far: &TcpStream, kill: &Arc<Kill>) {
    // Half of all processes die once the script is sent, half once it is answered.
    let when_answered = std::process::id().is_multiple_of(2);
    let sent = Arc::new(AtomicBool::new(false));
    copy(near, far, {
        let (kill, sent) = (kill.clone(), sent.clone());
        move |bytes, far| {
            let script = kill.is_armed() && bytes.windows(7).any(|word| word == b"EVALSHA");
            far.write_all(bytes)?;
            if script && !when_answered {
                kill.now();
            }
            sent.fetch_or(script, Ordering::SeqCst);
            Ok(())
        }
    });
    let kill = kill.clone();
    copy(far, near, move |bytes, near| {
        if sent.load(Ordering::SeqCst) {
            kill.now();
        }
        near.write_all(bytes)
    });
}

fn copy(
    from: &TcpStream,
    to: &TcpStream,
    mut pass: impl FnMut(&[u8], &mut TcpStream) -> std::io::Result<()> + Send + 'static,
) {
    let clone = |stream: &TcpStream| stream.try_clone().expect("a socket can be shared");
    let (mut from, mut to) = (clone(from), clone(to));
    thread::spawn(move || {
        let mut bytes = vec![0; 1 << 16];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if pass(&bytes[..count], &mut to).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}
