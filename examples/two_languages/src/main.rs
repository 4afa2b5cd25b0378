//! Makes numbers of texts: the part of the pipeline that has to be quick.
//!
//! It has no pipeline of its own; `pipeline.py` uses its steps.

use std::collections::BTreeMap;

use partita::prelude::*;

/// Letters of the shortest word that says something.
const SHORTEST: usize = 3;

/// Takes texts apart into words.
#[step]
fn clean(texts: Vec<String>) -> Vec<Vec<String>> {
    let words = |text: &String| {
        let words = text.split(|letter: char| !letter.is_alphabetic());
        words.filter(|word| word.len() >= SHORTEST).map(str::to_lowercase).collect()
    };
    texts.iter().map(words).collect()
}

/// Chooses the words that most texts have, at most `most` of them, but for those of nearly all.
#[step]
fn vocabulary(texts: Vec<Vec<String>>, most: usize) -> Result<Vec<String>> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for words in &texts {
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        words.sort_unstable();
        words.dedup();
        words.into_iter().for_each(|word| *counts.entry(word).or_default() += 1);
    }
    counts.retain(|_, count| *count > 1 && *count * 10 < texts.len() * 9);
    if counts.is_empty() {
        return Err("no two texts have a word in common".into());
    }
    let mut chosen: Vec<(usize, &str)> =
        counts.into_iter().map(|(word, count)| (count, word)).collect();
    chosen.sort_unstable_by(|one, other| other.cmp(one));
    println!("{} words are in several texts", chosen.len());
    Ok(chosen.into_iter().take(most).map(|(_, word)| word.to_owned()).collect())
}

/// Counts the words of each text, as shares of the text.
#[step]
fn count(texts: Vec<Vec<String>>, vocabulary: Vec<String>) -> Vec<Vec<f64>> {
    let places: BTreeMap<&str, usize> =
        vocabulary.iter().enumerate().map(|(place, word)| (word.as_str(), place)).collect();
    let shares = |words: &Vec<String>| {
        let mut shares = vec![0.0; vocabulary.len()];
        for place in words.iter().filter_map(|word| places.get(word.as_str())) {
            shares[*place] += 1.0 / words.len() as f64;
        }
        shares
    };
    texts.iter().map(shares).collect()
}

fn main() -> ExitCode {
    partita::main![; clean, vocabulary, count]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_that_several_texts_have() {
        let texts = ["The cat sat.", "A cat ran", "the dog"].map(str::to_owned).to_vec();
        let cleaned = clean::function(texts);
        let words = vocabulary::function(cleaned.clone(), 10).expect("words");
        assert_eq!(words, ["the", "cat"]);
        assert_eq!(count::function(cleaned, words)[0], [1.0 / 3.0, 1.0 / 3.0]);
    }
}
