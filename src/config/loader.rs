//! Text to [`Config`] in slices: read, take block after block, add the instances, finish.
//!
//! A slice is at most about a millisecond of work, so a reload of the largest file does not make an advert late.

use core::fmt;

use super::build::Tables;
use super::codes::{MEMORY, TOO_LARGE};
use super::counts::Counts;
use super::group;
use super::instance_build;
use super::keywords::{ROOT, RootDraft, home};
use super::link_rules;
use super::model::Config;
use super::own;
use super::service::waits;
use super::service_build::ServiceBuild;
use super::static_build;
use super::sync_daemon;
use super::track;
use crate::limits::{MAX_CONFIG_BYTES, MAX_INSTANCES};
use crate::syntax::{
    Code, Context, Diagnostics, Facts, NodeId, Position, Progress, Reader, Severity, Tree, Walk, Want,
};

/// Lines or statements of one slice.
const SLICE: usize = 200;

/// What became of a text.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration without what was left out; nothing after a fatal error.
    pub config: Option<Config>,
    /// All messages, in the order of the text.
    pub diagnostics: Diagnostics,
    /// The text would be another one with another [`Facts::config_id`].
    pub uses_id: bool,
    /// What there was to count before the tables were made, and after it what is in them.
    pub counts: Counts,
    /// Bytes of memory that it needs, if somebody worked it out.
    pub need: usize,
}

/// What helps against [`MEMORY`].
const MORE: &str = "allow more, or spread the services over several directors";

impl Loaded {
    /// There is no configuration after all, because of what `why` says; `name` is the file.
    #[inline(never)]
    pub fn refuse(&mut self, name: &str, why: fmt::Arguments<'_>) {
        self.config = None;
        report(&mut self.diagnostics, name, (MEMORY, MORE), why);
    }
}

/// Says why the file `name` cannot be used as a whole.
fn report(diagnostics: &mut Diagnostics, name: &str, (code, hint): (Code, &str), why: fmt::Arguments<'_>) {
    let at = Position { line: 1, len: 1, ..Position::default() };
    let tree = Tree::new(name, String::new());
    diagnostics.report(&tree, (Severity::Fatal, code, at), why, format_args!("{hint}"));
}

/// Loads a configuration in slices.
pub struct Loader {
    tree: Tree,
    diagnostics: Diagnostics,
    tables: Tables,
    root: RootDraft,
    counts: Counts,
    stage: Stage,
    uses_id: bool,
}

enum Stage {
    Read(Box<Reader>),
    /// What the tables will hold is counted, from this statement on.
    Counting(usize),
    /// It is known: whoever has a bound compares it now.
    Counted,
    Blocks(Walk),
    Service(Box<ServiceBuild>, Walk),
    /// What the texts of other files mean; they are wanted meanwhile.
    Files,
    Instances(std::vec::IntoIter<super::instance::InstanceDraft>),
    /// Tables get the size that they will keep, one after the other.
    Sealing(u8),
    Done {
        usable: bool,
    },
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader").field("diagnostics", &self.diagnostics.totals().to_string()).finish()
    }
}

/// Loads a whole text at once.
pub fn load(text: &str, name: &str) -> Loaded {
    let mut loader = Loader::new(name, text.to_owned());
    while !loader.step() {}
    loader.finish()
}

impl Loader {
    /// A loader at the start of `text`; `name` is what messages call the file.
    #[inline(never)]
    pub fn new(name: &str, text: String) -> Self {
        let mut loader = Self {
            tree: Tree::default(),
            diagnostics: Diagnostics::default(),
            tables: Tables::default(),
            root: RootDraft::default(),
            counts: Counts::default(),
            stage: Stage::Done { usable: false },
            uses_id: false,
        };
        let bytes = text.len();
        if bytes > MAX_CONFIG_BYTES {
            let why = format_args!("the file has {bytes} bytes: the limit is {MAX_CONFIG_BYTES}");
            let hint = "this is probably not the configuration";
            report(&mut loader.diagnostics, name, (TOO_LARGE, hint), why);
        } else {
            loader.stage = Stage::Read(Box::new(Reader::new(name, text)));
        }
        loader
    }

    /// The same, knowing the machine.
    #[must_use]
    pub fn on(mut self, facts: Facts) -> Self {
        self.stage = match self.stage {
            Stage::Read(reader) => Stage::Read(Box::new(reader.on(facts))),
            other @ (Stage::Counting(_)
            | Stage::Counted
            | Stage::Blocks(_)
            | Stage::Service(..)
            | Stage::Files
            | Stage::Instances(_)
            | Stage::Sealing(_)
            | Stage::Done { .. }) => other,
        };
        self
    }

