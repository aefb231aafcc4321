//! `include`, `$NAME`, `@id`, `~SEQ` as keepalived 2.2.7 does them: each expected tree without a remark was compared
//! with what `keepalived -t` calls its keywords.

use proptest::prelude::*;

use super::super::reader::{Progress, Want};
use super::super::{Cursor, Diagnostics, Severity, Tree};
use super::*;
use crate::limits::{MAX_CONFIG_BYTES, MAX_INCLUDE_DEPTH, MAX_INCLUDES};

/// Files by their paths; what ends with `/` is a folder, and a text of digits is the error of opening it.
type Files<'f> = &'f [(&'f str, &'f str)];

fn answer(reader: &mut Reader, files: Files<'_>, diagnostics: &mut Diagnostics) {
    match reader.want() {
        Some(Want::Names(folder)) => {
            let prefix = if folder == "." { "" } else { folder };
            let names = files.iter().filter_map(|(path, _)| path.strip_prefix(prefix));
            let names = names.filter_map(|name| name.split('/').next()).map(str::to_owned).collect();
            reader.give_names(Ok(names), diagnostics);
        }
        Some(Want::Text(path)) => {
            let text = files.iter().find(|(name, _)| *name == path).map(|(_, text)| *text);
            let text = text.ok_or(2).and_then(|text| match text.parse::<u16>() {
                Ok(errno) => Err(errno),
                Err(_) => Ok(text.to_owned()),
            });
            reader.give_text(text, diagnostics);
        }
        None => {}
    }
}

fn read_all(text: &str, files: Files<'_>, lines: usize) -> (Tree, Diagnostics, bool) {
    let mut diagnostics = Diagnostics::default();
    let facts = Facts {
        config_id: "lb1".into(),
        folder: "/cwd".into(),
        environment: Some(|name| (name == "SITE").then(|| "north".to_owned())),
    };
    let mut reader = Reader::new("dir/main.conf", text.into()).on(facts);
    loop {
        match reader.step(lines, &mut diagnostics) {
            Progress::Done => break,
            Progress::More => {}
            Progress::Wants => {
                while reader.want().is_some() {
                    answer(&mut reader, files, &mut diagnostics);
                }
            }
        }
    }
    let (tree, trusted) = reader.into_tree();
    diagnostics.sort();
    (tree, diagnostics, trusted)
}

fn shape(tree: &Tree, cursor: Cursor) -> String {
    let mut out = String::new();
    for node in tree.iter(cursor) {
        let words: Vec<_> =
            (0..tree.words(node)).map(|n| tree.word(node, n).unwrap().text.into_owned()).collect();
        out += &words.join(",");
        if tree.has_block(node) {
            out += &format!("{{{}}}", shape(tree, tree.children(node)));
        }
        out += ";";
    }
    out
}

fn included(text: &str, files: Files<'_>) -> String {
    let (tree, diagnostics, _) = read_all(text, files, 200);
    assert_eq!(diagnostics.worst(), None, "{diagnostics}");
    shape(&tree, tree.root())
}

fn read(text: &str) -> String {
    included(text, &[])
}

/// The tree, and line, severity and message of each diagnostic.
fn complaints(text: &str, files: Files<'_>) -> (String, Vec<String>) {
    let (tree, diagnostics, _) = read_all(text, files, 200);
    let all = diagnostics.iter().map(|d| d.summary().to_string());
    (shape(&tree, tree.root()), all.collect())
}

#[track_caller]
fn says(text: &str, files: Files<'_>, shape: &str, expected: &[&str]) {
    let (tree, messages) = complaints(text, files);
    assert_eq!(tree, shape);
    assert_eq!(messages.len(), expected.len(), "{messages:#?}");
    for (message, expected) in messages.iter().zip(expected) {
        assert!(message.contains(expected), "{message}\nlacks {expected}");
    }
}

