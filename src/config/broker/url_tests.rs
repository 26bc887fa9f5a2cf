//! A broker's URL: what is understood, what is refused, what may be seen of it.

use proptest::prelude::*;

use super::*;

/// What is looked at together: tls, host, port, user, password, vhost.
fn place(text: &str) -> (bool, String, u16, String, String, String) {
    let url = parse(text).unwrap_or_else(|wrong| panic!("{text} {wrong}"));
    let password = url.password.expose().to_owned();
    let [BrokerHost { name, port }] = &url.hosts[..] else { panic!("{text} has one host") };
    (url.tls, name.clone(), *port, url.user, password, url.vhost)
}

#[test]
fn urls_and_what_they_mean() {
    let guest = |host: &str, port, vhost: &str| {
        (false, host.to_owned(), port, "guest".to_owned(), "guest".to_owned(), vhost.to_owned())
    };
    assert_eq!(place("amqp://h"), guest("h", 5672, "/"));
    assert_eq!(place("amqp://h/"), guest("h", 5672, "/"));
    assert_eq!(place("amqp://h/%2f"), guest("h", 5672, "/"));
    assert_eq!(place("amqp://h/%2F?heartbeat=90"), guest("h", 5672, "/"));
    assert_eq!(place("amqp://h:/"), guest("h", 5672, "/"));
    assert_eq!(place("amqp://h:1/as"), guest("h", 1, "as"));
    assert_eq!(place("amqp://h?heartbeat=1"), guest("h", 5672, "/"));
    // The rest of the path, as the Python service takes it.
    assert_eq!(place("amqp://h/a/b"), guest("h", 5672, "a/b"));
    assert_eq!(place("amqp://[::1]:65535/v"), guest("::1", 65535, "v"));
    assert_eq!(place("amqp://[fd00::1]"), guest("fd00::1", 5672, "/"));
    assert_eq!(place("AMQP://rabbit_1.example-x.org"), guest("rabbit_1.example-x.org", 5672, "/"));
    let (tls, _, port, ..) = place("amqps://h");
    assert_eq!((tls, port), (true, 5671));
}

#[test]
fn a_cluster_has_several_hosts() {
    let hosts = |text: &str| {
        let hosts = parse(text).map(|url| url.hosts)?;
        Ok::<_, String>(hosts.into_iter().map(|it| (it.name, it.port)).collect::<Vec<_>>())
    };
    let is = |hosts: &[(&str, u16)]| {
        Ok(hosts.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect())
    };
    assert_eq!(hosts("amqp://u:p,@a,b:1,[::1]:2/v"), is(&[("a", 5672), ("b", 1), ("::1", 2)]));
    assert_eq!(hosts("amqps://a,b"), is(&[("a", 5671), ("b", 5671)]));
    assert_eq!(masked("amqp://u:p,q@a,b:1,[::1]:2/v"), "amqp://u:***@a,b:1,[::1]:2/v");
    let many = |count| hosts(&format!("amqp://{}", vec!["h"; count].join(",")));
    assert!(many(BROKER_NODES_MAX).is_ok());
    assert!(many(BROKER_NODES_MAX + 1).is_err_and(|text| text.contains("too many hosts")));
}

#[test]
fn logins_are_decoded() {
    let login = |text: &str| {
        let (_, _, _, user, password, _) = place(&format!("amqp://{text}h/"));
        (user, password)
    };
    let is = |user: &str, password: &str| (user.to_owned(), password.to_owned());
    assert_eq!(login(""), is("guest", "guest"));
    assert_eq!(login("u:p@"), is("u", "p"));
    assert_eq!(login("u@"), is("u", "guest"));
    assert_eq!(login(":p@"), is("guest", "p"));
    assert_eq!(login("u%3Aser:p%40ss%2fw%3Ao%23rd%3f@"), is("u:ser", "p@ss/w:o#rd?"));
    assert_eq!(login("%C3%A9:%e2%82%ac@"), is("é", "€"));
    // What people write without escaping, where it can only mean one thing.
    assert_eq!(login("u:p@s:s@"), is("u", "p@s:s"));
    assert_eq!(login("u:100%@"), is("u", "100%"));
    assert_eq!(login("u:%zz%4@"), is("u", "%zz%4"));
    assert_eq!(login("u:a+b€@"), is("u", "a+b€"));
}