    /// What an `include` needs before the next [`Self::step`]; without an answer it is left out.
    pub fn want(&self) -> Option<Want<'_>> {
        match &self.stage {
            Stage::Read(reader) => reader.want(),
            Stage::Files => self.file(),
            Stage::Counting(_)
            | Stage::Counted
            | Stage::Blocks(_)
            | Stage::Service(..)
            | Stage::Instances(_)
            | Stage::Sealing(_)
            | Stage::Done { .. } => None,
        }
    }

    /// The answer to [`Want::Names`]: the names in the folder, or an error number of errno.h.
    pub fn give_names(&mut self, names: Result<Vec<String>, u16>) {
        if let Stage::Read(reader) = &mut self.stage {
            reader.give_names(names, &mut self.diagnostics);
        }
    }

    /// The answer to [`Want::Text`]: the text of the file, or an error number of errno.h.
    pub fn give_text(&mut self, text: Result<String, u16>) {
        match &mut self.stage {
            Stage::Read(reader) => reader.give_text(text, &mut self.diagnostics),
            #[cfg(feature = "tls")]
            Stage::Files => self.root.tls.give(text),
            #[cfg(not(feature = "tls"))]
            Stage::Files => {}
            Stage::Counting(_)
            | Stage::Counted
            | Stage::Blocks(_)
            | Stage::Service(..)
            | Stage::Instances(_)
            | Stage::Sealing(_)
            | Stage::Done { .. } => {}
        }
    }

    /// Does about a millisecond of work at most; true when there is no more.
    pub fn step(&mut self) -> bool {
        self.step_lines(SLICE)
    }

    /// The same, reading no more than `lines` lines: of one it is known how much memory it takes ([`Self::growth`]).
    pub fn step_lines(&mut self, lines: usize) -> bool {
        let stage = core::mem::replace(&mut self.stage, Stage::Done { usable: false });
        self.stage = match stage {
            Stage::Read(mut reader) => match reader.step(lines, &mut self.diagnostics) {
                Progress::More | Progress::Wants => Stage::Read(reader),
                Progress::Done => self.take_tree(*reader),
            },
            Stage::Counting(from) => match self.counts.add(&self.tree, from) {
                Some(next) => Stage::Counting(next),
                None => Stage::Counted,
            },
            Stage::Counted => {
                self.tables.reserve(&self.counts);
                Stage::Blocks(Walk::new(self.tree.root()))
            }
            Stage::Blocks(walk) => self.step_blocks(walk),
            Stage::Service(mut service, walk) => {
                let mut budget = SLICE;
                let mut cx = context(&self.tree, &mut self.diagnostics);
                if service.step(&mut cx, &mut self.tables, &mut budget) {
                    Stage::Blocks(walk)
                } else {
                    Stage::Service(service, walk)
                }
            }
            Stage::Files => {
                #[cfg(feature = "tls")]
                {
                    self.counts.files = self.root.tls.bytes();
                    let mut cx = context(&self.tree, &mut self.diagnostics);
                    self.tables.tls = core::mem::take(&mut self.root.tls).finish(&mut cx);
                }
                let drafts = core::mem::take(&mut self.root.instances);
                sync_daemon::prepare(&mut self.root, &drafts);
                Stage::Instances(drafts.into_iter())
            }
            Stage::Instances(mut drafts) => {
                let mut cx = context(&self.tree, &mut self.diagnostics);
                match drafts.next() {
                    Some(draft) => {
                        let outer = (&self.root.global, self.root.groups.as_slice(), &self.root.fixed);
                        instance_build::finish(&draft, outer, &mut self.tables, &mut cx);
                        Stage::Instances(drafts)
                    }
                    None => {
                        let interface = self.root.global.static_interface();
                        static_build::finish(&self.root.fixed, interface, &mut self.tables, &mut cx);
                        own::finish(&mut self.root.appliance, &mut self.tables, &mut cx);
                        let groups = &self.root.service_groups;
                        self.tables.sync_daemon = sync_daemon::finish(&self.root, &mut self.tables, &mut cx);
                        self.tables.entry_count.admit_all(groups.lines, groups.over.unwrap_or_default());
                        self.tables.link_rules = link_rules::finish(&self.root, &self.tables, &mut cx);
                        group::finish(&self.root.groups, &mut self.tables, &mut cx);
                        self.tables.report_limits(&mut cx);
                        Stage::Sealing(0)
                    }
                }
            }
            Stage::Sealing(table) => {
                // Nothing asks for a line any more.
                self.tree = Tree::default();
                if self.tables.seal(table) { Stage::Sealing(table + 1) } else { Stage::Done { usable: true } }
            }
            done @ Stage::Done { .. } => done,
        };
        matches!(self.stage, Stage::Done { .. })
    }

    /// The result. Before `step` said that it is done there is no configuration in it.
    #[inline(never)]
    pub fn finish(mut self) -> Loaded {
        self.diagnostics.sort();
        let usable = matches!(self.stage, Stage::Done { usable: true });
        let usable = usable && self.diagnostics.count(Severity::Fatal) == 0;
        let mut counts = self.counts;
        counts.parameters = self.tables.parameters;
        let config = usable.then(|| self.tables.finish(self.root));
        if let Some(config) = &config {
            counts.take(config);
        }
        Loaded { config, diagnostics: self.diagnostics, uses_id: self.uses_id, counts, need: 0 }
    }

    fn take_tree(&mut self, reader: Reader) -> Stage {
        self.uses_id = reader.uses_id();
        let growing = reader.tree();
        self.counts.reading_peak = growing.bytes() + growing.growth();
        let (tree, trusted) = reader.into_tree();
        self.tree = tree;
        if !trusted {
            // Where a block ends is unknown: whatever would be said about what stands inside is likely wrong.
            return Stage::Done { usable: false };
        }
        self.counts.reading = self.tree.bytes();
        Stage::Counting(0)
    }

    /// Bytes that the next step may take: what is nearly full doubles.
    pub fn growth(&self) -> usize {
        match &self.stage {
            Stage::Read(reader) => reader.tree().growth(),
            Stage::Counted => self.counts.drafts(),
            Stage::Blocks(_) | Stage::Service(..) | Stage::Instances(_) => self.tables.growth(),
            // The texts are there.
            #[cfg(feature = "tls")]
            Stage::Files => (crate::limits::TLS_FILE_COPIES - 1) * self.root.tls.bytes(),
            #[cfg(not(feature = "tls"))]
            Stage::Files => 0,
            Stage::Counting(_) | Stage::Sealing(_) | Stage::Done { .. } => 0,
        }
    }

    /// What the tables will hold, once, before the first of them is made.
    pub fn counted(&self) -> Option<&Counts> {
        matches!(self.stage, Stage::Counted).then_some(&self.counts)
    }

    /// Ends here, because of what `why` says; `name` is the file.
    #[inline(never)]
    pub fn refuse(&mut self, name: &str, why: fmt::Arguments<'_>) {
        self.stage = Stage::Done { usable: false };
        report(&mut self.diagnostics, name, (MEMORY, MORE), why);
    }

    fn step_blocks(&mut self, mut walk: Walk) -> Stage {
        let mut cx = context(&self.tree, &mut self.diagnostics);
        let mut budget = SLICE;
        while budget > 0 {
            let before = walk.peek(cx.tree);
            budget = budget.saturating_sub(before.map_or(1, |node| cx.tree.weight(node)));
            if !walk.step(&mut cx, &ROOT, &mut self.root) {
                if let Some(node) = self.root.waiting.pop_front() {
                    return self.start_service(node, walk);
                }
                group::prepare(&mut self.root.groups, &mut cx);
                track::prepare(&self.root.appliance, &mut self.tables, &mut cx);
                return Stage::Files;
            }
            // Far more than fit: they are counted, and what they say is not kept.
            while self.root.instances.len() > 4 * MAX_INSTANCES
                && let Some(draft) = self.root.instances.pop()
            {
                self.tables.instance_count.admit(draft.at);
            }
            if let Some(node) = self.root.service.take() {
                if waits(cx.tree, node, &self.root.service_groups) {
                    self.root.waiting.push_back(node);
                    continue;
                }
                return self.start_service(node, walk);
            }
        }
        Stage::Blocks(walk)
    }

    /// The next file that a keyword names and is not a text of configuration.
    fn file(&self) -> Option<Want<'_>> {
        #[cfg(feature = "tls")]
        return self.root.tls.want().map(Want::Text);
        #[cfg(not(feature = "tls"))]
        None
    }

    fn start_service(&mut self, node: NodeId, walk: Walk) -> Stage {
        let mut cx = context(&self.tree, &mut self.diagnostics);
        match ServiceBuild::new(&mut cx, node, &self.tables, &self.root.service_groups) {
            Some(service) => Stage::Service(Box::new(service), walk),
            None => Stage::Blocks(walk),
        }
    }
}

fn context<'t>(tree: &'t Tree, diagnostics: &'t mut Diagnostics) -> Context<'t> {
    Context { tree, diagnostics, home }
}