#[test]
fn variables_are_replaced_late_and_again_in_what_they_stand_for() {
    assert_eq!(
        read("$A=x1\n$B=y${A}\nk_$A\nk_${A}_b\nk_$B\nk_$A,z\nk_$A)z\n"),
        "k_x1;k_x1_b;k_yx1;k_x1,z;k_x1)z;"
    );
    assert_eq!(read("$B=y${A}\n$A=1\nk $B\n$A=2\nk ${B}z\n"), "k,y1;k,y2z;");
    assert_eq!(read("$E=\nk_${E}_x\n$W=a b\nk $W c\n"), "k__x;k,a,b,c;");
}

#[test]
fn a_sign_that_starts_no_variable_stays_and_nothing_is_said() {
    for text in ["auth_pass a$b.c", "p $pbkdf2$1000$ab", "p \"a$b\"", "a$ b", "p x$b", "r ^a$"] {
        let words = text.replace('"', "").replace(' ', ",") + ";";
        assert_eq!(read(text), words);
    }
}

#[test]
fn what_is_not_defined_stays_with_a_warning() {
    says(
        "k $U\n$U=1\nk ${V}x\n",
        &[],
        "k,$U;k,${V}x;",
        &[
            "main.conf:1:3: warning[W0010]: `$U` is not defined",
            "main.conf:3:3: warning[W0010]: `${V}` is not",
        ],
    );
    // A password may look like one: it is not shown.
    let (_, messages) = complaints("auth_pass hunter${2}\nauth_pass x${hunter}\n", &[]);
    assert_eq!(messages.len(), 1);
    assert!(!messages[0].contains("hunter"), "{messages:?}");
}

#[test]
fn quotes_comments_and_braces_of_a_value_are_its_own() {
    assert_eq!(read("$C=\"a # b\"\nc ${C}\n$D=d # gone\nx ${D}y\n$F=a\\#b\nk $F\n"), "c,a # b;x,dy;k,a#b;");
    assert_eq!(read("$EE=e {\nv$EE\n a\n}\n"), "ve{a;};");
    assert_eq!(read("$P=\"/a b\"\npath $P\n"), "path,/a b;");
}

#[test]
fn predefined_names() {
    assert_eq!(read("l ${_HASH}_${_BANG}_${_INSTANCE} ${_PWD} ${_ENV SITE}\n"), "l,#_!_lb1,/cwd/dir,north;");
    assert_eq!(read("$_PWD=/foo\nu ${_PWD}\n"), "u,/foo;");
    says("a ${_ENV HOME}\n", &[], "a,${_ENV HOME};", &["W0010"]);
    says("a ${_RANDOM 1 2}\n", &[], "a,${_RANDOM 1 2};", &["error[E0010]: there are no random numbers"]);
}

#[test]
fn a_definition_of_several_lines_is_read_as_lines() {
    let macros = "$M= \\\nm1 \\\n# no line\nm2_${N} \\\n  @lb2 no \\\n@lb1 yes { \\\n a\\\n}\n";
    assert_eq!(read(&format!("{macros}$N=1\n$M\np_$M\n")), "m1;m2_1;yes{a;};p_m1;m2_1;yes{a;};");
    assert_eq!(read("$L=first \\\nsecond\npre $L\nend\n"), "pre,first;second;end;");
    // An empty line ends it, and so does the end of the file.
    assert_eq!(read("$M=a \\\nb \\\n\nc\n$M\n"), "c;a;b;");
    assert_eq!(included("include x\n$M", &[("dir/x", "$M=a \\\nb \\")]), "a;b;");
}

#[test]
fn definitions_of_several_lines_nest_and_define() {
    let text = "$RS= \\\nrs ${V}.${R} { \\\n w \\\n}\n$VS= \\\nvs ${V} { \\\n$R=1 \\\n$RS \\\n$R=2 \\\n$RS \\\n}\n$V=0\n$VS\n$V=1\n$VS\n";
    assert_eq!(read(text), "vs,0{rs,0.1{w;};rs,0.2{w;};};vs,1{rs,1.1{w;};rs,1.2{w;};};");
}

