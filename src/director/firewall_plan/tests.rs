//! Parts that come and go one by one, what a kernel may lack of them, and what somebody else may do to them.

use super::*;
use crate::config::load;

/// The tables as a kernel has them: what they hold is a number that changes with every build.
#[derive(Default)]
struct Kernel {
    tables: [Option<u64>; 3],
    builds: u64,
    generation: u32,
    /// This part cannot be made, or nothing can be removed.
    lacks: Option<Part>,
    stuck: bool,
    /// No look at a table is answered.
    blind: bool,
    /// What is made is not confirmed.
    mute: bool,
    asked: Vec<(Part, FilterStep)>,
}

struct Bench {
    config: Config,
    plan: FirewallPlan,
    bus: Bus,
    kernel: Kernel,
    now: Instant,
}

const ALL: &str = "mark 1 to 192.0.2.1 masquerade from 10.0.0.0/8 redirect to 192.0.2.2";

fn config(rules: &str) -> Config {
    load(&format!("firewall {{ {rules} }}"), "t").config.unwrap()
}

impl Bench {
    fn new(rules: &str) -> Self {
        let config = config(rules);
        let (plan, bus) = (FirewallPlan::new(&config), Bus::new(&config, Epoch(1)));
        Self { config, plan, bus, kernel: Kernel::default(), now: Instant::ZERO }
    }

    fn settle(&mut self) {
        while let Some(action) = self.plan.poll(&self.bus) {
            let Action::Firewall { epoch, part, step } = action else { panic!("{action:?}") };
            let result = self.carry_out(part, step);
            self.plan.answered(self.now, (epoch, part, step), result, &mut self.bus);
        }
        assert!(!self.plan.has_work());
    }

    fn carry_out(&mut self, part: Part, step: FilterStep) -> Result<(), Errno> {
        let kernel = &mut self.kernel;
        kernel.asked.push((part, step));
        match step {
            FilterStep::Build if kernel.lacks == Some(part) => return Err(Errno::ENOENT),
            FilterStep::Remove if kernel.stuck => return Err(Errno::EPERM),
            FilterStep::Verify if kernel.blind => return Err(Errno(11)),
            FilterStep::Build => {
                kernel.builds += 1;
                kernel.tables[part as usize] = Some(kernel.builds);
                kernel.generation += 1;
                if kernel.mute {
                    return Err(Errno::LOST);
                }
            }
            FilterStep::Remove => {
                kernel.tables[part as usize] = None;
                kernel.generation += 1;
            }
            FilterStep::Look => self.plan.handle_generation(kernel.generation),
            FilterStep::Verify => {
                let digest = kernel.tables[part as usize].ok_or(Errno::ENOENT)?;
                let counter = Counter { packets: digest, bytes: 0 };
                let counters = core::iter::once(counter).collect();
                let seen = PartSeen { digest, counters };
                self.plan.handle_seen(self.now, (part, &seen), &self.config, &mut self.bus);
            }
            FilterStep::Change => panic!("no such step"),
        }
        Ok(())
    }

    fn run(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        self.settle();
        while self.bus.next_deadline() <= end {
            self.now = self.bus.next_deadline();
            while let Some(timer) = self.bus.pop_due(self.now) {
                assert_eq!(timer, Timer::Firewall);
                self.plan.handle_timer(self.now, &mut self.bus);
            }
            self.settle();
        }
        self.now = end;
    }

    fn reload(&mut self, rules: &str) {
        let new = config(rules);
        let (mut plan, mut bus) = (FirewallPlan::new(&new), Bus::new(&new, Epoch(self.bus.epoch.0 + 1)));
        core::mem::swap(&mut bus.journal, &mut self.bus.journal);
        plan.adopt(&self.plan, (&self.config, &new), self.now, &mut bus);
        (self.config, self.plan, self.bus) = (new, plan, bus);
        self.settle();
    }

