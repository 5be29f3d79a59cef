//! Names under which images and categories are found in another file, whatever the program and the
//! system that wrote them.

use super::canonical_text::canonical;

/// A path's parts joined by `/`: without `.`, repeated and leading slashes, in canonical form.
/// Empty for a path without a part.
///
/// A leading slash says where a program saw its folder, which the other one does not know.
pub(super) fn path_key(path: &str) -> String {
    let mut key = String::with_capacity(path.len());
    for part in path.split(['/', '\\']).filter(|part| !part.is_empty() && *part != ".") {
        if !key.is_empty() {
            key.push('/');
        }
        key.push_str(&canonical(part));
    }
    key
}

/// A category's name in canonical form.
pub(super) fn category_key(name: &str) -> String {
    canonical(name).into_owned()
}

/// How many parts a path has.
pub(super) fn parts_count(key: &str) -> usize {
    key.split('/').count()
}

/// The last `count` parts of a path, or `None` when it has fewer.
pub(super) fn tail(key: &str, count: usize) -> Option<&str> {
    let mut slashes = key.rmatch_indices('/');
    match count.checked_sub(1).map(|others| slashes.nth(others)) {
        Some(Some((place, _))) => Some(&key[place + 1..]),
        _ if parts_count(key) == count => Some(key),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_however_it_is_spelled() {
        for path in ["a/b.jpg", "./a/b.jpg", "a\\b.jpg", "a//b.jpg", "/a/./b.jpg", ".\\a\\b.jpg"] {
            assert_eq!(path_key(path), "a/b.jpg", "{path}");
        }
        assert_eq!(path_key("e\u{301}/\u{e9}.jpg"), path_key("\u{e9}/e\u{301}.jpg"));
        assert_ne!(path_key("a/B.jpg"), path_key("a/b.jpg"));
        assert_eq!([path_key(""), path_key("./"), path_key("...")], ["", "", "..."]);
    }

    #[test]
    fn tails_have_as_many_parts_as_asked_for() {
        let tails = [1, 2, 3, 4].map(|count| tail("a/b/c", count));
        assert_eq!(tails, [Some("c"), Some("b/c"), Some("a/b/c"), None]);
    }
}
