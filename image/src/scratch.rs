//! A directory of one test: gone afterwards, kept (and named) when the test failed. What a killed run left behind is
//! removed by the next one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{cleanup, guest};

static NEXT: AtomicU32 = AtomicU32::new(0);
static SWEEP: Once = Once::new();

/// A directory under the system's temporary directory.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// A new empty directory; `label` is part of its name.
    pub fn new(label: &str) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        SWEEP.call_once(sweep);
        let path = std::env::temp_dir().join(cleanup::name(number, label));
        fs::create_dir_all(&path).expect("create the scratch directory");
        Self { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The path of `name` inside.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes `text` to `name` inside, and returns its path.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.join(name);
        fs::write(&path, text).expect("write a scratch file");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Under a name that no sweep knows.
            let kept = self.path.with_file_name(self.name().replacen("lab-", "lab-kept-", 1));
            let path = fs::rename(&self.path, &kept).map_or(&self.path, |()| &kept);
            eprintln!("kept for inspection: {}", path.display());
        } else {
            // A leftover directory harms nobody; the test's own result matters more.
            fs::remove_dir_all(&self.path).ok();
        }
    }
}

/// Removes the directories of runs whose process is gone.
fn sweep() {
    // A guest sees the host's directories, but not its processes.
    if guest::is_inside() {
        return;
    }
    for name in cleanup::left_behind(&std::env::temp_dir()) {
        fs::remove_dir_all(std::env::temp_dir().join(name)).ok();
    }
}