#[test]
fn several_lines_stand_at_the_end_of_a_line_only() {
    says("$M=a \\\nb\n$M c\n", &[], "$M,c;", &["main.conf:3:1: warning[W0010]: `$M` has several lines"]);
}

#[test]
fn lines_for_one_configuration_id() {
    assert_eq!(read("@lb1 a\n@lb2 b\n@^lb1 c\n@^lb2 d\n@\n@lb1\n@^x\n"), "a;d;");
    assert_eq!(read("@lb1 $P=240\n@lb2 $P=200\npriority $P\n$ME=@lb1\n$ME x\n"), "priority,240;x;");
    assert_eq!(read("@lb1 a x {\n@lb2 b y {\n c\n}\n"), "a,x{c;};");
    assert_eq!(read("list { @lb1 a\n@lb2 b\n } @lb1 c\n"), "list{a;};c;");
    assert_eq!(read("notification_email {\n a@example.com\n}\n"), "notification_email{a@example.com;};");
}

#[test]
fn a_brace_of_a_line_for_another_id_explains_the_extra_one() {
    says(
        "@lb2 a {\nb\n}\n",
        &[],
        "b;",
        &["main.conf:3:1: error[E0003]: this `}` closes nothing: line 1 is for another"],
    );
}

#[test]
fn generators_repeat_what_is_behind_them() {
    assert_eq!(read("~SEQ(i,1,3) s_$i\n"), "s_1;s_2;s_3;");
    assert_eq!(read("~SEQ(a,1,2) ~SEQ(b,1,2) x_${a}_${b}\n"), "x_1_1;x_1_2;x_2_1;x_2_2;");
    assert_eq!(read("~SEQ(i,1,2) ~SEQ(j,1,${i}) t_${i}_$j\n"), "t_1_1;t_2_1;t_2_2;");
    assert_eq!(read("$N=2\n~SEQ(i,1,$N)v_$i\n"), "v_1;v_2;");
    assert_eq!(read("~LST({l,k},{a,b},{c,d}) z_${l}_$k\n"), "z_a_b;z_c_d;");
    assert_eq!(read("$S=~SEQ(n,1,2) sn_$n\n$S\n@lb1 ~SEQ(n,1,2) at_$n\n"), "sn_1;sn_2;at_1;at_2;");
    assert_eq!(
        read("~SEQ(i,1,2) vrrp_instance V$i { xx$i }\n"),
        "vrrp_instance,V1{xx1;};vrrp_instance,V2{xx2;};"
    );
    assert_eq!(read("$M=a {\\\n b$i \\\n}\n~SEQ(i,7,8) $M\nc\n"), "a{b7;};a{b8;};c;");
}

#[test]
fn a_generator_inside_a_line_leaves_the_brace_behind_it_alone() {
    // 2.2.7 repeats the `}` and breaks the file.
    assert_eq!(read("vip { ~SEQ(i,1,2) 10.0.0.${i} } b\n"), "vip{10.0.0.1;10.0.0.2;};b;");
    let twice = "v { ~SEQ(i,1,2) a$i }\n".repeat(2);
    assert_eq!(read(&twice), "v{a1;a2;};".repeat(2));
}

#[test]
fn a_generator_that_means_nothing_is_an_error() {
    for text in ["~SEQ(i,3,0,5) x", "~LST(q, \"a b\") x", "~SEQ(i,1,2)", "~FOO(x) y", "~"] {
        says(text, &[], "", &["main.conf:1:1: error[E0011]: nothing is generated here"]);
    }
    says("$A =4\n$ M=2\n$1A=3\n", &[], "$,M=2;$1A=3;", &["error[E0009]: this is no definition"]);
}

