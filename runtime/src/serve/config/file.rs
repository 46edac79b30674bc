//! The config file: Sidekiq's YAML, or the same keys in TOML.

use std::fs;
use std::path::{Path, PathBuf};

use super::table::{ALIASES, RUBYS, SETTINGS, Setting};
use super::value::Value;
use super::{Settings, wrong};
use crate::job::one_line;
use crate::{Error, Result};

/// The files that are read where none is named, the first that is there.
const USUAL: [&str; 3] = [
    "config/sidekiq.yml",
    "config/sidekiq.yaml",
    "config/sidekiq.toml",
];

/// The largest file: what is larger is no config.
const LARGEST: u64 = 1 << 20;

/// The file that is read where none is named. One that needs Ruby is named, and an error.
pub(super) fn usual() -> Result<Option<PathBuf>> {
    if let Some(path) = USUAL.map(Path::new).into_iter().find(|path| path.exists()) {
        return Ok(Some(path.to_owned()));
    }
    let erb = "config/sidekiq.yml.erb";
    if Path::new(erb).exists() {
        return Err(Error::config(format!("{erb} {NEEDS_RUBY}")));
    }
    Ok(None)
}

/// What is said of ERB.
const NEEDS_RUBY: &str = "needs Ruby (ERB): write the value itself into config/sidekiq.yml, say it in the environment or as an argument, or let Ruby make the file (`erb FILE`)";

/// Reads a file for this environment.
pub(super) fn read(path: &Path, environment: &str, warnings: &mut Vec<String>) -> Result<Settings> {
    let shown = path.display();
    let cannot = |error: std::io::Error| {
        Error::config(format!(
            "the config file {shown} cannot be read: {error}; name another with -C"
        ))
    };
    if fs::metadata(path).map_err(cannot)?.len() > LARGEST {
        return Err(Error::config(format!(
            "the config file {shown} is larger than a MiB: it must be another file"
        )));
    }
    let text = fs::read_to_string(path).map_err(cannot)?;
    read_text(path, &text, environment, warnings)
}

/// Reads the text of a file, the form of which its name tells. What is wrong or warned of is one line each, whatever the file holds.
pub(in crate::serve) fn read_text(
    path: &Path,
    text: &str,
    environment: &str,
    warnings: &mut Vec<String>,
) -> Result<Settings> {
    let mut new = Vec::new();
    let settings = settings_of(path, text, environment, &mut new);
    warnings.extend(new.iter().map(|warning| one_line(warning).to_string()));
    settings.map_err(|error| Error::config(one_line(error).to_string()))
}

fn settings_of(
    path: &Path,
    text: &str,
    environment: &str,
    warnings: &mut Vec<String>,
) -> Result<Settings> {
    let shown = path.display();
    if let Some((number, _)) = text.lines().enumerate().find(|(_, line)| has_erb(line)) {
        return Err(Error::config(format!(
            "line {} of {shown} {NEEDS_RUBY}",
            number + 1
        )));
    }
    let value = parse(path, text)?;
    let file = shown.to_string();
    Keys {
        file: &file,
        environment,
        warnings,
    }
    .settings(&value)
}

/// Whether a line has a tag of ERB, outside of a comment.
fn has_erb(line: &str) -> bool {
    let code = line.trim_start();
    !code.starts_with('#') && code.contains("<%")
}

fn parse(path: &Path, text: &str) -> Result<Value> {
    let one_line = |error: String| error.split_whitespace().collect::<Vec<_>>().join(" ");
    let wrong = |format: &str, error: String| {
        Error::config(format!(
            "{} is no {format}: {}",
            path.display(),
            one_line(error)
        ))
    };
    if path
        .extension()
        .is_some_and(|extension| extension == "toml")
    {
        return toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            wrong("TOML", format!("line {line}: {}", error.message()))
        });
    }
    // An empty file says nothing.
    if text
        .lines()
        .all(|line| matches!(line.trim().chars().next(), None | Some('#')))
    {
        return Ok(Value::Null);
    }
    serde_saphyr::from_str(text).map_err(|error| wrong("YAML", error.without_snippet().to_string()))
}

/// Goes through the keys of a file.
struct Keys<'a> {
    file: &'a str,
    environment: &'a str,
    warnings: &'a mut Vec<String>,
}

impl Keys<'_> {
    fn settings(mut self, value: &Value) -> Result<Settings> {
        let entries = match value {
            Value::Null => &[][..],
            value => value.as_map().ok_or_else(|| {
                Error::config(format!(
                    "{} holds no settings: write `key: value`",
                    self.file
                ))
            })?,
        };
        let mut top = Settings::default();
        let mut section = Settings::default();
        let mut sections = Vec::new();
        for (key, value) in entries {
            match value.as_map() {
                Some(inner) if !is_known(key) => {
                    sections.push(key.as_str());
                    // Other environments' sections are checked, and do not count.
                    let mut unused = Settings::default();
                    let counts = key == self.environment;
                    let to = if counts { &mut section } else { &mut unused };
                    for (name, value) in inner {
                        self.key(to, &format!("{key}."), name, value, counts)?;
                    }
                }
                _ => self.key(&mut top, "", key, value, true)?,
            }
        }
        self.warn_of_the_wrong_section(&sections);
        Ok(section.or(top))
    }

    fn key(
        &mut self,
        to: &mut Settings,
        section: &str,
        key: &str,
        value: &Value,
        counts: bool,
    ) -> Result<()> {
        let place = format!("{}: {section}{key}", self.file);
        if let Some((_, why)) = RUBYS.iter().find(|(name, _)| *name == key) {
            if counts {
                self.warnings
                    .push(format!("{place} is Ruby's own and not heeded: {why}"));
            }
            return Ok(());
        }
        let Some(setting) = known(key) else {
            return Err(Error::config(format!(
                "{place} is no setting{}",
                nearest(key)
            )));
        };
        let Some(read) = setting.read else {
            return Err(Error::config(format!(
                "{place} cannot be said in the file: use {}",
                setting.argument.unwrap_or("the environment")
            )));
        };
        // A key without a value says nothing.
        if *value == Value::Null {
            return Ok(());
        }
        read(to, value).map_err(|allowed| match setting.name {
            // A URL may hold a password.
            "store" => wrong(&place, "wrong", &allowed),
            _ => wrong(&place, value, &allowed),
        })?;
        if let Some(store) = to.store.as_mut().filter(|_| setting.name == "store") {
            store.setting = place;
        }
        Ok(())
    }

    /// A section whose name is nearly the environment's is likely to be meant for it.
    fn warn_of_the_wrong_section(&mut self, sections: &[&str]) {
        if sections.contains(&self.environment) {
            return;
        }
        if let Some(near) = sections
            .iter()
            .find(|name| crate::job::distance(name, self.environment) <= 2)
        {
            self.warnings.push(format!(
                "{} has a section {near}, which does not count in the environment {}",
                self.file, self.environment
            ));
        }
    }
}

fn is_known(key: &str) -> bool {
    known(key).is_some() || RUBYS.iter().any(|(name, _)| *name == key)
}

fn known(key: &str) -> Option<&'static Setting> {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == key);
    let name = alias.map_or(key, |(_, name)| *name);
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// What may have been meant.
fn nearest(key: &str) -> String {
    let names = || {
        SETTINGS
            .iter()
            .filter(|it| it.read.is_some())
            .map(|it| it.name)
    };
    match crate::job::nearest(key, names()) {
        Some(name) => format!(": did you mean {name}?"),
        None => format!(": there are {}", names().collect::<Vec<_>>().join(", ")),
    }
}
