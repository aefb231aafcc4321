//! Which kernel modules a guest needs, and in which order: read from the modules themselves, so that no `depmod` is
//! needed on the host.
//!
//! A module's `.modinfo` section holds NUL-terminated `key=value` texts; `depends` names what must be there first.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What every guest gets: the host's root over 9p, a LAN, IPVS with every scheduler of Debian's kernel, tunnels,
/// nf_tables.
/// `crc32c_generic` must come first: `libcrc32c` asks for it by a soft dependency, and without it nothing of
/// conntrack or IPVS can be inserted.
pub const GUEST: &[&str] = &[
    "crc32c_generic",
    "virtio_pci",
    "9pnet_virtio",
    "9p",
    "overlay",
    "veth",
    "macvlan",
    "dummy",
    "bridge",
    "8021q",
    "ipip",
    "ip6_tunnel",
    "nf_tables",
    "nft_chain_nat",
    "nft_masq",
    "nft_redir",
    "ip_vs",
    "ip_vs_rr",
    "ip_vs_wrr",
    "ip_vs_lc",
    "ip_vs_wlc",
    "ip_vs_lblc",
    "ip_vs_lblcr",
    "ip_vs_dh",
    "ip_vs_sh",
    "ip_vs_sed",
    "ip_vs_nq",
    "ip_vs_fo",
    "ip_vs_ovf",
    "ip_vs_mh",
    "ip_vs_pe_sip",
];

/// What the world of the demonstration gets: the host's root over 9p, a LAN, and a card on the switch.
pub const WORLD: &[&str] = &["virtio_pci", "virtio_net", "9pnet_virtio", "9p", "overlay", "veth", "bridge"];

/// A module to be inserted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Its name with underscores, as `lsmod` shows it.
    pub name: String,
    /// The file.
    pub path: PathBuf,
}

/// The modules that are `wanted` and are found under `root`, each behind those that it depends on, without those whose
/// name begins with `without`.
///
/// # Panics
/// If one is missing that is not built in, naming it.
pub fn in_order(root: &Path, wanted: &[&str], without: Option<&str>) -> Vec<Module> {
    let mut files = BTreeMap::new();
    collect(root, &mut files);
    let builtin = built_in(root);
    let mut order = Vec::new();
    for name in wanted.iter().filter(|name| without.is_none_or(|prefix| !name.starts_with(prefix))) {
        visit(name, &files, &builtin, &mut order);
    }
    order
}

fn visit(name: &str, files: &BTreeMap<String, PathBuf>, builtin: &[String], order: &mut Vec<Module>) {
    if order.iter().any(|module| module.name == name) || builtin.iter().any(|other| other == name) {
        return;
    }
    let Some(path) = files.get(name) else { panic!("the guest's kernel has no module {name}") };
    let bytes = fs::read(path).expect("read a module");
    for dependency in depends(&bytes) {
        visit(&dependency, files, builtin, order);
    }
    order.push(Module { name: name.to_owned(), path: path.clone() });
}

/// The names of what a module depends on.
fn depends(bytes: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(start) = bytes.windows(KEY.len()).position(|window| window == KEY) else { return Vec::new() };
    let value: Vec<u8> = bytes[start + KEY.len()..].iter().copied().take_while(|byte| *byte != 0).collect();
    let text = String::from_utf8_lossy(&value);
    text.split(',').filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect()
}

fn collect(directory: &Path, files: &mut BTreeMap<String, PathBuf>) {
    for entry in fs::read_dir(directory).expect("read the modules' directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if let Some(stem) = entry.file_name().to_string_lossy().strip_suffix(".ko") {
            files.insert(stem.replace('-', "_"), path);
        }
    }
}

/// The names in every `modules.builtin` under `root` (one `kernel/.../name.ko` per line).
fn built_in(root: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root).expect("read the modules' directory").flatten() {
        let text = fs::read_to_string(entry.path().join("modules.builtin")).unwrap_or_default();
        let stems = text.lines().filter_map(|line| line.rsplit('/').next()?.strip_suffix(".ko"));
        names.extend(stems.map(|stem| stem.replace('-', "_")));
    }
    names
}

/// Ends a signed module; before it stand the lengths of what was appended (`struct module_signature`, the last four
/// bytes of its twelve: the signature's, big-endian).
const SIGNED: &[u8] = b"~Module signature appended~\n";

/// A module without its signature. To check them takes half of the time that the modules take, and says nothing: who
/// could change a module in the image could change the program beside it.
pub fn unsigned(module: &[u8]) -> &[u8] {
    let bare = || {
        let (rest, info) = module.strip_suffix(SIGNED)?.split_last_chunk::<12>()?;
        let [.., a, b, c, d] = *info;
        let signature = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
        rest.get(..rest.len().checked_sub(signature)?)
    };
    bare().unwrap_or(module)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_is_cut_and_a_module_without_one_stays() {
        let signed = [b"code", b"sig".as_slice(), &[0; 8], &[0, 0, 0, 3], SIGNED].concat();
        assert_eq!(unsigned(&signed), b"code");
        assert_eq!(unsigned(b"code"), b"code");
        let damaged = [b"code".as_slice(), &[0; 8], &[0, 0, 0, 200], SIGNED].concat();
        assert_eq!(unsigned(&damaged), damaged);
    }

    #[test]
    fn dependencies_are_read_from_modinfo() {
        let bytes = b"\x7fELF\0license=GPL\0depends=nf_conntrack,nf-defrag-ipv6\0retpoline=Y\0";
        assert_eq!(depends(bytes), ["nf_conntrack", "nf_defrag_ipv6"]);
        assert!(depends(b"license=GPL\0depends=\0").is_empty());
    }
}
