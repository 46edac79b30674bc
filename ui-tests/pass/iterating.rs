//! Jobs that iterate: parameters in any order, sources of every kind, functions of both kinds, and names of the generated code.

use sancho::iterate::{self, Source};
use sancho::{Context, Outcome, job};

pub struct Call(u32);

#[job(iterate = self::numbers, on_start = hooks::start, on_complete = hooks::complete)]
async fn named(
    #[state] call: &Call,
    run: u32,
    items: String,
    #[context] item: &Context,
    cursor: Option<u8>,
) -> Result<Outcome, std::io::Error> {
    let _ = (call.0, run, items, item, cursor);
    Ok(Outcome::Done)
}

fn numbers(
    call: &Call,
    _items: String,
    _item: &Context,
    _cursor: Option<u8>,
    from: Option<u32>,
) -> impl Source<Item = u32, Cursor = u32> {
    iterate::range(call.0..9, from)
}

mod hooks {
    use super::{Call, Context};

    pub async fn start(_: &Call, _: String, _: &Context, _: Option<u8>) -> Result<(), String> {
        Ok(())
    }

    pub async fn complete(_: &Call, _: String, _: &Context, _: Option<u8>) {}
}

struct Row(std::sync::mpsc::Receiver<u8>);

#[job(iterate = rows)]
fn blocking(row: Row, n: u8, #[state] call: &Call) {
    let _ = (row.0, n, call);
}

fn rows(
    n: u8,
    call: &Call,
    cursor: Option<(u8, String)>,
) -> Result<impl Source<Item = Row, Cursor = (u8, String)>, std::fmt::Error> {
    let begin = cursor.map_or(0, |(begin, _)| begin);
    Ok(iterate::iter((begin..n).map(move |n| {
        let (_, receiver) = std::sync::mpsc::channel();
        if u32::from(n) > call.0 {
            return Err(std::fmt::Error);
        }
        Ok((Row(receiver), (n, String::new())))
    })))
}

fn main() {
    let _ = named::perform_async(String::new(), None);
    let _ = blocking::set().queue("slow").perform_async(3);
}
