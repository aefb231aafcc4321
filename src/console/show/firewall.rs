//! `show firewall`: the rules of `firewall` with what they have met, and the addresses that do not answer
//! (`no_accept`).

use core::fmt::Write;

use super::line;
use crate::config::ids::{AddressId, Id};
use crate::console::answer::{Next, Place};
use crate::console::json::{Object, Shown, Value};
use crate::console::view::View;
use crate::wire::errno::Text;
use crate::wire::nftables;
use crate::wire::nftables::firewall::{FirewallRule, Part};

const RULES: u8 = 0;
const PARTS: u8 = 1;
const DROPPED: u8 = 2;

/// Addresses looked at in one row of the answer.
const STRIDE: usize = 32;

fn is_counted(view: &View<'_>, rule: &FirewallRule) -> bool {
    view.director.firewall_plan().is_built(rule.part())
}

/// A row is a rule, a part that is not in force, or an address.
pub(in crate::console) fn text(view: &View<'_>, place: Place, out: &mut dyn Write) -> Next {
    let (config, plan) = (view.director.config(), view.director.firewall_plan());
    match place.phase {
        RULES => {
            let Some(rule) = config.firewall.get(place.row) else {
                let none = if place.row == 0 { "no firewall is configured\n" } else { "" };
                out.write_str(none)?;
                return Ok(Some(Place::phase(PARTS)));
            };
            if place.row == 0 {
                out.write_str("   packets        bytes  rule\n")?;
            }
            let counter = plan.counter(place.row);
            if is_counted(view, rule) {
                line(out, format_args!("{:>10} {:>12}  {rule}", counter.packets, counter.bytes))?;
            } else {
                line(out, format_args!("{:>10} {:>12}  {rule}", "not", "in force"))?;
            }
            Ok(Some(place.next_row(RULES)))
        }
        PARTS => {
            let Some(part) = Part::ALL.get(place.row).copied() else {
                if config.firewall.iter().any(|rule| rule.part() != Part::Mark) {
                    out.write_str("masquerade and redirect count the first packet of each connection\n")?;
                }
                return Ok(Some(Place::phase(DROPPED)));
            };
            if let Some(errno) = plan.error(part) {
                let (word, modules) = (part.word(), part.modules());
                let errno = Text(errno.0);
                line(out, format_args!("{word}: {errno} (modules {modules}?); tried again"))?;
            }
            Ok(Some(place.next_row(PARTS)))
        }
        _ => {
            let end = place.row.saturating_add(STRIDE).min(config.addresses.len());
            for row in place.row..end {
                let id = AddressId::from_index(row);
                if let Some(address) = config.addresses.get(row).filter(|_| dropped(view, id)) {
                    let (address, link) = (address.address, config.link_name(address.link));
                    let table = nftables::TABLE;
                    line(out, format_args!("drop {address} on {link} (no_accept, table {table})"))?;
                }
            }
            Ok((end < config.addresses.len()).then_some(Place { row: end, ..place }))
        }
    }
}

fn dropped(view: &View<'_>, id: AddressId) -> bool {
    view.director.nftables_plan().is_dropped(id)
}

/// `{"rules":[…],"dropped":[…]}`
pub(in crate::console) fn json(view: &View<'_>, place: Place, out: &mut dyn Write) -> Next {
    let (config, plan) = (view.director.config(), view.director.firewall_plan());
    if place.phase == RULES {
        let Some(rule) = config.firewall.get(place.row) else {
            out.write_str(if place.row == 0 {
                "{\"rules\":[\n],\"dropped\":["
            } else {
                "\n],\"dropped\":["
            })?;
            return Ok(Some(Place::phase(DROPPED)));
        };
        out.write_str(if place.row == 0 { "{\"rules\":[\n" } else { ",\n" })?;
        let (counter, counted) = (plan.counter(place.row), is_counted(view, rule));
        let mut object = Object::begin(out)?;
        object.field("rule", Shown(rule))?;
        object.field("table", rule.part().table())?;
        object.field("in_force", counted)?;
        object.field("packets", counted.then_some(counter.packets))?;
        object.field("bytes", counted.then_some(counter.bytes))?;
        object.field("error", plan.error(rule.part()).map(|errno| Shown(Text(errno.0))))?;
        object.end()?;
        return Ok(Some(place.next_row(RULES)));
    }
    // `sub` counts what was written, for the commas.
    let mut written = place.sub;
    let end = place.row.saturating_add(STRIDE).min(config.addresses.len());
    for row in place.row..end {
        let id = AddressId::from_index(row);
        if let Some(address) = config.addresses.get(row).filter(|_| dropped(view, id)) {
            out.write_str(if written == 0 { "" } else { "," })?;
            Shown(address.address).write(out)?;
            written += 1;
        }
    }
    if end < config.addresses.len() {
        return Ok(Some(Place { row: end, sub: written, ..place }));
    }
    out.write_str("]}\n")?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use crate::config::load;
    use crate::console::fixture::{Bench, at};
    use crate::director::event::Errno;

    const RULES: &str = "virtual_server fwmark 1 {\nlb_kind DR\nreal_server 192.0.2.2 80 {\n}\n}\n\
        firewall { mark 1 to 192.0.2.100 tcp 80  redirect to 2001:db8::1 }";

    #[test]
    fn rules_stand_with_their_counters_or_with_what_is_missing() {
        let mut bench = Bench::new(load(RULES, "f").config.unwrap());
        bench.run(at(2_000));
        let expected = "   packets        bytes  rule\n\
             \u{20}        0            0  mark 1 to 192.0.2.100 tcp 80\n\
             \u{20}        0            0  redirect to 2001:db8::1\n\
             masquerade and redirect count the first packet of each connection\n";
        assert_eq!(bench.ask("show firewall"), expected);
        let mut bench = Bench::new(load(RULES, "f").config.unwrap());
        bench.filter = Err(Errno::ENOENT);
        bench.run(at(2_000));
        let shown = bench.ask("show firewall");
        assert!(shown.contains("       not     in force  redirect to 2001:db8::1\n"), "{shown}");
        let missing = "redirect: no such file or entry (modules nft_chain_nat nft_redir?); tried again\n";
        assert!(shown.contains(missing), "{shown}");
        let status = bench.ask("status");
        let alarm = "firewall redirect: no such file or entry (modules nft_chain_nat nft_redir?)";
        assert!(status.contains(alarm), "{status}");
        assert_eq!(
            bench.ask("show firewall json"),
            "{\"rules\":[\n\
             {\"rule\":\"mark 1 to 192.0.2.100 tcp 80\",\"table\":\"lvsbox_mark\",\"in_force\":false,\"packets\":null,\
             \"bytes\":null,\"error\":\"no such file or entry\"},\n\
             {\"rule\":\"redirect to 2001:db8::1\",\"table\":\"lvsbox_redirect\",\"in_force\":false,\"packets\":null,\
             \"bytes\":null,\"error\":\"no such file or entry\"}\n],\"dropped\":[]}\n"
        );
        let bench = Bench::new(load("", "f").config.unwrap());
        assert_eq!(bench.ask("show firewall"), "no firewall is configured\n");
        assert_eq!(bench.ask("show firewall json"), "{\"rules\":[\n],\"dropped\":[]}\n");
    }
}
