//! Text to [`Config`] in slices: read, take block after block, add the instances, finish.
//!
//! A slice is at most about a millisecond of work, so a reload of the largest file does not make an advert late.

use core::fmt;

use super::build::Tables;
use super::codes::TOO_LARGE;
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
    Context, Diagnostics, Facts, NodeId, Position, Progress, Reader, Severity, Tree, Walk, Want,
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
}

/// Loads a configuration in slices.
pub struct Loader {
    tree: Tree,
    diagnostics: Diagnostics,
    tables: Tables,
    root: RootDraft,
    stage: Stage,
    uses_id: bool,
}

enum Stage {
    Read(Box<Reader>),
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
    pub fn new(name: &str, text: String) -> Self {
        let mut loader = Self {
            tree: Tree::default(),
            diagnostics: Diagnostics::default(),
            tables: Tables::default(),
            root: RootDraft::default(),
            stage: Stage::Done { usable: false },
            uses_id: false,
        };
        let bytes = text.len();
        if bytes > MAX_CONFIG_BYTES {
            loader.tree = Tree::new(name, String::new());
            let at = Position { line: 1, len: 1, ..Position::default() };
            loader.diagnostics.report(
                &loader.tree,
                (Severity::Fatal, TOO_LARGE, at),
                format_args!("the file has {bytes} bytes: the limit is {MAX_CONFIG_BYTES}"),
                format_args!("this is probably not the configuration"),
            );
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
            other @ (Stage::Blocks(_)
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
            Stage::Blocks(_)
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
            Stage::Blocks(_)
            | Stage::Service(..)
            | Stage::Instances(_)
            | Stage::Sealing(_)
            | Stage::Done { .. } => {}
        }
    }

    /// Does about a millisecond of work at most; true when there is no more.
    pub fn step(&mut self) -> bool {
        let stage = core::mem::replace(&mut self.stage, Stage::Done { usable: false });
        self.stage = match stage {
            Stage::Read(mut reader) => match reader.step(SLICE, &mut self.diagnostics) {
                Progress::More | Progress::Wants => Stage::Read(reader),
                Progress::Done => self.take_tree(*reader),
            },
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
    pub fn finish(mut self) -> Loaded {
        self.diagnostics.sort();
        let usable = matches!(self.stage, Stage::Done { usable: true });
        let usable = usable && self.diagnostics.count(Severity::Fatal) == 0;
        let config = usable.then(|| self.tables.finish(self.root));
        Loaded { config, diagnostics: self.diagnostics, uses_id: self.uses_id }
    }

    fn take_tree(&mut self, reader: Reader) -> Stage {
        self.uses_id = reader.uses_id();
        let (tree, trusted) = reader.into_tree();
        self.tree = tree;
        if !trusted {
            // Where a block ends is unknown: whatever would be said about what stands inside is likely wrong.
            return Stage::Done { usable: false };
        }
        self.tables.reserve(self.tree.len());
        Stage::Blocks(Walk::new(self.tree.root()))
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
