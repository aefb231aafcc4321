//! A kernel without `nft_masq`: that part of the firewall is named, and the others are in force.

use lab::scratch::Scratch;
use lab::wait::{self, secs};

use super::Site;
use crate::rig::{Make, configuration, ctl};

#[test]
#[ignore = "needs a kernel without masquerading: runs in a guest"]
fn what_the_kernel_lacks_is_named_and_the_other_parts_are_in_force() {
    assert!(lab::guest::is_inside());
    let site = Site::nat();
    let scratch = Scratch::new("parts");
    let text =
        "firewall { mark 1 to 10.0.1.100 tcp 80  masquerade from 10.0.2.0/24  redirect to 10.0.1.101 }\n";
    let mut director = Make::Lvsbox.start(&site.director, text, &scratch);
    director.wait_line(
        "firewall masquerade: no such file or entry (are the modules nft_chain_nat nft_masq loaded?)",
        secs(10),
    );
    let list = || site.director.run("nft list ruleset");
    let there = |rule: &str| wait::until(rule, secs(3), || list().contains(rule).then_some(()));
    there("ip daddr 10.0.1.100 tcp dport 80");
    there("ip daddr 10.0.1.101");
    assert!(!list().contains("10.0.2.0/24"));
    assert!(ctl(&site.director, "status").contains("firewall masquerade: no such file or entry"));
    let shown = ctl(&site.director, "show firewall");
    assert!(shown.contains("not     in force  masquerade from 10.0.2.0/24"), "{shown}");
    std::fs::write(configuration(&site.director, &scratch), "firewall { redirect to 10.0.1.101 }\n").unwrap();
    ctl(&site.director, "reload");
    assert!(ctl(&site.director, "status").lines().all(|line| !line.contains("masquerade")));
    assert!(director.stop(secs(10)).success());
    assert_eq!(list().trim(), "");
}
