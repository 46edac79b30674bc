//! The jobs. All have the arguments of every system's: an integer and a text of 100 bytes.

use std::time::{Duration, Instant};

use sancho::job;

use super::progress::{ended, note};
use crate::rig::{now_ns, wall_ns};

#[job]
pub(super) async fn no_op(integer: u64, text: String) {
    let _ = (integer, text);
    ended();
}

#[job]
pub(super) async fn wait_1ms(integer: u64, text: String) {
    let _ = (integer, text);
    tokio::time::sleep(Duration::from_millis(1)).await;
    ended();
}

#[job]
pub(super) async fn wait_10ms(integer: u64, text: String) {
    let _ = (integer, text);
    tokio::time::sleep(Duration::from_millis(10)).await;
    ended();
}

#[job]
pub(super) async fn burn_100us(integer: u64, text: String) {
    let _ = (integer, text);
    let end = Instant::now() + Duration::from_micros(100);
    while Instant::now() < end {
        std::hint::spin_loop();
    }
    ended();
}

/// Notes how long ago it was pushed, by the clock that all processes of a machine share.
#[job]
pub(super) async fn pick_up(pushed_ns: u64, text: String) {
    note(now_ns().saturating_sub(pushed_ns));
    let _ = text;
    ended();
}

/// The same, and then waits as `wait_10ms` does.
#[job]
pub(super) async fn pick_up_wait(pushed_ns: u64, text: String) {
    note(now_ns().saturating_sub(pushed_ns));
    let _ = text;
    tokio::time::sleep(Duration::from_millis(10)).await;
    ended();
}

/// Notes how late it is, by the wall clock.
#[job]
pub(super) async fn late(due_ns: u64, text: String) {
    note(wall_ns().saturating_sub(due_ns));
    let _ = text;
    ended();
}

/// Every other one fails.
#[job]
pub(super) async fn fail_half(integer: u64, text: String) -> Result<(), std::io::Error> {
    let _ = text;
    ended();
    if integer.is_multiple_of(2) {
        Ok(())
    } else {
        Err(std::io::Error::other("the server answered 503"))
    }
}
