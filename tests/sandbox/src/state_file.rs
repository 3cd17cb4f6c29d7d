//! The state file: a snapshot as JSON, read at the start and written when the sandbox stops.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufReader, BufWriter, Error, ErrorKind, Result, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Mutex,
};

use serde::Deserialize;

use crate::{
    snapshot::{Snapshot, VERSION},
    store::lock,
};

/// A file that holds a sandbox's state between two runs.
pub(crate) struct StateFile {
    path: PathBuf,
    /// Two writes at once would write the same temporary file.
    writing: Mutex<()>,
}

impl StateFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, writing: Mutex::default() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What the file holds; `None` if there is none yet.
    ///
    /// # Errors
    /// `InvalidData` if the file cannot be used. It is left as it is.
    pub(crate) fn read(&self) -> Result<Option<Snapshot>> {
        let refuse = |problem: String| {
            let path = self.path.display();
            Error::new(ErrorKind::InvalidData, format!("state file {path}: {problem}"))
        };
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // Better now than when the sandbox stops.
                let folder = self.folder().is_dir();
                return if folder { Ok(None) } else { Err(refuse("its folder is missing".into())) };
            }
            Err(error) => return Err(refuse(error.to_string())),
        };
        let value: serde_json::Value = serde_json::from_reader(BufReader::new(file))
            .map_err(|error| refuse(error.to_string()))?;
        match value.get("version").and_then(serde_json::Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {}
            Some(version) => {
                return Err(refuse(format!(
                    "version {version}, but this sandbox reads version {VERSION}"
                )));
            }
            None => return Err(refuse("no state of a sandbox".into())),
        }
        Snapshot::deserialize(value).map(Some).map_err(|error| refuse(error.to_string()))
    }

    /// Writes a snapshot in one step: whoever reads the file sees the old state or the new one.
    pub(crate) fn write(&self, snapshot: &Snapshot) -> Result<()> {
        let _writing = lock(&self.writing);
        let path = self.path.display();
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let fresh = self.folder().join(name);
        // It holds tokens: for its owner alone.
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)
            .map_err(|error| Error::new(error.kind(), format!("state file {path}: {error}")))?;
        let mut writer = BufWriter::new(file);
        serde_json::to_writer(&mut writer, snapshot)?;
        writer.write_all(b"\n")?;
        writer.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&fresh, &self.path)
    }

    fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }
}