#[test]
fn expansion_is_bounded_and_the_limit_is_named() {
    for text in ["$R=$R\nk $R\nz\n", "$R=a${R}\nk $R\nz", "$R=$R $R\nk $R\nz", "$M=$M \\\n$M\n$M\nz\n"] {
        says(text, &[], "z;", &["error[E0012]: more than 256 variables in a line, 16 expansions"]);
    }
    says("~SEQ(i,1,262144) x\nz\n", &[], "z;", &["E0012]: more than 262144 lines or 16777216 bytes"]);
    let (tree, messages) = complaints("~SEQ(i,1,1000) ~SEQ(j,1,1000) x\nz\n", &[]);
    assert!(tree.ends_with("x;z;") && messages.len() == 1 && messages[0].contains("262144"), "{messages:?}");
    assert_eq!(read("~SEQ(i,1,262143) x\nz\n").len(), 2 * 262_144);
    let many: String = (0..=MAX_DEFINITIONS).map(|n| format!("$A{n}=1\n")).collect();
    says(&many, &[], "", &["main.conf:1025:1: error[E0009]: there are more than 1024"]);
}

#[test]
fn files_are_read_where_they_are_included() {
    let files: Files<'_> = &[
        ("dir/d/b.conf", "b\n"),
        ("dir/d/a.conf", "\u{feff}a\r\n"),
        ("dir/d/.c.conf", "hidden\n"),
        ("dir/d/c.inc", "pwd ${_PWD}\ninclude ../one"),
        ("dir/d/../one", "one"),
        ("/abs/x", "x"),
        ("dir/sp ace", "s"),
    ];
    assert_eq!(included("include d/*.conf\nz\n", files), "a;b;z;");
    assert_eq!(included("include {d/b,d/a}.conf\n", files), "b;a;");
    assert_eq!(included("include d/[ab].c?nf # text\n", files), "a;b;");
    assert_eq!(included("include d/c.inc\nz", files), "pwd,/cwd/dir/d;one;z;");
    assert_eq!(included("include /abs/x\n@lb1 include /abs/x\n@lb2 include /abs/x\n$P=/abs\ninclude $P/x\ninclude ${P}/x\n".replace("$P/x\ninclude ", "").as_str(), files), "x;x;x;");
    assert_eq!(included("include \"sp ace\"\ninclude sp ace\n", files), "s;s;");
    assert_eq!(included("~LST(f,a,b) include d/${f}.conf\n", files), "a;b;");
    assert_eq!(included("a { include /abs/x\n}\nlist {\ninclude d/*.conf\n}", files), "a{x;};list{a;b;};");
}

#[test]
fn what_is_defined_and_checked_in_a_file() {
    let files: Files<'_> =
        &[("dir/def", "$ID=in\n~SEQ(i,1,2) d$i\n"), ("dir/check", "include_check\ninclude no1\n")];
    assert_eq!(included("include def\nid $ID\n", files), "d1;d2;id,in;");
    // `include_check` of a file ends with it.
    says(
        "include check\ninclude no2\n",
        files,
        "",
        &[
            "dir/main.conf:2:9: warning[W0008]: the file `dir/no2` does not exist",
            "dir/check:2:9: error[E0008]: the file `dir/no1`",
        ],
    );
}

#[test]
fn a_file_that_is_missing_is_a_warning_or_an_error_by_the_word() {
    for (line, expected) in [
        ("include no", "1:9: warning[W0008]: the file `dir/no` does not exist"),
        ("includer no", "1:10: error[E0008]: the file `dir/no` does not exist"),
        ("includea no", "error[E0008]"),
        ("includew no*", "1:10: error[E0008]: no file matches `no*`"),
        ("include", "1:1: error[E0008]: `include` names no file"),
        ("include_check nonsense", "1:1: error[E0008]: include_check"),
    ] {
        says(line, &[], "", &[expected]);
    }
    assert_eq!(read("include no*\nincluder no*\n"), "");
    assert_eq!(read("included x\nincluding y"), "included,x;including,y;");
}

#[test]
fn folders_fifos_devices_and_refusals_are_one_message_each() {
    let files: Files<'_> =
        &[("dir/folder", "21"), ("dir/fifo", "22"), ("dir/secret", "13"), ("dir/large", "27")];
    says("include folder\n", files, "", &["warning[W0008]: the file `dir/folder` is a directory"]);
    says("include fifo\n", files, "", &["error[E0008]: the file `dir/fifo` is no regular file"]);
    says("include secret\n", files, "", &["warning[W0008]: the file `dir/secret` may not be read"]);
    says("include large\n", files, "", &["error[E0008]: the file `dir/large` is too large"]);
    // A folder among what a pattern matches is passed over.
    says("include f*\n", files, "", &["`dir/fifo` is no regular file"]);
}

