//! What servers whose checks failed last had said: a fixed number of them. What it says is `check::evidence`'s; which
//! probe keeps it is decided in `health.rs`.

use crate::check::Evidence;
use crate::config::ids::ProbeId;
use crate::limits::MAX_EVIDENCES;

/// Replies of the checks that failed last, with room for [`MAX_EVIDENCES`]; the oldest goes first.
#[derive(Debug, Default)]
pub(super) struct Evidences {
    pub(super) list: heapless::Deque<(ProbeId, Evidence), MAX_EVIDENCES>,
}

impl Evidences {
    pub(super) fn of(&self, id: ProbeId) -> Option<&Evidence> {
        self.list.iter().find(|(of, _)| *of == id).map(|(_, evidence)| evidence)
    }

    pub(super) fn forget(&mut self, id: ProbeId) {
        if self.of(id).is_none() {
            return;
        }
        for _ in 0..self.list.len() {
            let one = self.list.pop_front().filter(|(of, _)| *of != id);
            let _ = one.map(|one| self.list.push_back(one));
        }
    }

    pub(super) fn keep(&mut self, id: ProbeId, evidence: Evidence) {
        self.forget(id);
        if self.list.is_full() {
            self.list.pop_front();
        }
        // There is room for it now.
        let _ = self.list.push_back((id, evidence));
    }
}
