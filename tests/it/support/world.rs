//! Several boxes on one segment that loses, doubles and delays packets, or carries them one way only.

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
    /// From whom nothing reaches whom.
    pub(crate) cut: Vec<(usize, usize)>,
    /// Boxes that get no turn before this instant; what reaches them waits.
    pub(crate) asleep: Vec<Instant>,
    /// When a packet was last lost, by sender and receiver.
    pub(crate) lost: Vec<Vec<Instant>>,
    /// Whom the last step brought which packet.
    pub(crate) delivered: Option<(usize, Vec<u8>)>,
    pub(crate) dice: Dice,
    flying: Vec<(Instant, usize, Vec<u8>)>,
}

impl World {
    pub(crate) fn new(nodes: Vec<Node>, lan: Lan, seed: u64) -> Self {
        let count = nodes.len();
        Self {
            now: Instant::ZERO,
            nodes: nodes.into_iter().map(Some).collect(),
            lan,
            part: vec![0; count],
            cut: Vec::new(),
            asleep: vec![Instant::ZERO; count],
            lost: vec![vec![Instant::ZERO; count]; count],
            delivered: None,
            dice: Dice::new(seed),
            flying: Vec::new(),
        }
    }

    /// Takes what the boxes sent onto the segment.
    pub(crate) fn collect(&mut self) {
        for from in 0..self.nodes.len() {
            let Some(node) = &mut self.nodes[from] else { continue };
            for heard in core::mem::take(&mut node.outbox) {
                for to in 0..self.nodes.len() {
                    let reached = self.is_open(from, to)
                        && self.nodes[to].as_ref().is_some_and(|node| reaches(heard.destination, node));
                    if !reached {
                        continue;
                    }
                    if self.dice.percent(self.lan.loss) {
                        self.lost[from][to] = self.now;
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

    /// Whether packets of `from` reach `to`, bad luck aside.
    pub(crate) fn is_open(&self, from: usize, to: usize) -> bool {
        to != from && self.part[to] == self.part[from] && !self.cut.contains(&(from, to))
    }

    /// Whether a packet is on its way to `to`.
    pub(crate) fn is_flying_to(&self, to: usize) -> bool {
        self.flying.iter().any(|(_, of, _)| *of == to)
    }

    /// Puts another box, or none, in the place of one; what was under way to it is lost.
    pub(crate) fn replace(&mut self, id: usize, node: Option<Node>) {
        self.collect();
        self.flying.retain(|(_, to, _)| *to != id);
        self.asleep[id] = Instant::ZERO;
        self.nodes[id] = node;
    }

    fn awake(&mut self) -> impl Iterator<Item = &mut Node> {
        let awake = |(node, until): (_, &Instant)| Some(node).filter(|_| *until <= self.now);
        self.nodes.iter_mut().zip(&self.asleep).filter_map(awake).flatten()
    }

    /// When a box does something next by itself.
    fn next_work(&self) -> Option<Instant> {
        let times = self.nodes.iter().zip(&self.asleep);
        times.filter_map(|(node, until)| Some(node.as_ref()?.next().max(*until))).min()
    }

    /// Lets everything happen until `until`; `watch` looks after every step.
    pub(crate) fn run_until(&mut self, until: Instant, mut watch: impl FnMut(&Self)) {
        loop {
            self.collect();
            let packet = self.flying.iter().map(|(due, _, _)| *due).min();
            let work = self.next_work();
            let Some(next) = packet.into_iter().chain(work).min().filter(|next| *next <= until) else {
                break;
            };
            self.now = self.now.max(next);
            let now = self.now;
            self.awake().for_each(|node| node.now = node.now.max(now));
            self.delivered = None;
            if let Some(place) = self.flying.iter().position(|(due, _, _)| *due <= now) {
                self.arrive(place);
            } else if let Some(node) = self.awake().find(|node| node.next() <= now) {
                node.step();
            }
            watch(self);
        }
        self.now = until;
        self.delivered = None;
        self.awake().for_each(|node| node.now = until);
    }

    /// A packet arrives; one for a box that sleeps waits in its socket, and is read before or after its timers.
    fn arrive(&mut self, place: usize) {
        let (_, to, bytes) = self.flying.swap_remove(place);
        if self.asleep[to] > self.now {
            let due = self.asleep[to] + Duration::from_micros(self.dice.below(2));
            return self.flying.push((due, to, bytes));
        }
        if let Some(node) = &mut self.nodes[to] {
            node.hear(&bytes);
            self.delivered = Some((to, bytes));
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
