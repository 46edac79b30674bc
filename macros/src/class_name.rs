//! The default class of a job.

/// The function's name in UpperCamelCase: `welcome_email` is `WelcomeEmail`.
pub(crate) fn class_name(function: &str) -> String {
    function.split('_').flat_map(capitalized).collect()
}

fn capitalized(word: &str) -> impl Iterator<Item = char> {
    let mut chars = word.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars)
}

#[cfg(test)]
mod tests {
    use super::class_name;

    #[test]
    fn words_are_capitalized_and_joined() {
        for (function, class) in [
            ("welcome_email", "WelcomeEmail"),
            ("charge", "Charge"),
            ("_sync_2fa__codes_", "Sync2faCodes"),
            ("höhe_über", "HöheÜber"),
            ("loop", "Loop"),
        ] {
            assert_eq!(class_name(function), class);
        }
    }
}