    fn reasons(&self) -> Vec<Reason> {
        let mut cursor = Default::default();
        core::iter::from_fn(|| self.bus.journal.read(&mut cursor)).map(|(_, record)| record.reason).collect()
    }

    fn count(&self, wanted: (Part, FilterStep)) -> usize {
        self.kernel.asked.iter().filter(|one| **one == wanted).count()
    }
}

#[test]
fn without_rules_nothing_is_ever_asked() {
    let mut bench = Bench::new("");
    bench.run(60_000);
    bench.plan.stop(false);
    bench.run(1_000);
    assert!(bench.kernel.asked.is_empty() && bench.plan.is_done());
}

#[test]
fn each_part_is_made_once_and_all_go_at_the_stop_but_not_if_services_stay() {
    for keep in [false, true] {
        let mut bench = Bench::new(ALL);
        bench.run(60_000);
        assert!(Part::ALL.into_iter().all(|part| bench.plan.is_built(part)));
        assert_eq!((bench.kernel.builds, bench.plan.counter(2).packets), (3, 3));
        assert!(bench.reasons().is_empty());
        bench.plan.stop(keep);
        bench.run(1_000);
        assert!(bench.plan.is_done());
        assert_eq!(bench.kernel.tables.iter().flatten().count(), if keep { 3 } else { 0 });
    }
}

#[test]
fn a_part_that_this_kernel_lacks_leaves_the_others_alone_and_is_named_once_and_tried_again() {
    let mut bench = Bench::new(ALL);
    bench.kernel.lacks = Some(Part::Masquerade);
    bench.run(40_000);
    assert!(bench.plan.is_built(Part::Mark) && bench.plan.is_built(Part::Redirect));
    assert_eq!(bench.plan.error(Part::Masquerade), Some(Errno::ENOENT));
    assert_eq!(bench.reasons(), [Reason::FirewallFailed(Part::Masquerade, Errno::ENOENT)]);
    let tries = bench.count((Part::Masquerade, FilterStep::Build));
    assert!((5..8).contains(&tries), "1, 2, 4, 8, 16 seconds apart: {tries}");
    // At once when the configuration changes, whatever changed in it.
    bench.reload(&format!("{ALL} redirect to 192.0.2.3"));
    assert_eq!(bench.count((Part::Masquerade, FilterStep::Build)), tries + 1);
    bench.kernel.lacks = None;
    bench.run(2_000);
    assert!(bench.plan.is_built(Part::Masquerade) && bench.plan.error(Part::Masquerade).is_none());
    assert_eq!(bench.reasons().last(), Some(&Reason::FirewallBuilt(Part::Masquerade)));
}

#[test]
fn a_table_that_somebody_changed_is_made_again_and_others_tables_are_none_of_our_business() {
    let mut bench = Bench::new(ALL);
    bench.run(12_000);
    bench.kernel.generation += 1;
    bench.run(6_000);
    assert_eq!(bench.kernel.builds, 3);
    for (part, found) in [(Part::Mark, None), (Part::Redirect, Some(99))] {
        let before = bench.kernel.builds;
        bench.kernel.tables[part as usize] = found;
        bench.kernel.generation += 1;
        bench.run(6_000);
        assert_eq!(bench.kernel.builds, before + 1);
        assert_eq!(bench.reasons().last(), Some(&Reason::FirewallDiffers(part)));
    }
    for _ in 0..8 {
        bench.kernel.tables[0] = None;
        bench.kernel.generation += 1;
        bench.run(1_000);
        let seen = PartSeen::default();
        bench.plan.handle_seen(bench.now, (Part::Mark, &seen), &bench.config, &mut bench.bus);
        bench.settle();
    }
    assert!(bench.plan.repairs_held(), "somebody fights us");
    bench.run(30_000);
    assert!(bench.kernel.tables[0].is_some() && !bench.plan.repairs_held(), "and gave up");
}

