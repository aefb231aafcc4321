//! The appliance's initramfs: the binary as `/init`, the board's facts and modules, the configuration.

use std::fs;
use std::path::{Path, PathBuf};

use crate::archive::Archive;
use crate::board::Board;
use crate::modules;
use lvsbox::config::Config;
use lvsbox::config::model::Instance;
use lvsbox::wire::nftables::firewall::FirewallRule;

/// What goes into an image.
#[derive(Debug, Clone)]
pub struct Firmware {
    /// The board.
    pub board: Board,
    /// A directory with the kernel's modules (`lib/modules` of its package).
    pub modules: PathBuf,
    /// The program, static and for the board's target.
    pub binary: PathBuf,
    /// The text of the configuration.
    pub configuration: String,
    /// Leave out modules whose name begins with this: for tests.
    pub without: Option<String>,
    /// Further files by their path, with their content: for tests.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Firmware {
    /// The initramfs.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn build(&self) -> Result<Vec<u8>, String> {
        let read = |path: &Path| fs::read(path).map_err(|error| format!("read {}: {error}", path.display()));
        let board = &self.board;
        let mut wanted: Vec<&str> = board.modules.iter().map(String::as_str).collect();
        let config = lvsbox::config::load(&self.configuration, "configuration").config.unwrap_or_default();
        wanted.extend(config.appliance.modules.iter().map(|name| &**name));
        wanted.extend(used(&config));
        let mut archive = Archive::default();
        for name in ["dev", "etc", "lib", "lib/modules", "proc", "sys"] {
            archive.directory(name);
        }
        // Without them the standard library ends PID 1 before `main`: it must find three open streams, or open them.
        archive.device("dev/console", 5, 1);
        archive.device("dev/null", 1, 3);
        archive.file("init", &read(&self.binary)?);
        archive.file("etc/lvsbox.conf", self.configuration.as_bytes());
        let (console, baud) = &board.console;
        let mut facts = format!("name {}\nconsole {console} {baud}\n", board.name);
        if let Some(mib) = board.memory {
            facts += &format!("memory {mib}\n");
        }
        for module in modules::in_order(&self.modules, &wanted, self.without.as_deref()) {
            facts += &format!("module {}\n", module.name);
            let bytes = read(&module.path)?;
            let bytes = if board.keep_signatures { &bytes } else { modules::unsigned(&bytes) };
            archive.file(&format!("lib/modules/{}.ko", module.name), bytes);
        }
        archive.file("etc/board", facts.as_bytes());
        for (name, bytes) in &self.files {
            archive.file(name, bytes);
        }
        Ok(archive.end())
    }
}

/// Modules of the kernel that the configuration uses, beside those for IPVS and network cards, which every director
/// has.
fn used(config: &Config) -> Vec<&'static str> {
    let mut modules = Vec::new();
    if config.instances.iter().any(Instance::is_silent) {
        modules.extend(["nf_tables"]);
    }
    for part in config.firewall.iter().map(FirewallRule::part) {
        modules.extend(["nf_tables"]);
        modules.extend(part.modules().split(' '));
    }
    modules.extend(config.tunnels().map(|device| if device == "tunl0" { "ipip" } else { "ip6_tunnel" }));
    modules
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<&'static str> {
        let mut modules = used(&lvsbox::config::load(text, "t").config.unwrap());
        modules.dedup();
        modules
    }

    #[test]
    fn modules_follow_from_what_the_configuration_uses() {
        assert_eq!(of("virtual_server 192.0.2.1 80 {\nreal_server 192.0.2.2 80 {\n}\n}\n"), [""; 0]);
        assert_eq!(of("firewall { mark 1 to 192.0.2.1 }"), ["nf_tables"]);
        let masquerade = of("firewall { masquerade from 10.0.0.0/8 }");
        assert_eq!(masquerade, ["nf_tables", "nft_chain_nat", "nft_masq"]);
        let role = of("real_server_role { tunnel ipip virtual_ipaddress { 192.0.2.1 } }");
        assert_eq!(role, ["ipip"]);
        let silent = "vrrp_instance V {\ninterface e\nvirtual_router_id 1\nno_accept\nvirtual_ipaddress {\n\
            192.0.2.1\n}\n}\n";
        assert_eq!(of(silent), ["nf_tables"]);
    }
}
