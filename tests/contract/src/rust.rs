//! Just enough reading of Rust source: balanced brackets, arguments of a call, bodies of functions.

/// The text between the bracket at the start of `text` and the one that closes it.
///
/// # Panics
/// If `text` does not start with a bracket that is closed.
pub(crate) fn balanced(text: &str) -> &str {
    let mut depth = 0_u32;
    let mut in_string = false;
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        if in_string {
            in_string = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
            continue;
        }
        match letter {
            '"' => in_string = true,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => {
                depth -= 1;
                if depth == 0 {
                    return &text[1..at];
                }
            }
            _ => {}
        }
    }
    panic!("no closing bracket: {}", text.chars().take(80).collect::<String>());
}

/// The arguments of each call whose name with its opening bracket is `name`.
pub(crate) fn calls(text: &str, name: &str) -> Vec<Vec<String>> {
    text.match_indices(name)
        .map(|(at, _)| arguments(balanced(&text[at + name.len() - 1..])))
        .collect()
}

fn arguments(text: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let (mut depth, mut in_string, mut escaped) = (0_i32, false, false);
    for letter in text.chars() {
        if in_string {
            in_string = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
        } else {
            match letter {
                '"' => in_string = true,
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth -= 1,
                ',' if depth == 0 => {
                    found.push(String::new());
                    continue;
                }
                _ => {}
            }
        }
        if let Some(argument) = found.last_mut() {
            argument.push(letter);
        }
    }
    found.into_iter().map(|argument| argument.trim().to_owned()).collect()
}

/// A string literal's content; `None` for anything else.
pub(crate) fn literal(argument: &str) -> Option<&str> {
    argument.strip_prefix('"')?.strip_suffix('"')
}

/// Parameters and body of the function `name`, if it is in this file.
pub(crate) fn function<'a>(text: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let start = text.find(&format!("fn {name}("))? + "fn ".len() + name.len();
    let parameters = balanced(&text[start..]);
    let rest = &text[start + parameters.len() + 2..];
    Some((parameters, balanced(&rest[rest.find('{')?..])))
}

#[test]
fn brackets_in_strings_do_not_count() {
    let code = r#"Problem::new(StatusCode::CONFLICT, "a-code", format!("{a} ) \" {b}", f(1, 2)))"#;
    let calls = calls(code, "Problem::new(");
    assert_eq!(calls[0][0], "StatusCode::CONFLICT");
    assert_eq!(literal(&calls[0][1]), Some("a-code"));
    assert_eq!(calls[0].len(), 3);
}

#[test]
fn a_function_is_its_parameters_and_its_body() {
    let code = "async fn read(a: A) -> Result<B, C> {\n  work(a)\n}\nfn other() {}";
    assert_eq!(function(code, "read"), Some(("a: A", "\n  work(a)\n")));
}