#[test]
fn a_reload_makes_only_the_parts_again_whose_rules_changed() {
    let mut bench = Bench::new(ALL);
    bench.run(12_000);
    let before = bench.kernel.tables;
    bench.reload("mark 2 to 192.0.2.1 masquerade from 10.0.0.0/8");
    let after = bench.kernel.tables;
    assert!(after[0] > before[0], "{after:?}");
    assert_eq!((after[1], after[2]), (before[1], None));
    assert_eq!(bench.count((Part::Mark, FilterStep::Remove)), 0, "replaced in one transaction");
    assert_eq!(bench.plan.counter(1).packets, 2, "counters of what stays are known");
    bench.run(12_000);
    assert_eq!(bench.kernel.tables, after);
    bench.reload("");
    assert_eq!(bench.kernel.tables, [None; 3]);
    bench.reload(ALL);
    assert!(bench.kernel.tables.iter().all(Option::is_some));
}

#[test]
fn a_table_that_cannot_be_removed_at_the_stop_is_tried_a_few_times_and_then_named() {
    let mut bench = Bench::new("mark 1 to 192.0.2.1 redirect to 192.0.2.2");
    bench.run(6_000);
    bench.kernel.stuck = true;
    bench.plan.stop(false);
    bench.run(150);
    assert!(!bench.plan.is_done());
    bench.kernel.stuck = false;
    bench.run(100);
    assert!(bench.plan.is_done() && bench.kernel.tables == [None; 3]);

    let mut bench = Bench::new("mark 1 to 192.0.2.1");
    bench.run(6_000);
    bench.kernel.stuck = true;
    bench.plan.stop(false);
    bench.run(1_000);
    assert!(bench.plan.is_done());
    assert_eq!(bench.reasons(), [Reason::TableLeft("lvsbox_mark", Errno::EPERM)]);
}

#[test]
fn a_table_that_was_never_looked_at_is_removed_although_one_removal_fails() {
    for (stop, mute) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut bench = Bench::new("mark 1 to 192.0.2.1");
        (bench.kernel.blind, bench.kernel.mute) = (true, mute);
        bench.run(10);
        bench.kernel.stuck = true;
        if stop {
            bench.plan.stop(false);
            bench.settle();
        } else {
            bench.reload("");
        }
        assert!(bench.kernel.tables[0].is_some() && !(stop && bench.plan.is_done()));
        bench.kernel.stuck = false;
        bench.run(2_000);
        assert_eq!(bench.kernel.tables, [None; 3]);
    }
}

#[test]
fn a_table_that_was_never_looked_at_and_stays_is_named_at_the_stop_after_a_reload_too() {
    for reload in [false, true] {
        let mut bench = Bench::new("mark 1 to 192.0.2.1");
        bench.kernel.blind = true;
        bench.run(10);
        bench.kernel.stuck = true;
        if reload {
            bench.reload("mark 1 to 192.0.2.1");
            assert_eq!(bench.kernel.builds, 1, "what did not change is not made again");
        }
        bench.plan.stop(false);
        bench.run(1_000);
        assert!(bench.plan.is_done());
        assert_eq!(bench.reasons(), [Reason::TableLeft("lvsbox_mark", Errno::EPERM)]);
    }
}

#[test]
fn a_kernel_that_does_not_have_the_table_is_asked_once_only_to_remove_it() {
    for (had, stop) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut bench = Bench::new(if had { "mark 1 to 192.0.2.1" } else { "" });
        bench.run(6_000);
        bench.reload("");
        (bench.kernel.lacks, bench.kernel.stuck) = (Some(Part::Mark), true);
        bench.reload("mark 1 to 192.0.2.1");
        let before = bench.count((Part::Mark, FilterStep::Remove));
        if stop {
            bench.plan.stop(false)
        } else {
            bench.reload("")
        }
        bench.run(60_000);
        assert!(bench.plan.is_done() && bench.plan.error(Part::Mark).is_none());
        assert_eq!(bench.count((Part::Mark, FilterStep::Remove)), before + 1);
        assert_eq!(bench.reasons(), [Reason::FirewallFailed(Part::Mark, Errno::ENOENT)]);
    }
}
