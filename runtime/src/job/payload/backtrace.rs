//! `error_backtrace`: the strict base64 of the zlib stream of a JSON array of strings.

use std::io::{Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

/// The most bytes that one backtrace is unpacked to.
const MOST_UNPACKED: u64 = 4 * 1024 * 1024;

/// A backtrace as it stands in a payload.
///
/// Sidekiq's Web UI puts its lines into the page as they are, in all versions, since Ruby's contain nothing but places. Ours
/// contain the text of errors: they are written as HTML, so that nobody's text becomes markup there.
#[must_use]
#[expect(
    clippy::missing_panics_doc,
    reason = "strings are always JSON, and a buffer takes every byte"
)]
pub fn write_backtrace<S: AsRef<str>>(lines: &[S]) -> String {
    let to_html = |line: &S| line.as_ref().replace('&', "&amp;").replace('<', "&lt;");
    let lines: Vec<String> = lines.iter().map(to_html).collect();
    let json = serde_json::to_vec(&lines).expect("strings are always JSON");
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&json).expect("a buffer takes every byte");
    STANDARD.encode(packed.finish().expect("a buffer takes every byte"))
}

/// The lines of a backtrace, whichever version of Sidekiq wrote it: those up to 7.1 broke the base64 into lines. `None`
/// where it is none, or larger than 4 MB.
#[must_use]
pub fn read_backtrace(text: &str) -> Option<Vec<String>> {
    let text: String = text.split_ascii_whitespace().collect();
    let packed = STANDARD.decode(text).ok()?;
    let mut json = Vec::new();
    ZlibDecoder::new(&packed[..])
        .take(MOST_UNPACKED)
        .read_to_end(&mut json)
        .ok()?;
    let lines: Vec<String> = serde_json::from_slice(&json).ok()?;
    let from_html = |line: String| line.replace("&lt;", "<").replace("&amp;", "&");
    Some(lines.into_iter().map(from_html).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for lines in [&[][..], &["one"], &["a.rs:1:2", "caused by: \"é\"\n"]] {
            assert_eq!(read_backtrace(&write_backtrace(lines)).unwrap(), lines);
        }
    }

    #[test]
    fn no_line_is_markup_and_each_is_read_as_it_was() {
        let lines = [
            "<script>",
            "Vec<u8> & Vec<&str>",
            "&lt;",
            "&amp;lt;",
            "`<main>'",
        ];
        let written = write_backtrace(&lines);
        let mut json = String::new();
        ZlibDecoder::new(&STANDARD.decode(&written).unwrap()[..])
            .read_to_string(&mut json)
            .unwrap();
        assert!(!json.contains('<'), "{json}");
        assert_eq!(read_backtrace(&written).unwrap(), lines);
    }

    #[test]
    fn it_begins_as_rubys_does() {
        // The header of a zlib stream, not of gzip, in base64.
        assert!(write_backtrace(&["a"]).starts_with("eJ"));
    }

    #[test]
    fn what_ruby_wrote_is_read_with_and_without_line_breaks() {
        let broken = "eJxNzcEKgzAQBNBfkVy8tA2bze5m/RURqiBF0CLtxf59TfYQb8M8hunduO+P\nz9RBt7yb59G6m1uXKTfhjK95+/rjLgrqz9r/IAtCJaCEySxk48ssoJCYYTbF\naggsbBbLf4gXVFIypIJEFaMQREMumNgNf3xZOJA=\n";
        let lines = read_backtrace(broken).unwrap();
        assert_eq!(lines[..2], ["app.rb:1:in `x'", "lib.rb:2"]);
        assert_eq!(lines.len(), 8);
        assert_eq!(read_backtrace(&broken.replace('\n', "")), Some(lines));
    }

    #[test]
    fn what_is_no_backtrace_is_none() {
        for text in ["", "x", "eJ", "AAAA", "eJyVjEEPwUAQ"] {
            assert_eq!(read_backtrace(text), None, "{text}");
        }
    }
}
