//! Numbers of things as sentences have them.

/// `1 line`, `2 lines`, `1,234 lines`; of a word that takes an `s`.
///
/// ```
/// assert_eq!(plimsoll_core::counted::counted(1, "line"), "1 line");
/// assert_eq!(plimsoll_core::counted::counted(1234, "line"), "1,234 lines");
/// ```
pub fn counted(number: u64, one: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {one}{s}", thousands(number))
}

/// A number with commas between its thousands.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `is` or `are`, and such: the first for one.
pub const fn either<'a>(number: u64, one: &'a str, several: &'a str) -> &'a str {
    if number == 1 { one } else { several }
}
