//! Several boxes on one segment that loses, doubles and delays packets.

use core::net::IpAddr;
use lvsbox::time::{Duration, Instant};

use super::Dice;
use super::node::Node;

/// How the segment treats packets.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lan {
    /// Lost, of a hundred.
    pub(crate) loss: u64,
    /// Doubled, of a hundred.
    pub(crate) doubled: u64,
    /// Longest delay in microseconds.
    pub(crate) delay: u64,
}

/// The boxes and the segment.
pub(crate) struct World {
    pub(crate) now: Instant,
    /// A box that is off is `None`.
    pub(crate) nodes: Vec<Option<Node>>,
    pub(crate) lan: Lan,
    /// Boxes of different parts do not hear each other.
    pub(crate) part: Vec<u8>,
    pub(crate) dice: Dice,
    flying: Vec<(Instant, usize, Vec<u8>)>,
}

impl World {
    pub(crate) fn new(nodes: Vec<Node>, lan: Lan, seed: u64) -> Self {
        let part = vec![0; nodes.len()];
        let nodes = nodes.into_iter().map(Some).collect();
        Self { now: Instant::ZERO, nodes, lan, part, dice: Dice::new(seed), flying: Vec::new() }
    }

    /// Takes what the boxes sent onto the segment.
    pub(crate) fn collect(&mut self) {
        for from in 0..self.nodes.len() {
            let Some(node) = &mut self.nodes[from] else { continue };
            for heard in core::mem::take(&mut node.outbox) {
                for to in 0..self.nodes.len() {
                    let reached = to != from
                        && self.part[to] == self.part[from]
                        && self.nodes[to].as_ref().is_some_and(|node| reaches(heard.destination, node));
                    if !reached || self.dice.percent(self.lan.loss) {
                        continue;
                    }
                    let copies = 1 + usize::from(self.dice.percent(self.lan.doubled));
                    for _ in 0..copies {
                        let delay = 20 + self.dice.below(self.lan.delay + 1);
                        let due = self.now + Duration::from_micros(delay);
                        self.flying.push((due, to, heard.bytes.clone()));
                    }
                }
            }
        }
    }

    /// Lets everything happen until `until`; `watch` looks after every step.
    pub(crate) fn run_until(&mut self, until: Instant, mut watch: impl FnMut(&Self)) {
        loop {
            self.collect();
            let packet = self.flying.iter().map(|(due, _, _)| *due).min();
            let work = self.nodes.iter().flatten().map(Node::next).min();
            let Some(next) = packet.into_iter().chain(work).min().filter(|next| *next <= until) else {
                break;
            };
            self.now = self.now.max(next);
            for node in self.nodes.iter_mut().flatten() {
                node.now = node.now.max(self.now);
            }
            if let Some(place) = self.flying.iter().position(|(due, _, _)| *due <= self.now) {
                let (_, to, bytes) = self.flying.swap_remove(place);
                if let Some(node) = &mut self.nodes[to] {
                    node.hear(&bytes);
                }
            } else if let Some(node) = self.nodes.iter_mut().flatten().find(|node| node.next() <= self.now) {
                node.step();
            }
            watch(self);
        }
        self.now = until;
        for node in self.nodes.iter_mut().flatten() {
            node.now = until;
        }
    }

    pub(crate) fn run(&mut self, span: Duration) {
        self.run_until(self.now + span, |_| {});
    }

    /// Which boxes are MASTER of the first instance.
    pub(crate) fn masters(&self) -> Vec<usize> {
        let is_master = |node: &Option<Node>| node.as_ref().is_some_and(|node| node.is_master(0));
        (0..self.nodes.len()).filter(|id| is_master(&self.nodes[*id])).collect()
    }

    pub(crate) fn node(&mut self, id: usize) -> &mut Node {
        self.nodes[id].as_mut().unwrap()
    }
}

fn reaches(destination: IpAddr, node: &Node) -> bool {
    destination.is_multicast() || destination == node.primary
}
