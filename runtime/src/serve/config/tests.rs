use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::table::{RUBYS, SETTINGS, markdown};
use super::*;

/// The sidekiq.yml of a guide to Sidekiq, as it stands there.
const GUIDE: &str = "\
# config/sidekiq.yml
---
:concurrency: 10  # Number of threads per Sidekiq process
:timeout: 25      # Seconds to wait for jobs to finish during shutdown

# Define queues in priority order (higher priority first)
:queues:
  - critical      # Payment processing, urgent notifications
  - default       # Standard background work
  - mailers       # Email delivery
  - low           # Reports, batch processing, cleanup tasks

# Production overrides (optional)
production:
  :concurrency: 25
";

fn read_as(name: &str, text: &str, environment: &str) -> Result<(Settings, Vec<String>)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    let mut warnings = Vec::new();
    let settings = file::read(&path, environment, &mut warnings)?;
    Ok((settings, warnings))
}

fn read(text: &str) -> Settings {
    read_as("sidekiq.yml", text, "production").unwrap().0
}

fn error(text: &str) -> String {
    let error = read_as("sidekiq.yml", text, "production").unwrap_err();
    assert!(error.is_config());
    let message = error.to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

fn names(queues: &[ServedQueue]) -> Vec<(&str, u32)> {
    queues
        .iter()
        .map(|queue| (queue.name(), queue.weight()))
        .collect()
}

#[test]
fn the_file_of_the_guide_is_read_for_its_environments() {
    let (settings, warnings) = read_as("sidekiq.yml", GUIDE, "development").unwrap();
    assert_eq!(settings.concurrency, Some(10));
    assert_eq!(settings.timeout, Some(Duration::from_secs(25)));
    assert_eq!(
        names(settings.queues.as_deref().unwrap()),
        [("critical", 0), ("default", 0), ("mailers", 0), ("low", 0)]
    );
    assert!(warnings.is_empty());
    let production = read(GUIDE);
    assert_eq!(production.concurrency, Some(25));
    assert_eq!(production.queues.map(|queues| queues.len()), Some(4));
}

#[test]
fn queues_are_read_in_all_of_sidekiqs_forms() {
    let expected = [
        ("critical", 3),
        ("default", 2),
        ("low", 1),
        ("plain", 0),
        ("last", 4),
    ];
    let forms = "\
queues:
  - [critical, 3]
  - - :default
    - 2
  - low,1
  - plain
  - [\"last\", \"4\"]
";
    assert_eq!(names(read(forms).queues.as_deref().unwrap()), expected);
    let one = read(":queues: mailers\n");
    assert_eq!(names(one.queues.as_deref().unwrap()), [("mailers", 0)]);
}

#[test]
fn anchors_aliases_and_merged_maps_are_read() {
    let text = "\
defaults: &defaults
  :timeout: 7
  queues: &queues [a, b]
production:
  <<: *defaults
  :concurrency: 3
staging:
  <<: *defaults
  queues: *queues
";
    let settings = read(text);
    assert_eq!(settings.concurrency, Some(3));
    assert_eq!(settings.timeout, Some(Duration::from_secs(7)));
    assert_eq!(
        names(settings.queues.as_deref().unwrap()),
        [("a", 0), ("b", 0)]
    );
}

#[test]
fn capsules_are_read() {
    let text = "\
:concurrency: 4
:capsules:
  single:
    :queues: [one]
    :concurrency: 1
  :many:
    queues:
      - [big, 2]
      - [small, 1]
";
    let settings = read(text);
    let capsules = settings.described_capsules();
    let expected = [
        Capsule::named("default").concurrency(4),
        Capsule::named("single").queues(["one"]).concurrency(1),
        Capsule::named("many").queues([("big", 2), ("small", 1)]),
    ];
    assert_eq!(capsules, expected);
}

#[test]
fn toml_has_the_same_keys() {
    let text = "\
concurrency = 4
queues = [\"a\", [\"b\", 2]]
sidekiq_wire = 7
log_format = \"json\"
lease = 1.5

[capsules.single]
queues = [\"one\"]
concurrency = 1

[production]
concurrency = 8
";
    let (settings, _) = read_as("sidekiq.toml", text, "production").unwrap();
    assert_eq!(settings.concurrency, Some(8));
    assert_eq!(
        names(settings.queues.as_deref().unwrap()),
        [("a", 0), ("b", 2)]
    );
    assert_eq!(settings.wire, Some(Wire::Sidekiq7));
    assert_eq!(settings.log_format, Some(Format::Json));
    assert_eq!(settings.lease, Some(Duration::from_millis(1_500)));
    assert_eq!(settings.capsules.map(|capsules| capsules.len()), Some(1));
    let broken = read_as("sidekiq.toml", "a = 1\nb = [\n", "x").unwrap_err();
    assert!(broken.to_string().contains("line "), "{broken}");
}

#[test]
fn an_empty_file_says_nothing() {
    for text in ["", "---\n", "# nothing\n", ":concurrency:\n"] {
        assert_eq!(read(text), Settings::default(), "{text:?}");
    }
}

#[test]
fn what_a_file_says_reaches_no_terminal_as_escapes() {
    for text in [
        "\"\\e[31m\": 1\n",
        "queues: [\"a\\e[31m\"]\n",
        "log_level: \"\\a\"\n",
    ] {
        let message = error(text);
        assert!(!message.contains(char::is_control), "{message:?}");
        assert!(message.contains(r"\u{"), "{message}");
    }
}

#[test]
fn what_is_wrong_in_a_file_is_named_with_what_is_allowed() {
    for (text, parts) in [
        (
            ":concurrency: many\n",
            &["concurrency is \"many\"", "1 to 100000"][..],
        ),
        ("concurrency: 0\n", &["concurrency is 0", "1 to 100000"]),
        ("concurrency: [1]\n", &["concurrency is a list"]),
        (
            "production:\n  timeout: -1\n",
            &["production.timeout is -1", "seconds"],
        ),
        ("staging:\n  timeout: -1\n", &["staging.timeout is -1"]),
        (
            "concurency: 5\n",
            &["concurency is no setting", "did you mean concurrency?"],
        ),
        (
            "production:\n  queus: [a]\n",
            &["production.queus", "did you mean queues?"],
        ),
        (
            "qwertyuiop: 5\n",
            &["qwertyuiop is no setting", "there are concurrency, queues"],
        ),
        ("queues: []\n", &["queues is a list", "[name, weight]"]),
        ("queues: [[a, many]]\n", &["NAME,WEIGHT"]),
        ("queues: [[a, -1]]\n", &["NAME,WEIGHT"]),
        ("queues: [[a, 1, 2]]\n", &["[name, weight]"]),
        ("queues: [\"a b\"]\n", &["white space"]),
        ("capsules: [a]\n", &["capsules is a list", "a map"]),
        (
            "capsules:\n  one:\n    concurrency: 0\n",
            &["1 to 100000 as one.concurrency"],
        ),
        ("capsules:\n  one:\n    size: 1\n", &["one has \"size\""]),
        (
            "environment: production\n",
            &["cannot be said in the file", "-e"],
        ),
        ("sidekiq_wire: 5\n", &["sidekiq_wire is 5", "6, 7 or 8"]),
        (
            "log_format: xml\n",
            &["log_format is \"xml\"", "pretty, plain, logfmt, json"],
        ),
        (
            "log_level: loud\n",
            &["log_level is \"loud\"", "error, warn, info"],
        ),
        (
            "verbose: maybe\n",
            &["verbose is \"maybe\"", "true or false"],
        ),
        ("lease: 0.1\n", &["lease is 0.1", "from 0.3"]),
        ("hook_timeout: 0\n", &["hook_timeout is 0", "from 0.001"]),
        ("dead_max_jobs: 0\n", &["dead_max_jobs is 0", "from 1 on"]),
        ("max_retries: -1\n", &["max_retries is -1"]),
        (
            "store: {password: secret}\n",
            &["store is wrong", "the URL of a store"],
        ),
        ("- a\n", &["holds no settings"]),
        ("a: b: c\n", &["is no YAML", "line 1"]),
        (
            "# <% no %>\n:concurrency: 1\n:timeout: <%= 1 %>\n",
            &["line 3 of", "ERB", "write the value"],
        ),
    ] {
        let message = error(text);
        for part in parts {
            assert!(message.contains(part), "{text:?}: {message}");
        }
        assert!(!message.contains("secret"), "{message}");
    }
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let mut warnings = Vec::new();
    for (path, part) in [("/nonexistent/x.yml", "No such file"), ("/", "directory")] {
        let error = file::read(&PathBuf::from(path), "x", &mut warnings).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains(path) && message.contains(part),
            "{message}"
        );
    }
}

#[test]
fn what_is_rubys_alone_is_named_and_not_heeded() {
    let text = "require: ./app\n:pidfile: tmp/x.pid\nstaging:\n  strict: true\n";
    let (settings, warnings) = read_as("sidekiq.yml", text, "production").unwrap();
    assert_eq!(settings, Settings::default());
    assert_eq!(warnings.len(), 2);
    assert!(
        warnings[0].contains("require is Ruby's own"),
        "{warnings:?}"
    );
}

#[test]
fn a_section_for_nearly_this_environment_is_warned_about() {
    let (_, warnings) = read_as("s.yml", "prodution:\n  timeout: 1\n", "production").unwrap();
    assert!(warnings[0].contains("prodution"), "{warnings:?}");
}

#[test]
fn the_command_line_comes_before_the_environment_and_that_before_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.yml");
    fs::write(
        &path,
        "concurrency: 3\nstore: sqlite:file.db\nstaging:\n  timeout: 4\n",
    )
    .unwrap();
    let load = |said: &Settings, variables: &[(&str, &str)]| {
        load(said, Some(path.clone()), None, &Environment::of(variables)).unwrap()
    };
    let url = |loaded: &Loaded| loaded.settings.store.clone().unwrap().url;
    let plain = load(&Settings::default(), &[]);
    assert_eq!(plain.environment, "development");
    assert_eq!(
        (url(&plain).as_str(), plain.settings.timeout),
        ("sqlite:file.db", None)
    );

    let variables = [
        ("APP_ENV", "staging"),
        ("RAILS_ENV", "test"),
        ("REDIS_URL", "redis://env/0"),
        ("RAILS_MAX_THREADS", "9"),
        ("DEBUG_INVOCATION", "1"),
    ];
    let surrounded = load(&Settings::default(), &variables);
    assert_eq!(surrounded.environment, "staging");
    assert_eq!(surrounded.settings.timeout, Some(Duration::from_secs(4)));
    assert_eq!(url(&surrounded), "redis://env/0");
    assert_eq!(surrounded.settings.concurrency, Some(3));
    assert_eq!(surrounded.settings.log_level, Some(Level::Debug));

    let said = Settings {
        concurrency: Some(1),
        store: Some(Store {
            url: "memory:".into(),
            setting: "--store".into(),
        }),
        ..Settings::default()
    };
    let all = load(&said, &variables);
    assert_eq!(
        (url(&all).as_str(), all.settings.concurrency),
        ("memory:", Some(1))
    );
}

#[test]
fn the_threads_of_rails_count_where_nobody_says_anything_else() {
    let threads = |value| Environment::of(&[("RAILS_MAX_THREADS", value)]).threads();
    assert_eq!(threads("7").unwrap(), Some(7));
    assert_eq!(threads("").unwrap(), None);
    let error = threads("many").unwrap_err().to_string();
    assert!(
        error.contains("RAILS_MAX_THREADS is \"many\": give a number"),
        "{error}"
    );
}

#[test]
fn the_docs_show_the_table() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md");
    let text = fs::read_to_string(docs).unwrap();
    assert!(
        text.contains(&markdown()),
        "docs/operations.md lacks this table:\n{}",
        markdown()
    );
}

proptest::proptest! {
    #[test]
    fn no_file_makes_it_panic(text in "([a-z:<%=\\-\\[\\]{}&*!#\"' \\n0-9]|queues|capsules|timeout|concurrency: |\\n  - ){0,60}") {
        for name in ["x.yml", "x.toml"] {
            if let Err(error) = read_as(name, &text, "production") {
                assert!(!error.to_string().contains('\n'), "{text:?}: {error}");
            }
        }
    }
}

#[test]
fn every_setting_has_one_name() {
    let names: Vec<_> = SETTINGS.iter().map(|it| it.name).collect();
    let rubys = RUBYS.iter().map(|(name, _)| *name);
    let all: BTreeSet<_> = names.iter().copied().chain(rubys).collect();
    assert_eq!(all.len(), SETTINGS.len() + RUBYS.len());
}
