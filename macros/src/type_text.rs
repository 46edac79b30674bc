//! Types as a person would write them: tokens print with a space around each.

use quote::ToTokens;

/// The text of a type, such as `Option<Vec<i64>>`.
pub(crate) fn of(ty: &impl ToTokens) -> String {
    const SPACED: [(&str, &str); 9] = [
        (" :: ", "::"),
        (":: ", "::"),
        (" < ", "<"),
        ("< ", "<"),
        (" >", ">"),
        ("> ::", ">::"),
        (" ,", ","),
        ("& ", "&"),
        (" ;", ";"),
    ];
    let text = ty.to_token_stream().to_string();
    SPACED
        .iter()
        .fold(text, |text, (spaced, plain)| text.replace(spaced, plain))
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn types_have_the_usual_spaces() {
        for text in [
            "Option<Vec<i64>>",
            "HashMap<String, (u8, u8)>",
            "::std::vec::Vec<[u8; 4]>",
            "dyn Mailer + Send",
            "&[i64]",
        ] {
            let ty: syn::Type = syn::parse_str(text).unwrap();
            assert_eq!(of(&ty), text);
        }
    }
}
