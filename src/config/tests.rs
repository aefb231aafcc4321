//! x
#[test]
fn show() {
    let text = std::fs::read_to_string("/tmp/base.conf").unwrap();
    let mut out = String::new();
    super::check("base.conf", &text, &mut out).unwrap();
    println!("{out}");
    println!("{:#?}", super::load(&text, "x").config);
}
