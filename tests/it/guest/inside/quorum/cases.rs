//! The cases. Written from what keepalived 2.2.7 does; the test fails if it does otherwise.

/// One service.
pub(super) struct Case {
    pub(super) what: &'static str,
    /// Lines of the service, `;` between them.
    pub(super) lines: &'static str,
    /// Its real servers: a name and lines, `,` between them.
    pub(super) servers: &'static [&'static str],
    /// The same after the reload.
    pub(super) reload: Option<(&'static str, &'static [&'static str])>,
    /// Per step what keepalived's table holds: servers with their weights, `-` for none.
    pub(super) theirs: &'static str,
    /// What ours holds, if it differs on purpose.
    pub(super) ours: &'static str,
    /// Why.
    pub(super) because: &'static str,
}

const SAME: Case =
    Case { what: "", lines: "", servers: &[], reload: None, theirs: "", ours: "", because: "" };

#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
    Case {
        what: "plain",
        lines: "quorum 1",
        servers: &["A", "B", "C"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "plain, failed at the start",
        lines: "quorum 1",
        servers: &["D", "E", "F"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "sorry",
        lines: "SORRY S",
        servers: &["A", "B", "C"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "sorry, failed at the start",
        lines: "SORRY S",
        servers: &["D", "E", "F"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "quorum 2",
        lines: "quorum 2;SORRY S",
        servers: &["A", "B", "C"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "quorum 2, failed at the start",
        lines: "quorum 2;SORRY S",
        servers: &["D", "E", "F"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "quorum 3",
        lines: "quorum 3;SORRY S",
        servers: &["A", "B", "C"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "quorum 2 without sorry",
        lines: "quorum 2",
        servers: &["A", "B", "C"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "hysteresis 1",
        lines: "quorum 2;hysteresis 1;SORRY S",
        servers: &["A", "B", "C"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "hysteresis 1, failed at the start",
        lines: "quorum 2;hysteresis 1;SORRY S",
        servers: &["D", "E", "F"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "hysteresis 1 without sorry",
        lines: "quorum 2;hysteresis 1",
        servers: &["A", "B", "C"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "a quorum that is never reached",
        lines: "quorum 3;hysteresis 1;SORRY S",
        servers: &["A", "B", "C"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "a quorum above all weights",
        lines: "quorum 9;SORRY S",
        servers: &["A", "B", "C"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "weights",
        lines: "quorum 5;SORRY S",
        servers: &["A weight 5", "B weight 3", "C weight 1"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "weights and hysteresis",
        lines: "quorum 4;hysteresis 2;SORRY S",
        servers: &["A weight 5", "B weight 3", "C weight 1"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "weight of the service",
        lines: "quorum 4;weight 2;SORRY S",
        servers: &["A", "B", "C weight 1"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "one weight 0",
        lines: "quorum 1;SORRY S",
        servers: &["A weight 0", "B", "C"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "two weights 0",
        lines: "quorum 1;SORRY S",
        servers: &["A weight 0", "B weight 0", "C"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "all weights 0",
        lines: "quorum 1;SORRY S",
        servers: &["A weight 0", "B weight 0"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "weight 0 and inhibit",
        lines: "quorum 1;inhibit_on_failure;SORRY S",
        servers: &["A weight 0", "B", "C"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "inhibit",
        lines: "inhibit_on_failure;SORRY S",
        servers: &["A", "B", "C"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "inhibit without sorry",
        lines: "inhibit_on_failure",
        servers: &["A", "B", "C"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "inhibit, failed at the start",
        lines: "quorum 2;inhibit_on_failure;SORRY S",
        servers: &["D", "E", "F"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "inhibit and quorum 2",
        lines: "quorum 2;inhibit_on_failure;SORRY S",
        servers: &["A", "B", "C"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "one inhibited",
        lines: "quorum 2;SORRY S",
        servers: &["A inhibit_on_failure", "B", "C"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "inhibited sorry",
        lines: "SORRY S;sorry_server_inhibit",
        servers: &["A", "B", "C"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "inhibited sorry, failed at the start",
        lines: "quorum 2;SORRY S;sorry_server_inhibit",
        servers: &["D", "E", "F"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "all inhibited",
        lines: "quorum 2;inhibit_on_failure;SORRY S;sorry_server_inhibit",
        servers: &["A", "B", "C"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "alpha",
        lines: "alpha;SORRY S",
        servers: &["A", "B", "C"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "alpha, failed at the start",
        lines: "alpha;SORRY S",
        servers: &["D", "E", "F"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "alpha without sorry",
        lines: "alpha",
        servers: &["D", "E", "F"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "alpha and inhibit",
        lines: "alpha;inhibit_on_failure;SORRY S",
        servers: &["D", "E", "F"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "alpha, quorum 2, hysteresis 1",
        lines: "alpha;quorum 2;hysteresis 1;SORRY S",
        servers: &["D", "E", "F"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "alpha and omega",
        lines: "alpha;omega;quorum 2;SORRY S;sorry_server_inhibit",
        servers: &["D", "E", "F"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "one without a check",
        lines: "quorum 2;SORRY S",
        servers: &["A", "B", "C unchecked"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "none with a check",
        lines: "quorum 2;SORRY S",
        servers: &["A unchecked", "B unchecked"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "one that never lives",
        lines: "quorum 2;SORRY S",
        servers: &["A", "B", "Z"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "sorry of another method",
        lines: "SORRY S;sorry_server_lvs_method TUN",
        servers: &["A", "B", "C"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "two sorry servers",
        lines: "quorum 2;SORRY S;SORRY T",
        servers: &["A", "B", "C"],
        theirs: "",
        ..SAME
    },
    Case {
        what: "reload: nothing",
        lines: "quorum 2;SORRY S",
        servers: &["D", "E", "F"],
        reload: Some(("quorum 2;SORRY S", &["D", "E", "F"])),
        theirs: "",
        ..SAME
    },
    Case {
        what: "reload: a higher quorum",
        lines: "quorum 1;SORRY S",
        servers: &["A", "B", "C"],
        reload: Some(("quorum 3;SORRY S", &["A", "B", "C"])),
        theirs: "",
        ..SAME
    },
    Case {
        what: "reload: a lower quorum",
        lines: "quorum 3;SORRY S",
        servers: &["A", "B", "C"],
        reload: Some(("quorum 1;SORRY S", &["A", "B", "C"])),
        theirs: "",
        ..SAME
    },
    Case {
        what: "reload: hysteresis",
        lines: "quorum 2;SORRY S",
        servers: &["A", "B", "C"],
        reload: Some(("quorum 2;hysteresis 1;SORRY S", &["A", "B", "C"])),
        theirs: "",
        ..SAME
    },
    Case {
        what: "reload: weights",
        lines: "quorum 2;SORRY S",
        servers: &["A", "B", "C"],
        reload: Some(("quorum 2;SORRY S", &["A weight 7", "B weight 0", "C"])),
        theirs: "",
        ..SAME
    },
    Case {
        what: "reload: one server less",
        lines: "quorum 2;SORRY S",
        servers: &["A", "B", "C"],
        reload: Some(("quorum 2;SORRY S", &["A", "C"])),
        theirs: "",
        ..SAME
    },
    Case {
        what: "reload: a dead server more",
        lines: "SORRY S",
        servers: &["A", "B"],
        reload: Some(("SORRY S", &["A", "B", "Z"])),
        theirs: "",
        ..SAME
    },
    Case {
        what: "reload: a living server more",
        lines: "quorum 2;SORRY S",
        servers: &["A", "B"],
        reload: Some(("quorum 2;SORRY S", &["A", "B", "C"])),
        theirs: "",
        ..SAME
    },
    Case {
        what: "reload: a dead server more, alpha",
        lines: "alpha;SORRY S",
        servers: &["A", "B"],
        reload: Some(("alpha;SORRY S", &["A", "B", "Z"])),
        theirs: "",
        ..SAME
    },
    Case {
        what: "reload: a sorry server more",
        lines: "quorum 2",
        servers: &["A", "B", "C"],
        reload: Some(("quorum 2;SORRY S", &["A", "B", "C"])),
        theirs: "",
        ..SAME
    },
    Case {
        what: "reload: a sorry server less",
        lines: "quorum 2;SORRY S",
        servers: &["A", "B", "C"],
        reload: Some(("quorum 2", &["A", "B", "C"])),
        theirs: "",
        ..SAME
    },
    Case {
        what: "reload: another sorry server",
        lines: "quorum 2;SORRY S",
        servers: &["A", "B", "C"],
        reload: Some(("quorum 2;SORRY T", &["A", "B", "C"])),
        theirs: "",
        ..SAME
    },
    Case {
        what: "reload: inhibit",
        lines: "quorum 2;SORRY S",
        servers: &["A", "B", "Z"],
        reload: Some(("quorum 2;inhibit_on_failure;SORRY S", &["A", "B", "Z"])),
        theirs: "",
        ..SAME
    },
    Case {
        what: "reload: no inhibit",
        lines: "quorum 2;inhibit_on_failure;SORRY S",
        servers: &["A", "B", "Z"],
        reload: Some(("quorum 2;SORRY S", &["A", "B", "Z"])),
        theirs: "",
        ..SAME
    },
    Case {
        what: "reload: inhibited sorry",
        lines: "quorum 2;SORRY S",
        servers: &["A", "B", "C"],
        reload: Some(("quorum 2;SORRY S;sorry_server_inhibit", &["A", "B", "C"])),
        theirs: "",
        ..SAME
    },
    Case {
        what: "reload: alpha",
        lines: "quorum 2;SORRY S",
        servers: &["A", "B", "Z"],
        reload: Some(("alpha;quorum 2;SORRY S", &["A", "B", "Z"])),
        theirs: "",
        ..SAME
    },
];