#[test]
fn queries_and_what_they_mean() {
    let query = |text: &str| parse(&format!("amqps://h/v?{text}")).map(|url| url.query);
    let said = query(
        "heartbeat=90&connection_timeout=250&auth_mechanism=EXTERNAL&cacertfile=/a%20b/ca.pem&\
         certfile=c.pem&keyfile=k.pem&server_name_indication=b.example&verify=verify_none",
    );
    let all = Query {
        heartbeat: Some(Duration::from_secs(90)),
        connect_timeout: Some(Duration::from_millis(250)),
        external: Some(true),
        ca: Some("/a b/ca.pem".into()),
        cert: Some("c.pem".into()),
        key: Some("k.pem".into()),
        sni: Some("b.example".into()),
        verify: Some(false),
        unknown: vec![],
    };
    assert_eq!(said, Ok(all));
    assert_eq!(query("heartbeat=0").map(|it| it.heartbeat), Ok(Some(Duration::ZERO)));
    assert_eq!(query("auth_mechanism=plain").map(|it| it.external), Ok(Some(false)));
    assert_eq!(query("verify=verify_peer").map(|it| it.verify), Ok(Some(true)));
    assert_eq!(query("&&").map(|it| it == Query::default()), Ok(true));
    let unknown = query("channel_max=5&Heartbeat=1&x").map(|it| it.unknown);
    assert_eq!(unknown, Ok(vec!["channel_max".into(), "Heartbeat".into(), "x".into()]));
    for (wrong, expected) in [
        ("heartbeat=", "seconds from 0 (none) to 65535"),
        ("heartbeat=65536", "seconds from 0 (none) to 65535"),
        ("heartbeat=1.5", "seconds from"),
        ("connection_timeout=9", "milliseconds from 10 to 86400000"),
        ("connection_timeout=86400001", "milliseconds from 10 to 86400000"),
        ("auth_mechanism=gssapi", "plain or external"),
        ("verify=no", "verify_peer or verify_none"),
        ("server_name_indication=a b", "a host name"),
        ("certfile=", "a file in PEM"),
        ("keyfile=%00", "a file in PEM"),
        ("heartbeat=1&heartbeat=1", "it once"),
    ] {
        let wrong = query(&wrong.replace(' ', "%20"));
        let text = wrong.expect_err("is wrong");
        assert!(text.contains(&format!("; expected {expected}")), "{text}");
    }
}

#[test]
fn what_is_no_url_says_what_is_expected() {
    for (wrong, said) in [
        ("h", "is not a broker's URL; expected amqp://"),
        ("h:5672", "is not a broker's URL"),
        ("http://h", "is not a broker's URL"),
        ("rabbitmq-stream://h", "is not a broker's URL"),
        ("amqp://", "has no host"),
        ("amqp:///v", "has no host"),
        ("amqp://u:p@/v", "has no host"),
        ("amqp://a,/v", "has no host"),
        ("amqp://,a/v", "has no host"),
        ("amqp://a,b:x/v", "has a port"),
        ("amqp://a b,c/v", "has a space"),
        ("amqp://[::g]/v", "has no host"),
        ("amqp://[::1/v", "has a port"),
        ("amqp://[h]/v", "has no host"),
        ("amqp://[::1]x/v", "has no host"),
        ("amqp://::1/v", "has a port"),
        ("amqp://h:0", "expected 1 to 65535"),
        ("amqp://h:65536", "expected 1 to 65535"),
        ("amqp://h:+1", "expected 1 to 65535"),
        ("amqp://h/a b", "has a space"),
        ("amqp://h/a\u{7}b", "has a space or control character"),
        ("amqp://h/%ff", "has a vhost that can't be one"),
        ("amqp://%ff@h", "has a user that can't be one"),
        ("amqp://u%00@h", "has a user that can't be one"),
        ("amqp://u:%00@h", "has a password that can't be sent"),
        ("amqp://u:%ff@h", "has a password that can't be sent"),
        ("amqp://u:p/q@h", "has an @ or # behind its host"),
        ("amqp://u:p?q@h", "has an @ or # behind its host"),
        ("amqp://u:p#q@h", "has an @ or # behind its host"),
        ("amqp://h/v#f", "has an @ or # behind its host"),
    ] {
        let text = parse(wrong).expect_err(wrong);
        assert!(text.contains(said) && text.contains("expected "), "{text}");
    }
}