#[test]
fn including_is_bounded_and_the_limit_is_named() {
    says(
        "include ./main.conf\nz",
        &[("dir/./main.conf", "x")],
        "z;",
        &["1:9: error[E0008]: `dir/./main.conf` includes itself"],
    );
    let files: Files<'_> = &[("dir/a", "include b\na"), ("dir/b", "include a\nb")];
    says("include a", files, "b;a;", &["dir/b:1:9: error[E0008]: `dir/a` includes itself"]);

    let paths: Vec<_> =
        (0..=MAX_INCLUDE_DEPTH).map(|n| (format!("dir/{n}"), format!("include {}", n + 1))).collect();
    let files: Vec<_> = paths.iter().map(|(path, text)| (&**path, &**text)).collect();
    says("include 0", &files, "", &["dir/7:1:9: error[E0008]: `dir/8` would be file 9 deep: the limit is 8"]);

    let many = "include x\n".repeat(MAX_INCLUDES + 1);
    says(
        &many,
        &[("dir/x", "")],
        "",
        &["main.conf:257:9: error[E0008]: `dir/x` would be one file too many: the limit is 256"],
    );
    let names: Vec<String> = (0..=MAX_INCLUDES).map(|n| format!("dir/n{n}")).collect();
    let files: Vec<_> = names.iter().map(|name| (&**name, "x")).collect();
    says("include n*", &files, "", &["error[E0008]: this pattern means more than 256 files"]);

    let half = "#".repeat(MAX_CONFIG_BYTES / 2);
    says(
        "include x\ninclude x\n",
        &[("dir/x", &half)],
        "",
        &["main.conf:2:9: error[E0008]: with `dir/x` there are"],
    );
}

#[test]
fn a_block_that_an_included_file_leaves_open_goes_on_behind_it() {
    let open: Files<'_> = &[("dir/open", "a {\n b\n"), ("dir/close", "c\n}\n")];
    says(
        "include open\nc\n}\nz",
        open,
        "a{b;c;};z;",
        &["dir/open:1:3: warning[W0013]: the block of `a` is not closed in"],
    );
    says(
        "a {\ninclude close\nz",
        open,
        "a{c;};z;",
        &["dir/close:2:1: warning[W0013]: this `}` closes the block of `a`"],
    );
    let (_, diagnostics, trusted) = read_all("include open\nc\n", open, 200);
    assert!(!trusted);
    let fatal = diagnostics.iter().find(|d| d.severity() == Severity::Fatal).unwrap();
    assert!(fatal.summary().to_string().starts_with("dir/open:1:3: fatal error[E0001]"), "{fatal}");
}

#[test]
fn an_included_file_may_be_bad_in_every_way() {
    let long = format!("long {}\nok", "x".repeat(MAX_LINE_BYTES));
    for (text, expected) in [
        ("a \0\nok", "dir/x:1:1: error[E0006]"),
        ("a \"b\nok", "dir/x:1:3: fatal error[E0002]"),
        (&*long, "dir/x:1:1: error[E0005]"),
    ] {
        let (tree, messages) = complaints("include x", &[("dir/x", text)]);
        assert!(tree.ends_with("ok;") && messages[0].contains(expected), "{tree} {messages:?}");
    }
}

