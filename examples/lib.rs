//! Programs that show sancho: `cargo run --example quickstart`.