#[test]
fn both_sides_of_every_length() {
    let vhost = |bytes| parse(&format!("amqp://h/{}", "v".repeat(bytes)));
    assert!(vhost(BROKER_NAME_BYTES_MAX).is_ok() && vhost(BROKER_NAME_BYTES_MAX + 1).is_err());
    let user = |bytes| parse(&format!("amqp://{}@h", "u".repeat(bytes)));
    assert!(user(BROKER_NAME_BYTES_MAX).is_ok() && user(BROKER_NAME_BYTES_MAX + 1).is_err());
    let host = |bytes| parse(&format!("amqp://{}", "h".repeat(bytes)));
    assert!(host(HOST_BYTES_MAX).is_ok() && host(HOST_BYTES_MAX + 1).is_err());
    let whole = |bytes: usize| parse(&format!("amqp://u:{}@h", "p".repeat(bytes - 11)));
    assert!(whole(BROKER_URL_BYTES_MAX).is_ok());
    assert!(whole(BROKER_URL_BYTES_MAX + 1).is_err_and(|text| text.contains("too long")));
}

#[test]
fn a_shown_url_has_everything_but_the_password() {
    for (text, shown) in [
        ("amqp://user:secret@host/vhost", "amqp://user:***@host/vhost"),
        (" AMQPS://u:s@[::1]:5671/%2f?heartbeat=9 ", "amqps://u:***@[::1]:5671/%2f?heartbeat=9"),
        ("amqp://:s@h", "amqp://:***@h"),
        ("amqp://u@h", "amqp://u@h"),
        ("amqp://u:@h", "amqp://u@h"),
        ("amqp://h:1/", "amqp://h:1"),
        ("amqp://h?password=s&verify=verify_peer", "amqp://h?password=***&verify=verify_peer"),
        ("amqp://u:s/x@h", "***"),
        ("u:s@h", "***"),
        ("none", "none"),
        ("", ""),
    ] {
        assert_eq!(masked(text), shown, "{text}");
    }
}

/// Passwords are made of this and of what gets in a URL's way.
const MARK: &str = "hidden";

/// A login whose password is `MARK` with anything between and around, written in either way.
fn with_password() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "", "/", "?", "#", "@", ":", "&", "=", "%", "[", "]", " ", "é", "\0", "://", "%2F", "%zz",
    ]);
    let odds = prop::collection::vec(odd, 4);
    let escaped =
        |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02x}")).collect() };
    let rest = prop::sample::select(vec!["h", "h/v", "h:1/v?heartbeat=1", "", "h/v?x=1", "[::1]"]);
    let scheme = prop::sample::select(vec!["amqp://", "amqps://", "", "http://", "amqp:"]);
    (scheme, odds, any::<bool>(), rest).prop_map(move |(scheme, odds, escape, rest)| {
        let [a, b, c, d] = &odds[..] else { panic!("there are four") };
        let password = format!("{a}{MARK}{b}{MARK}{c}");
        let password = if escape { escaped(&password) } else { password };
        format!("{scheme}user{d}:{password}@{rest}")
    })
}

proptest! {
    #[test]
    fn no_password_is_shown_however_it_is_written(text in with_password()) {
        let escaped: String = MARK.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let parsed = parse(&text);
        let outputs = [masked(&text), format!("{parsed:?}")];
        for output in outputs {
            prop_assert!(!output.contains(MARK) && !output.contains(&escaped), "{}", output);
        }
    }

    #[test]
    fn no_text_panics_and_every_refusal_says_what_is_expected(text in "(amqps?://)?\\PC{0,40}") {
        let _ = masked(&text);
        if let Err(wrong) = parse(&text) {
            prop_assert!(wrong.contains("expected "), "{}", wrong);
        }
    }

    #[test]
    fn a_name_survives_escaping(names in prop::array::uniform3("\\PC{1,40}")) {
        let [user, password, vhost] = names;
        let escaped = |text: &str| -> String {
            text.bytes().map(|byte| format!("%{byte:02X}")).collect()
        };
        let (user_, password_, vhost_) = (escaped(&user), escaped(&password), escaped(&vhost));
        let (.., found, secret, place) =
            place(&format!("amqp://{user_}:{password_}@h/{vhost_}"));
        prop_assert_eq!((found, secret, place), (user, password, vhost));
    }
}
