//! `src/capi` as cbindgen can read it: plain Rust in the place of the macros of `declare.rs`.
//!
//! Macros that make functions are expanded by the text that stands there, so what the header says is
//! what the library has. Of structs and choices the braces hold plain Rust but for what the macros
//! add, which is little and stands here.

/// What a source of the border declares; `macros` is the text of `declare.rs`.
pub fn plain(source: &str, macros: &str) -> String {
    let mut out = String::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        if let "choices! {" | "versioned! {" | "options! {" = line {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "}").collect();
            match line {
                "choices! {" => block.iter().for_each(|line| out.push_str(&choice(line))),
                _ => out.push_str(&structure(&block)),
            }
            continue;
        }
        let call = line.split_once("!(").filter(|(name, _)| FUNCTIONS.contains(name));
        if let Some((name, arguments)) = call {
            let mut text = arguments.to_string();
            while !text.ends_with(");") {
                text += lines.next().expect("the end of a call").trim_start();
            }
            out.push_str(&function(name, text.trim_end_matches(");"), macros));
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    completed(&out)
}

/// Macros of `declare.rs` that make functions.
const FUNCTIONS: [&str; 3] = ["handle", "memory_bytes", "initialiser"];

/// A line of `choices`, in which numbers belong to constants.
fn choice(line: &str) -> String {
    let line = line.trim();
    match line.split_once(" => ") {
        Some((constant, _)) => {
            let (name, number) = constant.split_once(" = ").expect("a number");
            format!("pub const {name}: i32 = {number};\n")
        }
        None if line.starts_with("///") => format!("{line}\n"),
        None => String::new(),
    }
}

/// A struct with its size in front, and the constants of the bits that its fields name.
fn structure(block: &[&str]) -> String {
    let (mut bits, mut out) = (String::new(), String::from("#[repr(C)]\n"));
    for line in block {
        if let Some(rest) = line.trim().strip_prefix("pub struct ") {
            let name = rest.split(' ').next().expect("a name");
            let size = format!("/// `sizeof({name})`, set by the caller.\npub struct_size: usize,");
            out += &format!("pub struct {name} {{\n{size}\n");
            continue;
        }
        let (declaration, rule) = line.split_once(" => ").unwrap_or((line, ""));
        if let Some((name, bit)) = rule.strip_prefix("bit ").and_then(|rule| rule.split_once(" = "))
        {
            let field = declaration.trim().trim_start_matches("pub ").split(':').next().unwrap();
            bits += &format!("/// `{field}` is meant although it is 0.\n");
            bits += &format!("pub const {name}: u64 = {};\n", bit.trim_end_matches(','));
        }
        out += declaration;
        out += if rule.is_empty() { "\n" } else { ",\n" };
    }
    bits + &out
}

/// The items of one call: the macro's own text with its arguments.
fn function(name: &str, arguments: &str, macros: &str) -> String {
    let start = macros.find(&format!("macro_rules! {name} {{")).expect(name);
    let (parameters, body) = macros[start..].split_once(") => {\n").expect("one arm");
    let parameters = parameters.split_once("    (").expect("parameters").1;
    let body = body.split("\n    };\n").next().expect("the end of the arm");
    let mut pairs: Vec<(&str, String)> = parameters
        .split(", ")
        .map(|parameter| parameter.split(':').next().unwrap())
        .zip(split(arguments))
        .collect();
    pairs.sort_by_key(|(parameter, _)| std::cmp::Reverse(parameter.len()));
    let mut text = body.replace("$crate", "crate");
    for (parameter, argument) in &pairs {
        text = text.replace(parameter, argument);
    }
    text.lines().map(|line| documented(line.trim_start()) + "\n").collect()
}

/// Arguments of a call, whose commas may stand in texts.
fn split(arguments: &str) -> Vec<String> {
    let (mut found, mut inside) = (vec![String::new()], false);
    for letter in arguments.chars() {
        inside ^= letter == '"';
        match letter {
            ',' if !inside => found.push(String::new()),
            _ => found.last_mut().unwrap().push(letter),
        }
    }
    found.iter().map(|argument| argument.trim().to_string()).collect()
}

/// A line of an item, its doc attribute as a comment of lines that are not too long.
fn documented(line: &str) -> String {
    let Some(value) = line.strip_prefix("#[doc = ").and_then(|rest| rest.strip_suffix("]")) else {
        return line.into();
    };
    let pieces = value.strip_prefix("concat!(").and_then(|rest| rest.strip_suffix(")"));
    let text: String = split(pieces.unwrap_or(value))
        .iter()
        .map(|piece| match piece.strip_prefix("stringify!(") {
            Some(name) => name.trim_end_matches(')').to_string(),
            None => piece.trim_matches('"').to_string(),
        })
        .collect();
    let mut comment = String::from("///");
    let mut length = 3;
    for word in text.split(' ') {
        if length + 1 + word.len() > 99 {
            comment += "\n///";
            length = 3;
        }
        comment += &format!(" {word}");
        length += 1 + word.len();
    }
    comment
}

/// What every function that answers a status has: nobody may ignore it, and `error` comes last.
fn completed(source: &str) -> String {
    let mut parts = source.split("#[unsafe(no_mangle)]\n");
    let mut out = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let signature = part.split(" {").next().unwrap_or_default();
        if signature
            .split(") -> ")
            .nth(1)
            .is_some_and(|answer| answer.ends_with("simdetr_status_t"))
        {
            let comment = out.rfind("\n\n").expect("a comment");
            let answer = comment + out[comment..].find("/// @return").expect("@return");
            out.insert_str(answer, "/// @param[out] error Optional.\n");
            out += "#[must_use]\n";
        }
        out += "#[unsafe(no_mangle)]\n";
        out += part;
    }
    out
}
