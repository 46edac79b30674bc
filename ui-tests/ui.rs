//! What the compiler says about jobs that are wrong, and that what is unusual still compiles.

use std::fs;
use std::path::Path;

/// Mistakes that take more than one error, and why.
const SEVERAL_ERRORS: [(&str, usize); 3] = [
    // Without `self`, the macro cannot know that it is inside an `impl`: these are rustc's.
    ("inside_impl", 0),
    // Independent mistakes are reported together.
    ("several_options", 3),
    ("option_and_signature", 2),
];

#[test]
fn mistakes_are_explained_and_the_unusual_compiles() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("fail/*.rs");
    cases.pass("pass/*.rs");
}

#[test]
fn one_mistake_is_one_error() {
    let fail = Path::new(env!("CARGO_MANIFEST_DIR")).join("fail");
    let mut cases = 0;
    for entry in fs::read_dir(&fail).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        cases += 1;
        let messages = fs::read_to_string(path.with_extension("stderr")).unwrap();
        let errors = messages
            .lines()
            .filter(|line| line.starts_with("error:") || line.starts_with("error["))
            .count();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let expected = SEVERAL_ERRORS
            .iter()
            .find(|(case, _)| *case == name)
            .map_or(1, |(_, errors)| *errors);
        assert_eq!(errors, expected, "{name}");
    }
    assert!(cases > 60, "only {cases} cases were found");
}
