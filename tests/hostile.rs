//! What the fuzzer found worth keeping, run through the same code again.

use std::fs;
use std::path::Path;

#[path = "../fuzz/bodies.rs"]
mod bodies;

#[test]
fn the_corpus_of_every_target_does_no_harm() {
    for target in bodies::TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
        let folder = folder.join(target);
        let body = bodies::named(target);
        let mut count = 0;
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}")) {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            let run = std::panic::catch_unwind(|| body(&bytes));
            assert!(run.is_ok(), "{} does harm", path.display());
            count += 1;
        }
        assert!(count >= 10, "the corpus of {target} has {count} files");
    }
}