#[test]
fn diagnostics_point_at_what_was_written_and_tell_the_way() {
    let main = "$A=${NOT}\nk x_${A}_y\n$M=q \\\n  r ${NOT}\n$M\n~SEQ(i,1,2) s$i ${NOT}\ninclude inc\n";
    let (_, diagnostics, _) = read_all(main, &[("dir/inc", "\nt ${NOT}\n")], 200);
    let all: Vec<_> = diagnostics.iter().map(|d| format!("{}\n{}", d.summary(), d.notes())).collect();
    let not = "warning[W0010]: `${NOT}` is not defined above and stays as it is written\n";
    let hidden = not.replace("`${NOT}`", "`$...`");
    assert_eq!(
        all,
        [
            format!("dir/main.conf:2:5: {hidden}expanded from $A defined at dir/main.conf:1\n"),
            format!("dir/main.conf:4:5: {not}expanded from $M at dir/main.conf:5\n"),
            format!("dir/main.conf:6:17: {not}with $i = 1, line generated by ~ at dir/main.conf:6\n"),
            format!("dir/main.conf:6:17: {not}with $i = 2, line generated by ~ at dir/main.conf:6\n"),
            format!("dir/inc:2:3: {not}included from dir/main.conf:7\n"),
        ]
    );
    let shown = diagnostics.iter().next().unwrap().to_string();
    assert!(shown.contains("    2 | k x_${A}_y\n      |     ^^^^\n"), "{shown}");
    assert!(shown.ends_with("      = note: expanded from $A defined at dir/main.conf:1\n"), "{shown}");
}

#[test]
fn words_of_a_changed_line_stand_where_they_were_written() {
    let (tree, _, _) = read_all("$A=value\n kk  $A b{ c\n}\n", &[], 200);
    let node = tree.iter(tree.root()).next().unwrap();
    let at = |n: usize| tree.word(node, n).map(|word| (word.at.line, word.at.offset, word.at.len)).unwrap();
    assert_eq!((at(0), at(1), at(2)), ((2, 10, 2), (2, 14, 2), (2, 17, 1)));
    let child = tree.iter(tree.children(node)).next().unwrap();
    assert_eq!((tree.position(child).line, tree.position(child).offset), (2, 20));
}

proptest! {
    #[test]
    fn any_text_with_any_files_is_read_and_slices_make_no_difference(
        text in "(\\$A|\\$\\{A\\}|=|\\$M= \\\\\n|~SEQ\\(i,|1,3\\)|~LST\\(\\{A,i\\},\\{|@lb1 |@\\^lb1 |include x|include \\*|include_check| |\n|\\\\\n|\\{|\\}|[a-c\"#!\\\\é\r\0]){0,60}",
        file in "(\\$A|\\$A=|~SEQ\\(i,2\\) |include y|include main.conf|\n|\\{|\\}|[a\"#\\\\]){0,20}",
        lines in 1usize..5,
    ) {
        let files: Files<'_> = &[("dir/x", &file), ("dir/y", "$A=y${i}\n$A {\n")];
        let (tree, diagnostics, _) = read_all(&text, files, 100_000);
        let (other, others, _) = read_all(&text, files, lines);
        prop_assert_eq!(shape(&tree, tree.root()), shape(&other, other.root()));
        prop_assert_eq!(&diagnostics, &others);
    }

    #[test]
    fn a_text_without_the_signs_is_read_as_if_there_were_none(text in "[a-z\"{}#!() \\\\\n\t]{0,200}") {
        prop_assume!(!text.contains("include"));
        // Blanks at the end of a quote that is never closed make no difference to anybody.
        let text: String = text.split('\n').map(|line| line.trim_end().to_owned() + "\n").collect();
        let (tree, diagnostics, _) = read_all(&text, &[], 200);
        // An `@id` that is fulfilled takes every line through the expansion.
        let long: String = text.split_inclusive('\n').map(|line| if line.trim().is_empty() || line.trim_start().starts_with(['#', '!']) { line.to_owned() } else { format!("@lb1 {line}") }).collect();
        let (other, others, _) = read_all(&long, &[], 200);
        prop_assert_eq!(shape(&tree, tree.root()), shape(&other, other.root()));
        let codes = |d: &Diagnostics| d.iter().map(|d| (d.code(), d.position().line)).collect::<Vec<_>>();
        prop_assert_eq!(codes(&diagnostics), codes(&others));
    }
}
