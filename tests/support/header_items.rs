//! The header as a list of what it declares, each with the comment before it.
#![allow(dead_code, reason = "each test that includes this file needs a part of it")]

/// A constant, a type or a function.
pub struct Item<'a> {
    /// The comment and what follows it.
    pub text: &'a str,
    /// The comment alone; empty where there is none.
    pub comment: &'a str,
    /// What is declared, on one line.
    pub declaration: String,
}

/// What stands between blank lines and begins at the left margin; headings and directives are none.
pub fn items(text: &str) -> Vec<Item<'_>> {
    text.split("\n\n").map(str::trim).filter_map(item).collect()
}

fn item(text: &str) -> Option<Item<'_>> {
    let (comment, declaration) = match text.strip_prefix("/**") {
        Some(rest) => rest.split_once("*/").expect("the end of a comment"),
        None => ("", text),
    };
    let declaration = declaration.trim();
    let begins = ["#define SIMDETR_", "typedef ", "struct ", "SIMDETR_API"];
    if !begins.iter().any(|begin| declaration.starts_with(begin)) {
        return None;
    }
    let declaration = declaration.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(Item { text, comment, declaration })
}

impl Item<'_> {
    pub fn is_function(&self) -> bool {
        self.declaration.starts_with("SIMDETR_API")
    }

    pub fn is_callback(&self) -> bool {
        self.declaration.starts_with("typedef") && self.declaration.contains("(*")
    }

    /// What it declares.
    pub fn name(&self) -> &str {
        let declaration = self.declaration.as_str();
        let before = match declaration.strip_prefix("#define ") {
            Some(constant) => return constant.split(' ').next().unwrap(),
            None if self.is_callback() => declaration.split_once("(*").unwrap().1,
            None if self.is_function() => declaration.split('(').next().unwrap().trim(),
            None => declaration.trim_end_matches(';'),
        };
        let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
        match self.is_callback() {
            true => before.split(|letter| !is_part(letter)).next().unwrap(),
            false => before.rsplit(|letter| !is_part(letter)).next().unwrap(),
        }
    }

    /// The value of a constant.
    pub fn value(&self) -> Option<&str> {
        self.declaration.strip_prefix("#define ")?.split_once(' ').map(|(_, value)| value)
    }

    /// Type and name of each parameter of a function or callback.
    pub fn parameters(&self) -> Vec<&str> {
        let inside = match self.is_callback() {
            true => self.declaration.split_once(")(").map(|(_, rest)| rest),
            false => self.declaration.split_once('(').map(|(_, rest)| rest),
        };
        let inside = inside.and_then(|rest| rest.rsplit_once(')')).map_or("void", |(list, _)| list);
        inside.split(',').map(str::trim).filter(|one| *one != "void").collect()
    }

    /// The fields of a struct without their comments; none of an opaque one.
    pub fn fields(&self) -> Vec<String> {
        let Some((_, body)) = self.declaration.split_once('{') else { return Vec::new() };
        let body = body.rsplit_once('}').expect("the end of a struct").0;
        let mut fields = Vec::new();
        for field in body.split(';') {
            let plain = field.rsplit("*/").next().unwrap().trim();
            if !plain.is_empty() {
                fields.push(plain.to_string());
            }
        }
        fields
    }
}

/// Each field of a struct with the comment before it.
pub fn described_fields<'a>(item: &Item<'a>) -> Vec<(&'a str, &'a str)> {
    let body = item.text.split_once('{').map_or("", |(_, body)| body);
    let fields = body.split("/**").skip(1).filter_map(|part| part.split_once("*/"));
    fields.map(|(comment, field)| (comment, field.split(';').next().unwrap().trim())).collect()
}

/// The name in a parameter or field such as `const float *boxes` or `float mean[3]`.
pub fn name_of(declared: &str) -> &str {
    let before = declared.split('[').next().unwrap().trim_end();
    before.rsplit([' ', '*']).next().unwrap()
}
