use super::*;

fn spec(text: &str) -> Spec {
    text.parse().unwrap()
}

#[test]
fn what_is_printed_is_parsed_to_the_same() {
    for text in [
        "seed=7,short=20%,reorder=100%,spurious=1%,eintr=0.5%,delay=0..2ms@10%,edge=coalesce@25%,repeat=1%",
        "seed=18446744073709551615,delay=500us..1s@0.0001%",
        "seed=3,repeat=1%,only=",
        "seed=1,delay=3ms@100%,only=1:2:delay+2:17:short",
    ] {
        assert_eq!(spec(text).to_string(), text);
    }
}

#[test]
fn words_without_a_share_have_their_usual_one() {
    let example = "seed=7,short=20%,reorder,spurious=1%,eintr=1%,delay=0..2ms@10%,edge=coalesce,repeat=1%";
    assert_eq!(spec(example), spec("all,seed=7"));
    assert_eq!(spec("delay"), spec("delay=0..2ms@10%"));
    assert_eq!(spec("delay@5%"), spec("delay=0..2ms@5%"));
    assert_eq!(spec("delay=5%"), spec("delay=0..2ms@5%"));
    assert_eq!(spec(" delay = 0%, short = 20% "), spec("short"));
    assert_eq!(spec("all,short=0%").share(Injection::Short), Share::NONE);
}

#[test]
fn what_is_wrong_is_said_with_what_to_write_instead() {
    for (text, instead) in [
        ("", "'all'"),
        ("seed=3", "'all'"),
        ("short=0%", "'all'"),
        ("shrt", "seed=7,short=20%"),
        ("short=20", "20%"),
        ("short=101%", "100%"),
        ("short=-1%", "0%"),
        ("short=%", "0%"),
        ("short=1.00001%", "0.5%"),
        ("seed=x,all", "whole number"),
        ("delay=2..1ms", "0..2ms"),
        ("delay=2ms..1ms", "0..2ms"),
        ("delay=11s", "up to 10s"),
        ("delay=99999999999s", "up to 10s"),
        ("edge=double", "edge=coalesce"),
        ("only=1:2", "2:17:short"),
        ("only=1:2:shrt", "2:17:short"),
        ("all=3", "seed=7"),
    ] {
        let error = text.parse::<Spec>().unwrap_err();
        assert!(error.contains(instead), "{text:?}: {error}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes Miri minutes")]
fn a_share_is_that_much_of_all_numbers() {
    let share: Share = "0.5%".parse().unwrap();
    let of = |share: Share| (0..1_000_000u64).filter(|n| share.has((n * 4294) as u32)).count();
    assert!((4_990..5_010).contains(&of(share)), "{}", of(share));
    let all: Share = "100%".parse().unwrap();
    assert!(all.has(0) && all.has(u32::MAX));
    assert!(!Share::NONE.has(0));
}

#[test]
#[cfg_attr(miri, ignore = "takes Miri minutes")]
fn a_span_gives_every_time_in_it_and_no_other() {
    let span: Span = "3us..5us".parse().unwrap();
    assert_eq!((span.pick(0), span.pick(1 << 31), span.pick(u32::MAX)), (3, 4, 5));
    let span: Span = "0..10s".parse().unwrap();
    assert_eq!((span.pick(0), span.pick(u32::MAX)), (0, 10_000_000));
}

#[test]
fn only_some_are_allowed() {
    let name = Name::new(2, 17, Injection::Short);
    let all = spec("all");
    assert!(all.allows(name));
    let some = all.only([name]);
    assert!(some.allows(name) && !some.allows(Name::new(2, 18, Injection::Short)));
    assert!(!all.only([]).allows(name));
    assert_eq!(name.to_string(), "2:17:short");
}
