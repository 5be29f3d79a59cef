//! Numbers that are a function of a name and an element: the formula of `tests/golden`'s scripts.

/// Wellons' lowbias32, an integer hash.
fn hash32(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// `count` numbers in [0, 1).
pub fn uniform(name: &str, count: usize) -> impl Iterator<Item = f64> + use<> {
    let key = name
        .bytes()
        .fold(0x811c_9dc5_u32, |key, byte| (key ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (0..count as u32)
        .map(move |index| f64::from(hash32(hash32(index) ^ key) >> 8) / f64::from(1 << 24))
}
