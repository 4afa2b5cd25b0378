//! Counts, and numbered items, as people read them.

/// Returns a count with its digits in groups of three, as in `10,000`.
pub fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a count of items, as in `1 item` and `10,000 items`.
pub fn items(count: usize) -> String {
    let items = if count == 1 { "item" } else { "items" };
    format!("{} {items}", grouped(count))
}

/// Returns what a step or an item of it is called: `train`, or `train[3]`.
pub fn unit_name(step: &str, item: Option<u32>) -> String {
    item.map_or_else(|| step.to_owned(), |item| format!("{step}[{item}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_are_grouped() {
        let counts = [0, 1, 999, 1_000, 10_000, 1_234_567];
        assert_eq!(counts.map(grouped), ["0", "1", "999", "1,000", "10,000", "1,234,567"]);
        assert_eq!([1, 2].map(items), ["1 item", "2 items"]);
    }
}
