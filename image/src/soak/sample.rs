//! What the director takes: each second while things happen, and thoroughly when it is at rest.

use std::fs;
use std::time::Duration;

use super::site::Site;
use crate::bench::usage::usage;
use crate::wait;

/// Looks at rest, of which the least counts: a check that is under way has a socket, and a session over TLS its
/// buffers.
const LOOKS: usize = 40;
/// On a slow machine there is a session at most looks: so often is looked for one without. What has leaked never goes.
const MOST_LOOKS: usize = 400;

/// A second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sample {
    /// Since the start.
    pub second: u64,
    /// Resident.
    pub rss_kib: u64,
    /// Proportional.
    pub pss_kib: u64,
    /// Bytes that the program has allocated.
    pub heap: u64,
    /// Open descriptors.
    pub descriptors: usize,
    /// Rows of the IPVS table, and addresses.
    pub objects: usize,
}

impl Sample {
    /// What there is now; nothing if the director does not answer (it is stopped).
    pub fn of(site: &Site, second: u64) -> Option<Self> {
        let used = usage(site.pid());
        let objects = site.table().len() + site.addresses();
        let (rss_kib, pss_kib) = (used.rss_kib, used.pss_kib);
        Some(Self { second, rss_kib, pss_kib, heap: site.heap()?, descriptors: descriptors(site), objects })
    }

    /// The figures on a line.
    pub fn line(&self) -> String {
        let Self { rss_kib, pss_kib, heap, descriptors, objects, .. } = self;
        format!("RSS {rss_kib} PSS {pss_kib} KiB, heap {heap}, {descriptors} descriptors, {objects} objects")
    }
}

/// What there is at rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calm {
    /// Resident.
    pub rss_kib: u64,
    /// Bytes that the program has allocated.
    pub heap: u64,
    /// What `show memory` says, when the heap was least.
    pub memory: String,
    /// Open descriptors.
    pub descriptors: usize,
    /// What the kernel holds: a text of each kind.
    pub objects: Vec<String>,
    /// Lines of the log about real servers that were lost although all is well: a server that is slow because the
    /// machine is. The kernel is looked at when they are back.
    pub lost: Vec<String>,
    /// Requests of the client that were answered meanwhile.
    pub answered: u64,
    /// All of them.
    pub asked: u64,
}

impl Calm {
    /// The least of some looks; of many, as long as it is more than at an earlier rest, `spare` bytes aside.
    pub fn of(site: &Site, earlier: Option<&Self>, spare: u64) -> Self {
        let mut least =
            Self { rss_kib: u64::MAX, heap: u64::MAX, descriptors: usize::MAX, ..Self::default() };
        let (before, said) = (site.requests(), site.lost().len());
        let is_more = |least: &Self| {
            earlier.is_some_and(|earlier| {
                least.heap > earlier.heap + spare || least.descriptors > earlier.descriptors
            })
        };
        for look in 0..MOST_LOOKS {
            if look >= LOOKS && !is_more(&least) {
                break;
            }
            wait::maybe(Duration::from_millis(250), || None::<()>);
            least.rss_kib = least.rss_kib.min(usage(site.pid()).rss_kib);
            let heap = site.heap().unwrap_or(u64::MAX);
            if heap < least.heap {
                (least.heap, least.memory) = (heap, site.ctl("show memory"));
            }
            least.descriptors = least.descriptors.min(descriptors(site));
        }
        let (answered, asked) = site.requests();
        (least.answered, least.asked) = (answered - before.0, asked - before.1);
        wait::maybe(Duration::from_secs(60), || {
            least.objects = site.objects();
            site.misses().is_empty().then_some(())
        });
        Self { lost: site.lost().split_off(said), ..least }
    }

    /// The figures on a line.
    pub fn line(&self) -> String {
        let rows: usize = self.objects.iter().map(|text| text.lines().count()).sum();
        let Self { rss_kib, heap, descriptors, answered, asked, .. } = self;
        format!(
            "RSS {rss_kib} KiB, heap {heap}, {descriptors} descriptors, {rows} rows in the kernel, \
             {answered} of {asked} requests answered{}",
            self.lost.iter().map(|line| format!("\n    lost at rest: {line}")).collect::<String>()
        )
    }
}

fn descriptors(site: &Site) -> usize {
    fs::read_dir(format!("/proc/{}/fd", site.pid())).map_or(0, Iterator::count)
}
