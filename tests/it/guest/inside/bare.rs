//! A kernel without `ip_vs`: the virtual router runs, and the message names what is missing.

use lab::scratch::Scratch;
use lab::wait::{self, secs};

use super::{Site, VIP};
use crate::rig::{Make, ctl};

#[test]
#[ignore = "needs a kernel without IPVS: runs in a guest"]
fn election_goes_on_without_ipvs() {
    assert!(
        lab::guest::is_inside() && !std::fs::exists("/proc/net/ip_vs").unwrap(),
        "this guest has no IPVS"
    );
    let site = Site::nat();
    let scratch = Scratch::new("bare");
    let _servers = [site.serve(0), site.serve(1)];
    let mut director = Make::Lvsbox.start(&site.director, &site.text(&site.service()), &scratch);
    director.wait_line("(VI_1) Entering MASTER STATE", secs(10));
    wait::until("the address", secs(5), || site.director.has_address("eth0", VIP).then_some(()));
    let log = director.log();
    assert!(log.contains("ip_vs") || log.contains("IPVS"), "what is missing is named: {log}");
    assert!(ctl(&site.director, "status").contains("MASTER"));
    assert!(!director.has_ended());
    assert!(director.stop(secs(10)).success());
}
