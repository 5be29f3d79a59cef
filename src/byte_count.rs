//! Numbers of bytes for people.

/// A number of bytes as people read it, in decimal units.
pub fn text(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_for_people() {
        for (bytes, expected) in
            [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (2_345_000_000, "2.3 GB")]
        {
            assert_eq!(text(bytes), expected);
        }
    }
}
