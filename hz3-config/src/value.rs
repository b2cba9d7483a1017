//! Values of TOML: what messages call them, and numbers with units.

use toml::de::DeValue;

/// Bytes as in `"64KiB"`: digits, and B, KiB, MiB, GiB or TiB.
///
/// # Errors
///
/// What to write instead.
pub fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start();
    let shift = match unit {
        "" | "B" => Some(0),
        "KiB" => Some(10),
        "MiB" => Some(20),
        "GiB" => Some(30),
        "TiB" => Some(40),
        _ => None,
    };
    let number = number.parse::<u64>().ok();
    let value = match (number, shift) {
        (Some(number), Some(shift)) => number.checked_mul(1 << shift),
        _ => None,
    };
    value.ok_or_else(|| match (number, unit.chars().next().map(|c| c.to_ascii_uppercase())) {
        (Some(number), Some(c @ ('K' | 'M' | 'G' | 'T'))) if shift.is_none() => {
            format!("did you mean \"{number}{c}iB\"?")
        }
        _ => "write an integer of bytes, or a string such as \"64KiB\" (B, KiB, MiB, GiB, TiB)".into(),
    })
}

/// What was found, with its article.
pub fn found(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
