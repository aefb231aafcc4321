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
    /// Per step what keepalived's table holds: servers with their weights, `-` for none; `|` where it depends on which
    /// of two checks came first.
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
        theirs: "A1+B1+C1 B1+C1 C1 - B1 A1+B1 A1+B1+C1 B1 B1 B1+C1 - A1+B1+C1 C1 C1 A1+B1+C1",
        ..SAME
    },
    Case {
        what: "plain, failed at the start",
        lines: "quorum 1",
        servers: &["D", "E", "F"],
        theirs: "F1 - D1 D1+E1 D1+E1+F1 - D1+E1+F1 E1 E1 D1+E1 - D1+E1+F1 F1 F1 D1+E1+F1",
        ..SAME
    },
    Case {
        what: "sorry",
        lines: "SORRY S",
        servers: &["A", "B", "C"],
        theirs: "A1+B1+C1 B1+C1 C1 S1 B1 A1+B1 A1+B1+C1 B1 B1 B1+C1 S1 A1+B1+C1 C1 C1 A1+B1+C1",
        ..SAME
    },
    Case {
        what: "sorry, failed at the start",
        lines: "SORRY S",
        servers: &["D", "E", "F"],
        theirs: "F1 S1 D1 D1+E1 D1+E1+F1 S1 D1+E1+F1 E1 E1 D1+E1 S1 D1+E1+F1 F1 F1 D1+E1+F1",
        ..SAME
    },
    Case {
        what: "quorum 2",
        lines: "quorum 2;SORRY S",
        servers: &["A", "B", "C"],
        theirs: "A1+B1+C1 B1+C1 S1 S1 S1 A1+B1 A1+B1+C1 S1 S1 B1+C1 S1 A1+B1+C1 S1 S1 A1+B1+C1",
        ..SAME
    },
    Case {
        what: "quorum 2, failed at the start",
        lines: "quorum 2;SORRY S",
        servers: &["D", "E", "F"],
        theirs: "S1 S1 S1 D1+E1 D1+E1+F1 S1 D1+E1+F1 S1 S1 D1+E1 S1 D1+E1+F1 S1 S1 D1+E1+F1",
        ..SAME
    },
    Case {
        what: "quorum 3",
        lines: "quorum 3;SORRY S",
        servers: &["A", "B", "C"],
        theirs: "A1+B1+C1 S1 S1 S1 S1 S1 A1+B1+C1 S1 S1 S1 S1 A1+B1+C1 S1 S1 A1+B1+C1",
        ..SAME
    },
    Case {
        what: "quorum 2 without sorry",
        lines: "quorum 2",
        servers: &["A", "B", "C"],
        theirs: "A1+B1+C1 B1+C1 C1 - B1 A1+B1 A1+B1+C1 B1 B1 B1+C1 - A1+B1+C1 C1 C1 A1+B1+C1",
        ..SAME
    },
    Case {
        what: "hysteresis 1",
        lines: "quorum 2;hysteresis 1;SORRY S",
        servers: &["A", "B", "C"],
        theirs: "A1+B1+C1 B1+C1 C1 S1 S1 S1 A1+B1+C1 B1 B1 B1+C1 S1 A1+B1+C1 C1 C1 A1+B1+C1",
        ..SAME
    },
    Case {
        what: "hysteresis 1, failed at the start",
        lines: "quorum 2;hysteresis 1;SORRY S",
        servers: &["D", "E", "F"],
        theirs: "F1 S1 S1 S1 D1+E1+F1 S1 D1+E1+F1 E1 E1 D1+E1 S1 D1+E1+F1 F1 F1 D1+E1+F1",
        ..SAME
    },
    Case {
        what: "hysteresis 1 without sorry",
        lines: "quorum 2;hysteresis 1",
        servers: &["A", "B", "C"],
        theirs: "A1+B1+C1 B1+C1 C1 - B1 A1+B1 A1+B1+C1 B1 B1 B1+C1 - A1+B1+C1 C1 C1 A1+B1+C1",
        ..SAME
    },
    Case {
        what: "a quorum that is never reached",
        lines: "quorum 3;hysteresis 1;SORRY S",
        servers: &["A", "B", "C"],
        theirs: "S1 S1 S1 S1 S1 S1 S1 S1 S1 S1 S1 S1 S1 S1 S1",
        ..SAME
    },
    Case {
        what: "a quorum above all weights",
        lines: "quorum 9;SORRY S",
        servers: &["A", "B", "C"],
        theirs: "A1+B1+C1 S1 S1 S1 S1 S1 A1+B1+C1 S1 S1 S1 S1 A1+B1+C1 S1 S1 A1+B1+C1",
        ..SAME
    },
    Case {
        what: "weights",
        lines: "quorum 5;SORRY S",
        servers: &["A weight 5", "B weight 3", "C weight 1"],
        theirs: "A5+B3+C1 S1 S1 S1 S1 A5+B3 A5+B3+C1 S1 S1 S1 S1 A5+B3+C1 S1 S1 A5+B3+C1",
        ..SAME
    },
    Case {
        what: "weights and hysteresis",
        lines: "quorum 4;hysteresis 2;SORRY S",
        servers: &["A weight 5", "B weight 3", "C weight 1"],
        theirs: "A5+B3+C1 B3+C1 S1 S1 S1 A5+B3 A5+B3+C1 B3 B3 B3+C1 S1 A5+B3+C1 S1 S1 A5+B3+C1",
        ..SAME
    },
    Case {
        what: "weight of the service",
        lines: "quorum 4;weight 2;SORRY S",
        servers: &["A", "B", "C weight 1"],
        theirs: "A2+B2+C1 S1 S1 S1 S1 A2+B2 A2+B2+C1 S1 S1 S1 S1 A2+B2+C1 S1 S1 A2+B2+C1",
        ..SAME
    },
    Case {
        what: "one weight 0",
        lines: "quorum 1;SORRY S",
        servers: &["A weight 0", "B", "C"],
        theirs: "A0+B1+C1 B1+C1 C1 S1 B1 A0+B1 A0+B1+C1 B1 B1 B1+C1 S1 A0+B1+C1 C1 C1 A0+B1+C1",
        ..SAME
    },
    Case {
        what: "two weights 0",
        lines: "quorum 1;SORRY S",
        servers: &["A weight 0", "B weight 0", "C"],
        theirs: "A0+B0+C1 B0+C1 C1 S1 S1 S1 A0+B0+C1 S1 S1 B0+C1 S1 A0+B0+C1 C1 C1 A0+B0+C1",
        ..SAME
    },
    Case {
        what: "all weights 0",
        lines: "quorum 1;SORRY S",
        servers: &["A weight 0", "B weight 0"],
        theirs: "S1 S1 S1 S1 S1 S1 S1 S1 S1 S1 S1 S1 S1 S1 S1",
        ..SAME
    },
    Case {
        what: "weight 0 and inhibit",
        lines: "quorum 1;inhibit_on_failure;SORRY S",
        servers: &["A weight 0", "B", "C"],
        theirs: "A0+B1+C1 A0+B1+C1 A0+B0+C1 A0+B0+C0+S1 A0+B1+C0 A0+B1+C0 A0+B1+C1 A0+B1+C0 A0+B1+C0 A0+B1+C1 A0+B0+C0+S1 A0+B1+C1 A0+B0+C1 A0+B0+C1 A0+B1+C1",
        ..SAME
    },
    Case {
        what: "inhibit",
        lines: "inhibit_on_failure;SORRY S",
        servers: &["A", "B", "C"],
        theirs: "A1+B1+C1 A0+B1+C1 A0+B0+C1 A0+B0+C0+S1 A0+B1+C0 A1+B1+C0 A1+B1+C1 A0+B1+C0 A0+B1+C0 A0+B1+C1 A0+B0+C0+S1 A1+B1+C1 A0+B0+C1 A0+B0+C1 A1+B1+C1",
        ..SAME
    },
    Case {
        what: "inhibit without sorry",
        lines: "inhibit_on_failure",
        servers: &["A", "B", "C"],
        theirs: "A1+B1+C1 A0+B1+C1 A0+B0+C1 A0+B0+C0 A0+B1+C0 A1+B1+C0 A1+B1+C1 A0+B1+C0 A0+B1+C0 A0+B1+C1 A0+B0+C0 A1+B1+C1 A0+B0+C1 A0+B0+C1 A1+B1+C1",
        ..SAME
    },
    Case {
        what: "inhibit, failed at the start",
        lines: "quorum 2;inhibit_on_failure;SORRY S",
        servers: &["D", "E", "F"],
        theirs: "D0+E0+F0+S1 D0+E0+F0+S1 D0+E0+F0+S1 D1+E1+F0 D1+E1+F1 D0+E0+F0+S1 D1+E1+F1 D0+E0+F0+S1 D0+E0+F0+S1 D1+E1+F0 D0+E0+F0+S1 D1+E1+F1 D0+E0+F0+S1 D0+E0+F0+S1 D1+E1+F1",
        ..SAME
    },
    Case {
        what: "inhibit and quorum 2",
        lines: "quorum 2;inhibit_on_failure;SORRY S",
        servers: &["A", "B", "C"],
        theirs: "A1+B1+C1 A0+B1+C1 A0+B0+C0+S1 A0+B0+C0+S1 A0+B0+C0+S1 A1+B1+C0 A1+B1+C1 A0+B0+C0+S1 A0+B0+C0+S1 A0+B1+C1 A0+B0+C0+S1 A1+B1+C1 A0+B0+C0+S1 A0+B0+C0+S1 A1+B1+C1",
        ..SAME
    },
    Case {
        what: "one inhibited",
        lines: "quorum 2;SORRY S",
        servers: &["A inhibit_on_failure", "B", "C"],
        theirs: "A1+B1+C1 A0+B1+C1 A0+S1 A0+S1 A0+S1 A1+B1 A1+B1+C1 A0+S1 A0+S1 A0+B1+C1 A0+S1 A1+B1+C1 A0+S1 A0+S1 A1+B1+C1",
        ..SAME
    },
    Case {
        what: "inhibited sorry",
        lines: "SORRY S;sorry_server_inhibit",
        servers: &["A", "B", "C"],
        theirs: "A1+B1+C1+S0 B1+C1+S0 C1+S0 S1 B1+S0 A1+B1+S0 A1+B1+C1+S0 B1+S0 B1+S0 B1+C1+S0 S1 A1+B1+C1+S0 C1+S0 C1+S0 A1+B1+C1+S0",
        ..SAME
    },
    Case {
        what: "inhibited sorry, failed at the start",
        lines: "quorum 2;SORRY S;sorry_server_inhibit",
        servers: &["D", "E", "F"],
        theirs: "S1 S1 S1 D1+E1+S0 D1+E1+F1+S0 S1 D1+E1+F1+S0 S1 S1 D1+E1+S0 S1 D1+E1+F1+S0 S1 S1 D1+E1+F1+S0",
        ..SAME
    },
    Case {
        what: "all inhibited",
        lines: "quorum 2;inhibit_on_failure;SORRY S;sorry_server_inhibit",
        servers: &["A", "B", "C"],
        theirs: "A1+B1+C1+S0 A0+B1+C1+S0 A0+B0+C0+S1 A0+B0+C0+S1 A0+B0+C0+S1 A1+B1+C0+S0 A1+B1+C1+S0 A0+B0+C0+S1 A0+B0+C0+S1 A0+B1+C1+S0 A0+B0+C0+S1 A1+B1+C1+S0 A0+B0+C0+S1 A0+B0+C0+S1 A1+B1+C1+S0",
        ..SAME
    },
    Case {
        what: "alpha",
        lines: "alpha;SORRY S",
        servers: &["A", "B", "C"],
        theirs: "A1+B1+C1 B1+C1 C1 S1 B1 A1+B1 A1+B1+C1 B1 B1 B1+C1 S1 A1+B1+C1 C1 C1 A1+B1+C1",
        ..SAME
    },
    Case {
        what: "alpha, failed at the start",
        lines: "alpha;SORRY S",
        servers: &["D", "E", "F"],
        theirs: "F1 S1 D1 D1+E1 D1+E1+F1 S1 D1+E1+F1 E1 E1 D1+E1 S1 D1+E1+F1 F1 F1 D1+E1+F1",
        ..SAME
    },
    Case {
        what: "alpha without sorry",
        lines: "alpha",
        servers: &["D", "E", "F"],
        theirs: "F1 - D1 D1+E1 D1+E1+F1 - D1+E1+F1 E1 E1 D1+E1 - D1+E1+F1 F1 F1 D1+E1+F1",
        ..SAME
    },
    Case {
        what: "alpha and inhibit",
        lines: "alpha;inhibit_on_failure;SORRY S",
        servers: &["D", "E", "F"],
        theirs: "D0+E0+F1 D0+E0+F0+S1 D1+E0+F0 D1+E1+F0 D1+E1+F1 D0+E0+F0+S1 D1+E1+F1 D0+E1+F0 D0+E1+F0 D1+E1+F0 D0+E0+F0+S1 D1+E1+F1 D0+E0+F1 D0+E0+F1 D1+E1+F1",
        ..SAME
    },
    Case {
        what: "alpha, quorum 2, hysteresis 1",
        lines: "alpha;quorum 2;hysteresis 1;SORRY S",
        servers: &["D", "E", "F"],
        theirs: "S1 S1 S1 S1 D1+E1+F1 S1 D1+E1+F1 E1 E1 D1+E1 S1 D1+E1+F1 F1 F1 D1+E1+F1",
        ..SAME
    },
    Case {
        what: "alpha and omega",
        lines: "alpha;omega;quorum 2;SORRY S;sorry_server_inhibit",
        servers: &["D", "E", "F"],
        theirs: "S1 S1 S1 D1+E1+S0 D1+E1+F1+S0 S1 D1+E1+F1+S0 S1 S1 D1+E1+S0 S1 D1+E1+F1+S0 S1 S1 D1+E1+F1+S0",
        ..SAME
    },
    Case {
        what: "one without a check",
        lines: "quorum 2;SORRY S",
        servers: &["A", "B", "C unchecked"],
        theirs: "A1+B1+C1 B1+C1 S1 S1 B1+C1 A1+B1+C1 A1+B1+C1 B1+C1 B1+C1 B1+C1 S1 A1+B1+C1 S1 S1 A1+B1+C1",
        ..SAME
    },
    Case {
        what: "none with a check",
        lines: "quorum 2;SORRY S",
        servers: &["A unchecked", "B unchecked"],
        theirs: "A1+B1 A1+B1 A1+B1 A1+B1 A1+B1 A1+B1 A1+B1 A1+B1 A1+B1 A1+B1 A1+B1 A1+B1 A1+B1 A1+B1 A1+B1",
        ..SAME
    },
    Case {
        what: "one that never lives",
        lines: "quorum 2;SORRY S",
        servers: &["A", "B", "Z"],
        theirs: "A1+B1 S1 S1 S1 S1 A1+B1 A1+B1 S1 S1 S1 S1 A1+B1 S1 S1 A1+B1",
        ..SAME
    },
    Case {
        what: "sorry of another method",
        lines: "SORRY S;sorry_server_lvs_method TUN",
        servers: &["A", "B", "C"],
        theirs: "A1+B1+C1 B1+C1 C1 P1-i B1 A1+B1 A1+B1+C1 B1 B1 B1+C1 P1-i A1+B1+C1 C1 C1 A1+B1+C1",
        ..SAME
    },
    Case {
        what: "two sorry servers",
        lines: "quorum 2;SORRY S;SORRY T",
        servers: &["A", "B", "C"],
        theirs: "A1+B1+C1 B1+C1 T1 T1 T1 A1+B1 A1+B1+C1 T1 T1 B1+C1 T1 A1+B1+C1 T1 T1 A1+B1+C1",
        ours: "A1+B1+C1 B1+C1 S1+T1 S1+T1 S1+T1 A1+B1 A1+B1+C1 S1+T1 S1+T1 B1+C1 S1+T1 A1+B1+C1 S1+T1 S1+T1 A1+B1+C1",
        because: "the last one counts for keepalived, all of them for us",
        ..SAME
    },
    Case {
        what: "reload: nothing",
        lines: "quorum 2;SORRY S",
        servers: &["D", "E", "F"],
        reload: Some(("quorum 2;SORRY S", &["D", "E", "F"])),
        theirs: "S1 S1 S1 D1+E1 D1+E1+F1 S1 D1+E1+F1 S1 S1 D1+E1 S1 D1+E1+F1 S1 S1 D1+E1+F1",
        ..SAME
    },
    Case {
        what: "reload: a higher quorum",
        lines: "quorum 1;SORRY S",
        servers: &["A", "B", "C"],
        reload: Some(("quorum 3;SORRY S", &["A", "B", "C"])),
        theirs: "A1+B1+C1 B1+C1 C1 S1 B1 A1+B1 A1+B1+C1 B1 S1 S1 S1 A1+B1+C1 S1 C1 A1+B1+C1",
        ..SAME
    },
    Case {
        what: "reload: a lower quorum",
        lines: "quorum 3;SORRY S",
        servers: &["A", "B", "C"],
        reload: Some(("quorum 1;SORRY S", &["A", "B", "C"])),
        theirs: "A1+B1+C1 S1 S1 S1 S1 S1 A1+B1+C1 S1 B1 B1+C1 S1 A1+B1+C1 C1 S1 A1+B1+C1",
        ..SAME
    },
    Case {
        what: "reload: hysteresis",
        lines: "quorum 2;SORRY S",
        servers: &["A", "B", "C"],
        reload: Some(("quorum 2;hysteresis 1;SORRY S", &["A", "B", "C"])),
        theirs: "A1+B1+C1 B1+C1 S1 S1 S1 A1+B1 A1+B1+C1 S1 S1 S1 S1 A1+B1+C1 C1 S1 A1+B1+C1",
        ..SAME
    },
    Case {
        what: "reload: weights",
        lines: "quorum 2;SORRY S",
        servers: &["A", "B", "C"],
        reload: Some(("quorum 2;SORRY S", &["A weight 7", "B weight 0", "C"])),
        theirs: "A1+B1+C1 B1+C1 S1 S1 S1 A1+B1 A1+B1+C1 S1 S1 S1 S1 A7+B0+C1 S1 S1 A1+B1+C1",
        ..SAME
    },
    Case {
        what: "reload: one server less",
        lines: "quorum 2;SORRY S",
        servers: &["A", "B", "C"],
        reload: Some(("quorum 2;SORRY S", &["A", "C"])),
        theirs: "A1+B1+C1 B1+C1 S1 S1 S1 A1+B1 A1+B1+C1 S1 S1 S1 S1 A1+C1 S1 S1 A1+B1+C1",
        ..SAME
    },
    Case {
        what: "reload: a dead server more",
        lines: "SORRY S",
        servers: &["A", "B"],
        reload: Some(("SORRY S", &["A", "B", "Z"])),
        theirs: "A1+B1 B1 S1 S1 B1 A1+B1 A1+B1 B1 B1 B1 S1 A1+B1 S1 S1 A1+B1",
        ..SAME
    },
    Case {
        what: "reload: a living server more",
        lines: "quorum 2;SORRY S",
        servers: &["A", "B"],
        reload: Some(("quorum 2;SORRY S", &["A", "B", "C"])),
        theirs: "A1+B1 S1 S1 S1 S1 A1+B1 A1+B1 S1 S1 B1+C1 S1 A1+B1+C1 S1 S1 A1+B1",
        ..SAME
    },
    Case {
        what: "reload: a dead server more, alpha",
        lines: "alpha;SORRY S",
        servers: &["A", "B"],
        reload: Some(("alpha;SORRY S", &["A", "B", "Z"])),
        theirs: "A1+B1 B1 S1 S1 B1 A1+B1 A1+B1 B1 B1 B1 S1 A1+B1 S1 S1 A1+B1",
        ..SAME
    },
    Case {
        what: "reload: a sorry server more",
        lines: "quorum 2",
        servers: &["A", "B", "C"],
        reload: Some(("quorum 2;SORRY S", &["A", "B", "C"])),
        theirs: "A1+B1+C1 B1+C1 C1 - B1 A1+B1 A1+B1+C1 B1 S1 B1+C1 S1 A1+B1+C1 S1 - A1+B1",
        ours: "A1+B1+C1 B1+C1 C1 - B1 A1+B1 A1+B1+C1 B1 S1 B1+C1 S1 A1+B1+C1 S1 C1 A1+B1+C1",
        because: "keepalived forgets for good the living server that was set aside when a reload takes the sorry server away",
    },
    Case {
        what: "reload: a sorry server less",
        lines: "quorum 2;SORRY S",
        servers: &["A", "B", "C"],
        reload: Some(("quorum 2", &["A", "B", "C"])),
        theirs: "A1+B1+C1 B1+C1 S1 S1 S1 A1+B1 A1+B1+C1 S1 - C1 - A1+B1+C1 C1 S1 A1+B1+C1",
        ours: "A1+B1+C1 B1+C1 S1 S1 S1 A1+B1 A1+B1+C1 S1 B1 B1+C1 - A1+B1+C1 C1 S1 A1+B1+C1",
        because: "keepalived forgets the living server that was set aside when a reload takes the sorry server away",
    },
    Case {
        what: "reload: another sorry server",
        lines: "quorum 2;SORRY S",
        servers: &["A", "B", "C"],
        reload: Some(("quorum 2;SORRY T", &["A", "B", "C"])),
        theirs: "A1+B1+C1 B1+C1 S1 S1 S1 A1+B1 A1+B1+C1 S1 T1 B1+C1 T1 A1+B1+C1 T1 S1 A1+B1+C1",
        ..SAME
    },
    Case {
        what: "reload: inhibit",
        lines: "quorum 2;SORRY S",
        servers: &["A", "B", "Z"],
        reload: Some(("quorum 2;inhibit_on_failure;SORRY S", &["A", "B", "Z"])),
        theirs: "A1+B1 S1 S1 S1 S1 A1+B1 A1+B1 S1 A0+S1+Z0 A0+S1+Z0 A0+S1+Z0 A1+B1+Z0|A1+B0+Z0 A0+B0+S1+Z0 S1 A1+B1",
        ours: "A1+B1 S1 S1 S1 S1 A1+B1 A1+B1 S1 A0+B0+S1+Z0 A0+B0+S1+Z0 A0+B0+S1+Z0 A1+B1+Z0 A0+B0+S1+Z0 S1 A1+B1",
        because: "for keepalived what was set aside before the reload stays out of the table, not at weight 0",
    },
    Case {
        what: "reload: no inhibit",
        lines: "quorum 2;inhibit_on_failure;SORRY S",
        servers: &["A", "B", "Z"],
        reload: Some(("quorum 2;SORRY S", &["A", "B", "Z"])),
        theirs: "A1+B1+Z0 A0+B0+S1+Z0 A0+B0+S1+Z0 A0+B0+S1+Z0 A0+B0+S1+Z0 A1+B1+Z0 A1+B1+Z0 A0+B0+S1+Z0 B0+S1 B0+S1 B0+S1 A1+B1|A1+B0 S1 A0+B0+S1+Z0 A1+B1+Z0",
        ours: "A1+B1+Z0 A0+B0+S1+Z0 A0+B0+S1+Z0 A0+B0+S1+Z0 A0+B0+S1+Z0 A1+B1+Z0 A1+B1+Z0 A0+B0+S1+Z0 S1 S1 S1 A1+B1 S1 A0+B0+S1+Z0 A1+B1+Z0",
        because: "for keepalived what was set aside before the reload stays in the table at weight 0",
    },
    Case {
        what: "reload: inhibited sorry",
        lines: "quorum 2;SORRY S",
        servers: &["A", "B", "C"],
        reload: Some(("quorum 2;SORRY S;sorry_server_inhibit", &["A", "B", "C"])),
        theirs: "A1+B1+C1 B1+C1 S1 S1 S1 A1+B1 A1+B1+C1 S1 S1 B1+C1+S0 S1 A1+B1+C1+S0 S1 S1 A1+B1+C1",
        ..SAME
    },
    Case {
        what: "reload: alpha",
        lines: "quorum 2;SORRY S",
        servers: &["A", "B", "Z"],
        reload: Some(("alpha;quorum 2;SORRY S", &["A", "B", "Z"])),
        theirs: "A1+B1 S1 S1 S1 S1 A1+B1 A1+B1 S1 S1 S1 S1 A1+B1 S1 S1 A1+B1",
        ..SAME
    },
];
