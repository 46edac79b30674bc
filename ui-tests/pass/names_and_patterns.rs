//! Raw names, patterns, and parameters called as generated code might call its own.
#![deny(warnings)]

use std::time::Duration;

use sancho::job;

#[job]
async fn r#loop(r#type: i64, r#match: String) {
    let _ = (r#type, r#match);
}

#[job]
async fn patterns((a, b): (u8, u8), _: u8, mut n: u8, [x, y]: [u8; 2], arg0: u8) {
    n += a + b + x + y + arg0;
    let _ = n;
}

#[job]
async fn busy(
    at: i64,
    delay: u32,
    call: String,
    options: bool,
    args: Vec<i64>,
    items: u8,
    index: u8,
) {
    let _ = (at, delay, call, options, args, items, index);
}

// A parameter of the job's own name.
#[job]
async fn email(email: String) {
    drop(email);
}

#[job]
fn twelve(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8, k: u8, l: u8) {
    let _ = (a, b, c, d, e, f, g, h, i, j, k, l);
}

fn main() {
    drop(r#loop::perform_async(1, "x".into()));
    drop(patterns::perform_async((1, 2), 3, 4, [5, 6], 7));
    drop(busy::perform_in(
        Duration::ZERO,
        1,
        2,
        "x".into(),
        true,
        vec![3],
        4,
        5,
    ));
    drop(busy::perform_at(
        chrono::Utc::now(),
        1,
        2,
        "x".into(),
        true,
        vec![3],
        4,
        5,
    ));
    drop(email::perform_async("x".into()));
    drop(twelve::perform_async(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));

    let classes: Vec<_> = sancho::__private::JOBS
        .iter()
        .map(|job| (job.name, job.class))
        .collect();
    assert!(classes.contains(&("loop", "Loop")), "{classes:?}");
}
