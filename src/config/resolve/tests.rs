//! What the layers make of each other.

use super::*;

/// What comes of flags, variables and a file, on a machine with two cores.
pub(in crate::config) fn resolved(
    flags: &[(&'static str, &[&str])],
    variables: &[(&str, &str)],
    file: &str,
) -> Resolved {
    let flags: Flags = flags
        .iter()
        .map(|(name, texts)| (*name, texts.iter().map(|text| (*text).into()).collect()))
        .collect();
    let variables: Vec<(String, String)> =
        variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let file = Some(("ess.toml", file));
    resolve(&Inputs { flags: &flags, variables: &variables, file, cores: 2 })
}

fn origin_of<'a>(resolved: &'a Resolved, name: &str) -> &'a Origin {
    let choice = resolved.choices.iter().find(|choice| choice.setting.name == name);
    &choice.expect("every option is chosen").origin
}

#[test]
fn each_layer_is_stronger_than_the_next() {
    let file = "shards = 3\n";
    let variables = [("ESS_SHARDS", "4")];
    let all = resolved(&[("shards", &["5"])], &variables, file);
    assert_eq!((all.config.shards, origin_of(&all, "shards")), (5, &Origin::Flag));
    let some = resolved(&[], &variables, file);
    assert_eq!(some.config.shards, 4);
    assert_eq!(origin_of(&some, "shards"), &Origin::Environment("ESS_SHARDS"));
    let file_only = resolved(&[], &[], file);
    assert_eq!(file_only.config.shards, 3);
    assert_eq!(origin_of(&file_only, "shards"), &Origin::File { path: "ess.toml".into(), line: 1 });
    let none = resolved(&[], &[], "");
    assert_eq!((none.config.shards, origin_of(&none, "shards")), (2, &Origin::Default));
    assert_eq!(none.config, Config::with_defaults(2));
    assert!(none.problems.is_empty() && none.warnings.is_empty());
}

#[test]
fn every_option_can_be_said_in_every_layer() {
    for setting in SETTINGS {
        let (good, bad) = ([setting.default], [""; 1]);
        let by_flag = resolved(&[(setting.name, &good)], &[], "");
        assert_eq!(by_flag.problems, Vec::<String>::new(), "{}", setting.name);
        assert_eq!(origin_of(&by_flag, setting.name), &Origin::Flag);
        let by_variable = resolved(&[], &[(setting.variable, setting.default)], "");
        assert_eq!(by_variable.problems, Vec::<String>::new());
        assert_ne!(origin_of(&by_variable, setting.name), &Origin::Default);
        let text = format!("{} = \"{}\"", setting.name, setting.default);
        let by_file = resolved(&[], &[], &text);
        assert_eq!(by_file.problems, Vec::<String>::new());
        assert_ne!(origin_of(&by_file, setting.name), &Origin::Default);
        let empty = resolved(&[(setting.name, &bad)], &[], "");
        assert_eq!(empty.problems, [format!("--{}: is empty; expected a value", setting.name)]);
    }
}

#[test]
fn a_bad_value_names_option_source_and_what_is_expected() {
    let all = resolved(&[("drain", &["soon"])], &[("ESS_RETAIN_AGE", "7 days")], "\nshards = 0");
    assert_eq!(
        all.problems,
        [
            "--retain-age (environment ESS_RETAIN_AGE): \"7 days\" is not an age; expected a \
             whole number and ms, s, m, h or d, such as 500ms or 7d, or forever",
            "--shards (ess.toml, line 2): \"0\" is not a number of shards; expected 1 to 1024, \
             or cores",
            "--drain: \"soon\" is not a duration; expected a whole number and ms, s, m, h or d, \
             such as 500ms or 7d",
        ]
    );
}

#[test]
fn a_control_character_does_not_reach_the_terminal() {
    let bad = resolved(&[("driver", &["\x1b[2J\nx"])], &[], "");
    assert!(!bad.problems[0].contains(['\x1b', '\n']), "{:?}", bad.problems);
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let empty = resolved(&[], &[("ESS_SHARDS", ""), ("ESS_INGRESS_SECURE", "")], "");
    assert_eq!(empty.config, Config::with_defaults(2));
    assert_eq!(empty.problems, Vec::<String>::new());
}

