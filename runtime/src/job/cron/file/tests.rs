//! Schedule files: those of sidekiq-cron, ours, and those with mistakes.

use super::*;
use crate::job::Timestamp;
use crate::job::cron::CatchUp;
use crate::job::payload::NewJob;

fn read(text: &str, format: Format) -> Result<Vec<CronEntry>, String> {
    parse("config/schedule.yml", text, format).map_err(|error| error.to_string())
}

#[test]
fn the_files_of_sidekiq_cron_are_read_as_they_are() {
    let hash = "
# A comment.
daily_cleanup:
  cron: '0 3 * * *'  # every day
  class: 'DailyCleanupJob'
  queue: low
hourly_sync:
  cron: \"0 * * * * Europe/Berlin\"
  klass: DataSyncJob
  args: ['full', 2, {deep: true}]
  description: Syncs
  status: disabled
  active_job: true
  queue_name_prefix: app
  symbolize_args: true
one_argument:
  :cron: '@hourly'
  :class: Other
  :args: {a: 1}
  :date_as_argument: true
  :namespace: reports
";
    let entries = read(hash, Format::Yaml).unwrap();
    let by_name = |name: &str| entries.iter().find(|entry| entry.name() == name).unwrap();
    let cleanup = by_name("daily_cleanup");
    assert_eq!(
        (cleanup.class(), cleanup.queue_name(), cleanup.args_json()),
        ("DailyCleanupJob", Some("low"), "[]")
    );
    assert!(cleanup.is_enabled());
    let sync = by_name("hourly_sync");
    assert_eq!(
        (sync.class(), sync.args_json()),
        ("DataSyncJob", r#"["full",2,{"deep":true}]"#)
    );
    assert_eq!(
        (sync.schedule().zone(), sync.queue_name()),
        ("Europe/Berlin", Some("app_default"))
    );
    assert!(!sync.is_enabled());
    let other = by_name("reports:one_argument");
    assert_eq!(other.args_json(), r#"[{"a":1}]"#);
    let job = other.job(NewJob::new("Other", ""), Timestamp::from_millis(1_500));
    assert_eq!(job.args, r#"[{"a":1},1.500000]"#);

    let array = "- name: a\n  cron: '* * * * *'\n  class: A\n  args: '[1]'\n- {name: b, cron: '@daily', class: B, args: x, enabled: no}\n";
    let entries = read(array, Format::Yaml).unwrap();
    assert_eq!((entries[0].name(), entries[0].args_json()), ("a", "[1]"));
    assert_eq!(
        (entries[1].args_json(), entries[1].is_enabled()),
        (r#"["x"]"#, false)
    );
    for empty in ["", "# nothing\n", "{}", "[]"] {
        assert_eq!(read(empty, Format::Yaml).unwrap().len(), 0, "{empty:?}");
    }
}

#[test]
fn the_same_in_toml_and_what_only_we_have() {
    let text = "[nightly]\ncron = '30 2 * * *'\ntz = 'Europe/Berlin'\nclass = 'Report'\nargs = ['full', 1.5]\ncatch_up = 3\ngrace = '1h30m'\nretry = 2\n";
    let entries = read(text, Format::Toml).unwrap();
    let entry = &entries[0];
    assert_eq!(entry.schedule().to_string(), "30 2 * * * Europe/Berlin");
    assert_eq!(entry.catches_up(), CatchUp::All(3));
    assert_eq!(entry.grace().as_secs(), 5_400);
    let kept = entry.to_json().unwrap();
    assert_eq!(
        kept,
        r#"{"cron":"30 2 * * *","tz":"Europe/Berlin","class":"Report","args":["full",1.5],"retry":2,"catch_up":3,"grace":5400}"#
    );
    let again = CronEntry::from_json("nightly", kept.as_bytes()).unwrap();
    assert_eq!(again.to_json().unwrap(), kept);
    let table = [
        (Path::new("a/schedule.yaml"), Some(Format::Yaml)),
        (Path::new("a.toml"), Some(Format::Toml)),
        (Path::new("a.rb"), None),
    ];
    for (path, format) in table {
        assert_eq!(Format::of(path), format);
    }
}

#[test]
fn mistakes_name_file_entry_and_field() {
    let entry =
        |more: &str| format!("good: {{cron: '@daily', class: A}}\nbad:\n  class: B\n{more}\n");
    for (text, parts) in [
        (
            entry("  cron: '0 25 * * *'"),
            vec!["config/schedule.yml, entry \"bad\", field \"cron\": the hour is 0 to 23"],
        ),
        (entry("  queue: low"), vec!["field \"cron\": it is missing"]),
        (
            entry("  cron: 5"),
            vec!["field \"cron\": it is 5: write a text"],
        ),
        (
            entry("  cron: '@daily'\n  tz: Mars/Olympus"),
            vec!["field \"tz\"", "\"Mars/Olympus\""],
        ),
        (
            entry("  cron: '@daily'\n  grace: -5"),
            vec!["field \"grace\": it is -5"],
        ),
        (
            entry("  cron: '@daily'\n  retry: -1"),
            vec!["field \"retry\": it is -1"],
        ),
        (
            entry("  cron: '@daily'\n  catch_up: all"),
            vec!["field \"catch_up\": it is \"all\""],
        ),
        (
            entry("  cron: '@daily'\n  queue: 'a b'"),
            vec!["field \"queue\"", "' '"],
        ),
        (
            entry("  cron: '@daily'\n  status: off"),
            vec!["field \"status\""],
        ),
        (
            entry("  cron: '@daily'\n  enabled: maybe"),
            vec!["field \"enabled\""],
        ),
        (
            entry("  cron: '@daily'\n  crom: x"),
            vec!["entry \"bad\": there is no field \"crom\": the fields are name, cron"],
        ),
        (
            "- {cron: '@daily', class: A}".to_owned(),
            vec!["entry \"number 1\", field \"name\": it is missing"],
        ),
        (
            "- {name: a, cron: '@daily', class: A}\n- {name: a, cron: '@daily', class: A}"
                .to_owned(),
            vec!["entry \"a\": there are two entries"],
        ),
        ("a: 5".to_owned(), vec!["entry \"a\": write its fields"]),
        ("just a text".to_owned(), vec!["write a mapping"]),
        ("a: {cron: [".to_owned(), vec!["config/schedule.yml: "]),
        (
            "a:\n  cron: '<%= x %>'\n".to_owned(),
            vec!["line 2 has ERB"],
        ),
        (
            "a: {cron: '@dayly', class: A}\nb: {class: B}".to_owned(),
            vec![
                "entry \"a\", field \"cron\"",
                "\nthe schedule file config/schedule.yml, entry \"b\", field \"cron\"",
            ],
        ),
    ] {
        let error = read(&text, Format::Yaml).unwrap_err();
        for part in parts {
            assert!(error.contains(part), "{text}: {error}");
        }
    }
    let error = read("a = ", Format::Toml).unwrap_err();
    assert!(
        error.starts_with("the schedule file config/schedule.yml: ") && !error.contains('\n'),
        "{error}"
    );
}
