//! Reading the repository's files.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A file's text.
pub(crate) fn text(path: &str) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A JSON file.
pub(crate) fn json(path: &str) -> Value {
    serde_json::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A YAML file as JSON: anchors resolved, CloudFormation's tags (`!Ref x`) read as their content.
pub(crate) fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Names in a folder, sorted.
pub(crate) fn names(folder: &str) -> Vec<String> {
    let path = root().join(folder);
    let entries = fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The Rust files under a folder, with their text, without their tests.
pub(crate) fn rust_sources(folder: &str) -> Vec<(String, String)> {
    let mut sources = Vec::new();
    for name in names(folder) {
        let path = format!("{folder}/{name}");
        if root().join(&path).is_dir() {
            sources.extend(rust_sources(&path));
        } else if Path::new(&name).extension().is_some_and(|extension| extension == "rs") {
            let whole = text(&path);
            let code = whole.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
            sources.push((path, code));
        }
    }
    sources
}

/// The functions' directories.
pub(crate) fn functions() -> Vec<String> {
    names("functions")
        .into_iter()
        .filter(|name| root().join("functions").join(name).join("Cargo.toml").is_file())
        .collect()
}