#[test]
fn lists_come_from_flags_commas_and_arrays() {
    let both = ["https://a".to_owned(), "https://b".to_owned()];
    let by_flag = resolved(&[("allow-origin", &["https://a", "https://b"])], &[], "");
    assert_eq!(by_flag.config.allowed_origins, both);
    let by_variable = resolved(&[], &[("ESS_ALLOW_ORIGIN", "https://a, https://B")], "");
    assert_eq!(by_variable.config.allowed_origins, both);
    let by_file = resolved(&[], &[], "allow-origin = [\"https://a\", \"https://b\"]");
    assert_eq!(by_file.config.allowed_origins, both);
    let all = resolved(&[("allow-origin", &["https://a", "*"])], &[], "");
    assert!(all.config.allowed_origins.is_empty() && all.problems.is_empty());
    let list = resolved(&[], &[], "shards = [1, 2]");
    assert!(list.problems[0].contains("is a list; expected one value"), "{:?}", list.problems);
}

#[test]
fn listeners_in_each_others_way_are_refused() {
    let same = |public: &'static str, internal: &'static str| {
        let flags: [(&str, &[&str]); 2] =
            [("public-addr", &[public]), ("internal-addr", &[internal])];
        !resolved(&flags, &[], "").problems.is_empty()
    };
    assert!(same("127.0.0.1:80", "127.0.0.1:80"));
    assert!(same("0.0.0.0:80", "127.0.0.1:80"));
    assert!(same("127.0.0.1:80", "[::]:80"));
    assert!(!same("127.0.0.1:80", "127.0.0.2:80"));
    assert!(!same("127.0.0.1:80", "127.0.0.1:81"));
    assert!(!same("127.0.0.1:0", "127.0.0.1:0"));
}

#[test]
fn retention_below_what_is_taken_or_held_is_told() {
    let tight = resolved(&[("retain-bytes", &["32MiB"])], &[], "");
    assert_eq!(tight.warnings, Vec::<String>::new());
    let tighter = resolved(&[("retain-bytes", &["33554431"])], &[], "");
    assert_eq!(tighter.warnings.len(), 1);
    assert!(tighter.warnings[0].starts_with("--event-bytes-max 32MiB is more than"));
    assert!(tighter.problems.is_empty());
}

#[test]
fn both_sides_of_the_most_origins() {
    let origins = |count: usize| {
        let list: Vec<_> = (0..count).map(|number| format!("https://{number}")).collect();
        resolved(&[], &[("ESS_ALLOW_ORIGIN", &list.join(","))], "").problems
    };
    assert_eq!(origins(ORIGINS_MAX), Vec::<String>::new());
    assert_eq!(origins(ORIGINS_MAX + 1).len(), 1);
}

#[test]
fn a_value_that_is_not_utf8_is_told() {
    let lossy = resolved(&[], &[("ESS_DATA_DIR", "d\u{FFFD}")], "");
    assert!(lossy.problems[0].contains("is not UTF-8"), "{:?}", lossy.problems);
}

#[test]
fn the_file_is_found_by_flag_or_variable_and_bounded() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("ess.toml").display().to_string();
    let variables = || vec![("ESS_CONFIG".to_owned(), path.clone())];
    let missing = load(&vec![], None, variables(), 1);
    assert!(missing.problems[0].starts_with("ESS_CONFIG: can't read "), "{:?}", missing.problems);
    let mut text = "shards = 7\n#".to_owned();
    let most = usize::try_from(CONFIG_FILE_BYTES_MAX).expect("fits");
    text.push_str(&" ".repeat(most - text.len()));
    std::fs::write(&path, &text).expect("writable");
    assert_eq!(load(&vec![], None, variables(), 1).config.shards, 7);
    assert_eq!(load(&vec![], Some(&path), vec![], 1).config.shards, 7);
    let other = load(&vec![], Some("/no/such.toml"), variables(), 1);
    assert!(other.problems[0].starts_with("--config: can't read /no/such.toml: "));
    text.push(' ');
    std::fs::write(&path, &text).expect("writable");
    assert!(load(&vec![], Some(&path), vec![], 1).problems[0].contains("larger than 1MiB"));
}
