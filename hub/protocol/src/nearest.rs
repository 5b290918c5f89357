//! The nearest known word for a mistyped one.

/// The known word that `word` most likely was meant to be; `None` when nothing is near.
pub fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let word = word.to_lowercase();
    let with_distance = known.iter().map(|known| {
        let distance = strsim::damerau_levenshtein(&word, &known.to_lowercase());
        (distance, *known)
    });
    let (distance, best) = with_distance.min_by_key(|(distance, _)| *distance)?;
    (distance <= 1 + best.len() / 4).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        assert_eq!(nearest("txet", &["text", "nick"]), Some("text"));
        assert_eq!(nearest("Greting", &["greeting"]), Some("greeting"));
        assert_eq!(nearest("colour", &["text", "nick"]), None);
        assert_eq!(nearest("text", &[]), None);
    }
}
