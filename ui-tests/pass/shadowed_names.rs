//! Names that generated code could stumble over.
#![allow(dead_code, unused_macros, unused_macro_rules, non_camel_case_types)]

mod core {}
mod std {}
mod alloc {}
mod sancho {}
mod linkme {}
mod tokio {}

struct Result;
struct Option;
struct String;
struct Box;
struct Vec;
struct Duration;
struct Some;
struct None;
struct Ok;
struct Err;
struct str;
struct bool;
trait Send {}
trait Sync {}
trait Into {}
trait From {}
trait Iterator {}
trait IntoIterator {}
trait Future {}
trait Default {}
macro_rules! stringify {
    () => {};
}
macro_rules! file {
    () => {};
}
macro_rules! line {
    () => {};
}

#[derive(::serde::Serialize, ::serde::Deserialize)]
struct Set;
#[derive(::serde::Serialize, ::serde::Deserialize)]
struct Spec;
struct Job;

#[::sancho::job(queue = "low", timeout = "1m", tags = ["a"], retry = 1)]
async fn shadowed(
    set: Set,
    spec: Spec,
    #[state] job: &Job,
) -> ::core::result::Result<(), ::std::io::Error> {
    let _ = (set, spec);
    let _ = job;
    ::core::result::Result::Ok(())
}

#[::sancho::job]
fn shadowed_blocking(id: i64) {
    let _ = id;
}

fn main() {
    drop(shadowed::perform_async(Set, Spec));
    drop(shadowed_blocking::perform_bulk([1]));
}
