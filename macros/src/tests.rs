//! The size of the generated code: most of it is the eight functions that enqueue, which stand once for the job and once for `set()`.

use std::io::Write as _;
use std::process::{Command, Stdio};

use quote::quote;

#[test]
fn a_plain_job_of_two_arguments_is_at_most_180_lines() {
    let function = quote! {
        async fn welcome_email(user_id: i64, name: String) -> Result<(), MailError> {}
    };
    let before = formatted(&function.to_string());
    let after = formatted(&crate::expand(quote!(queue = "mailers"), function).to_string());
    let generated = after.lines().count() - before.lines().count();
    assert!(generated <= 180, "{generated} lines:\n{after}");
    assert!(generated >= 60, "only {generated} lines:\n{after}");
}

fn formatted(code: &str) -> String {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--emit", "stdout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = rustfmt.stdin.take().unwrap();
    input.write_all(code.as_bytes()).unwrap();
    drop(input);
    let output = rustfmt.wait_with_output().unwrap();
    assert!(output.status.success(), "{code}");
    String::from_utf8(output.stdout).unwrap()
}
