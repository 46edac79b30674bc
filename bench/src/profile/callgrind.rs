//! Reading what callgrind wrote.
//!
//! A line `fn=` names a function, `fl=` its file; `fi=` and `fe=` change the file for code that was inlined. A line of two numbers is a
//! position and a cost. `calls=` says that the next such line is the cost of a call, all that the callee did included. Names are numbered:
//! `(7) name` at first, `(7)` after that.

use std::collections::HashMap;

/// A place in the code: the file that a cost belongs to, and the function, with its file, that it was inlined into.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) file: String,
    pub(super) function: String,
    pub(super) function_file: String,
}

/// Costs, and who called whom.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// What was spent at a place itself.
    pub(super) own: HashMap<Place, f64>,
    /// By the called function: from which places, and what the calls cost.
    pub(super) callers: HashMap<String, HashMap<Place, f64>>,
}

impl Calls {
    pub(super) fn parse(text: &str) -> Self {
        let mut calls = Self::default();
        let mut names = Names::default();
        let mut place = Place {
            file: String::new(),
            function: String::new(),
            function_file: String::new(),
        };
        let mut callee = None;
        let mut called = false;
        for line in text.lines() {
            if let Some((key, value)) = line.split_once('=') {
                match key {
                    "fl" => {
                        place.file = names.file(value);
                        place.function_file.clone_from(&place.file);
                    }
                    "fi" | "fe" => place.file = names.file(value),
                    "fn" => {
                        place.function = names.function(value);
                        place.file.clone_from(&place.function_file);
                    }
                    "cfi" | "cfl" => _ = names.file(value),
                    "cfn" => callee = Some(names.function(value)),
                    "calls" => called = true,
                    _ => {}
                }
                continue;
            }
            let mut words = line.split(' ');
            let (Some(position), Some(cost)) = (words.next(), words.next()) else {
                continue;
            };
            if !position.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
                continue;
            }
            let Ok(cost) = cost.parse::<f64>() else {
                continue;
            };
            if std::mem::take(&mut called) {
                if let Some(callee) = callee.take() {
                    let callers = calls.callers.entry(callee).or_default();
                    *callers.entry(place.clone()).or_default() += cost;
                }
            } else {
                *calls.own.entry(place.clone()).or_default() += cost;
            }
        }
        calls
    }

    /// What was spent in each file itself.
    pub(super) fn by_file(&self) -> HashMap<String, f64> {
        let mut files = HashMap::new();
        for (place, cost) in &self.own {
            *files.entry(place.file.clone()).or_default() += cost;
        }
        files
    }
}

/// Names by their numbers.
#[derive(Debug, Default)]
struct Names {
    files: HashMap<String, String>,
    functions: HashMap<String, String>,
}

impl Names {
    fn file(&mut self, value: &str) -> String {
        resolve(&mut self.files, value)
    }

    fn function(&mut self, value: &str) -> String {
        resolve(&mut self.functions, value)
    }
}

fn resolve(names: &mut HashMap<String, String>, value: &str) -> String {
    let Some((number, name)) = value.split_once(')') else {
        return value.to_owned();
    };
    let name = name.trim();
    if name.is_empty() {
        return names.get(number).cloned().unwrap_or_default();
    }
    names.insert(number.to_owned(), name.to_owned());
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_costs_and_calls_are_kept_apart() {
        let text = "fl=(1) a.rs\nfn=(1) a\n10 5\nfi=(2) b.rs\n+1 7\ncfi=(3) c.c\ncfn=(2) malloc\ncalls=3 20\n* 90\n\nfl=(3)\nfn=(2)\n20 90\n";
        let calls = Calls::parse(text);
        let files = calls.by_file();
        assert!((files["a.rs"] - 5.0).abs() < 1e-9);
        assert!((files["b.rs"] - 7.0).abs() < 1e-9);
        assert!((files["c.c"] - 90.0).abs() < 1e-9);
        let (from, cost) = calls.callers["malloc"].iter().next().expect("one caller");
        assert_eq!((from.file.as_str(), from.function.as_str()), ("b.rs", "a"));
        assert!((cost - 90.0).abs() < 1e-9);
    }
}
