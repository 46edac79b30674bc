//! Older arguments in every form.

#![deny(warnings)]

use sancho::job;
use serde::Deserialize;

#[derive(Deserialize)]
struct One(u64);

#[derive(Deserialize)]
struct Named {
    id: u64,
    #[serde(default)]
    note: Option<String>,
}

#[derive(Deserialize)]
struct Nothing;

impl From<One> for (u64, String) {
    fn from(One(id): One) -> Self {
        (id, String::new())
    }
}

impl From<Named> for (u64, String) {
    fn from(Named { id, note }: Named) -> Self {
        (id, note.unwrap_or_default())
    }
}

impl From<Nothing> for (u64, String) {
    fn from(_: Nothing) -> Self {
        (0, String::new())
    }
}

#[job(version = 4, from(Named, One, Nothing))]
async fn grown(id: u64, note: String) {
    let _ = (id, note);
}

// The tuple itself, where an argument only got a name.
#[job(version = 2, from((u64,),))]
async fn same(_id: u64) {}

// What is older cannot be read any more.
#[job(version = 7)]
async fn cut_off(_id: u64) {}

fn main() {
    drop(grown::perform_async(1, String::new()));
    drop(same::perform_async(1));
    drop(cut_off::perform_async(1));
}
