//! What a reload takes over of the kernel's routes and rules.

use super::{Retired, RoutePlan, Row, key};
use crate::config::Config;
use crate::config::routing::Route;
use crate::director::dirty::DirtySet;
use crate::director::ledger::{Ledger, RepairLimit, Stage};
use crate::director::links::Links;
use crate::director::vrrp::{Predecessor, Vrrp};

impl RoutePlan {
    /// Takes over what is known of what both configurations have. What is present and no longer configured is to be
    /// removed; a route that only leads elsewhere now is replaced in one step.
    pub(crate) fn adopt(
        &mut self,
        old: &Self,
        from: Predecessor<'_>,
        (config, vrrp, links): (&Config, &Vrrp, &Links),
    ) {
        let before = from.config;
        let known = |row: usize| {
            let in_flight = matches!(old.ledger.stage(row), Stage::InFlight(_));
            let row = old.rows.get(row).copied().unwrap_or_default();
            Row { unsure: row.unsure || in_flight, ..row }
        };
        let mut left = DirtySet::new(old.rows.len());
        for row in 0..old.rows.len() {
            if known(row).present || known(row).unsure {
                left.insert(row);
            }
        }
        for (row, route) in config.routes.iter().enumerate() {
            let at = |id: u32| before.routes.get(id as usize);
            let is_place = |id: u32| at(id).is_some_and(|one| one.place() == route.place());
            let Some(former) = old.routes.find(&key(&route.spec), is_place) else { continue };
            let same = at(former).is_some_and(|one| is_same((one, before), (route, config)));
            let row = self.rows.get_mut(row);
            let wished = route.instance.is_none_or(|id| vrrp.is_master(id));
            match row.map(|row| (row, known(former as usize))) {
                Some((row, known)) if same => *row = known,
                Some((row, known)) if wished => row.displaced = known.present || known.unsure,
                Some(_) | None => continue,
            }
            left.remove(former as usize);
        }
        let (new_first, old_first) = (config.routes.len(), before.routes.len());
        for (row, rule) in config.rules.iter().enumerate() {
            let same = |id: u32| before.rules.get(id as usize).is_some_and(|one| one.spec == rule.spec);
            let Some(former) = old.rules.find(&rule.spec.preference, same) else { continue };
            let former = old_first + former as usize;
            if let Some(row) = self.rows.get_mut(new_first + row) {
                *row = known(former);
            }
            left.remove(former);
        }
        self.retire(old, left, from.config, (config, links));
        for (id, master) in self.masters.iter_mut().enumerate() {
            *master = vrrp.holding(crate::config::ids::Id::from_index(id));
        }
        self.known = old.known;
    }

    /// What is left is to be removed, unless an earlier reload left it behind and it is configured again.
    fn retire(
        &mut self,
        old: &Self,
        mut left: DirtySet,
        before: &Config,
        (config, links): (&Config, &Links),
    ) {
        let mut retired = Vec::new();
        while let Some(row) = left.pop() {
            let rules = before.routes.len();
            let object = match (before.routes.get(row), row.checked_sub(rules)) {
                (Some(route), _) => {
                    let index = |id| {
                        let name = before.link_name(id);
                        let new = config.links.iter().position(|known| known.as_str() == name);
                        new.map(crate::config::ids::Id::from_index)
                            .map_or_else(Default::default, |id| links.get(id).index)
                    };
                    Retired::Route(route.resolved(index).0)
                }
                (None, Some(rule)) => match (before.rules.get(rule), rule.checked_sub(before.rules.len())) {
                    (Some(rule), _) => Retired::Rule(rule.spec),
                    (None, Some(row)) => match old.retired.get(row) {
                        Some(object) => *object,
                        None => continue,
                    },
                    (None, None) => continue,
                },
                (None, None) => continue,
            };
            if !self.is_again(object, config) {
                retired.push(object);
            }
        }
        self.retired = retired.into();
        let rows = config.routes.len() + config.rules.len();
        let stays = Row { present: true, ..Row::default() };
        self.rows = (0..rows + self.retired.len())
            .map(|row| self.rows.get(row).copied().filter(|_| row < rows).unwrap_or(stays))
            .collect();
        self.ledger = Ledger::new(self.rows.len());
        self.limit = RepairLimit::new(self.rows.len());
        self.ledger.mark_all();
    }

    /// True if what was left behind has a row of its own again, which then may have it.
    fn is_again(&mut self, object: Retired, config: &Config) -> bool {
        let row = match object {
            Retired::Route(spec) => {
                let place = |id: u32| {
                    config.routes.get(id as usize).is_some_and(|one| {
                        (one.spec.from, one.spec.tos, one.spec.effective_metric())
                            == (spec.from, spec.tos, spec.effective_metric())
                    })
                };
                let at =
                    |id: u32| config.routes.get(id as usize).is_some_and(|one| key(&one.spec) == key(&spec));
                let found = self.routes.find(&key(&spec), |id| at(id) && place(id)).map(|id| id as usize);
                // One that has taken its place over already is the same route.
                return found
                    .and_then(|row| self.rows.get(row))
                    .is_some_and(|row| row.present || row.displaced);
            }
            Retired::Rule(spec) => {
                let same = |id: u32| config.rules.get(id as usize).is_some_and(|one| one.spec == spec);
                self.rules.find(&spec.preference, same).map(|id| config.routes.len() + id as usize)
            }
        };
        match row.and_then(|row| self.rows.get_mut(row)) {
            Some(row) => {
                row.unsure = true;
                true
            }
            None => false,
        }
    }
}

/// True if both configurations mean the same route.
fn is_same((one, before): (&Route, &Config), (other, config): (&Route, &Config)) -> bool {
    let links = |route: &Route, config: &Config| {
        let first = route.link.map(|id| config.link_name(id).to_owned());
        let hops = route.hops.iter().map(|hop| hop.link.map(|id| config.link_name(id).to_owned()));
        core::iter::once(first).chain(hops).collect::<Vec<_>>()
    };
    let hops = |route: &Route| {
        route.hops.iter().map(|hop| (hop.gateway, hop.weight, hop.onlink)).collect::<Vec<_>>()
    };
    one.spec == other.spec
        && (&one.metrics, one.locked, one.preference) == (&other.metrics, other.locked, other.preference)
        && before.texts.get(one.congestion) == config.texts.get(other.congestion)
        && hops(one) == hops(other)
        && links(one, before) == links(other, config)
}
