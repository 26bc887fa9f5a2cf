//! What the broker's options make of each other, and that no password gets out.

use std::path::Path;
use std::time::Duration;

use crate::config::resolve::tests::resolved;
use crate::config::{ExchangeKind, Resolved, StoreKind};

/// What comes of these variables (without their `ESS_`).
fn of(variables: &[(&str, &str)]) -> Resolved {
    let names: Vec<_> = variables.iter().map(|(name, _)| format!("ESS_{name}")).collect();
    let variables: Vec<_> =
        names.iter().zip(variables).map(|(name, (_, value))| (name.as_str(), *value)).collect();
    resolved(&[], &variables, "")
}

const NONE: [String; 0] = [];

#[test]
fn a_url_alone_means_rabbitmq_with_everything_by_default() {
    for name in ["AMQP_URL", "AMPQ_URL"] {
        let said = of(&[(name, "amqp://user:word@host/as?heartbeat=90")]);
        assert_eq!((&said.problems[..], &said.warnings[..]), (&NONE[..], &NONE[..]));
        assert_eq!(said.config.store, StoreKind::RabbitMq);
        let broker = said.config.broker.expect("there is a URL");
        let hosts: Vec<_> = broker.hosts.iter().map(|it| (it.name.as_str(), it.port)).collect();
        assert_eq!(hosts, [("host", 5672)]);
        assert_eq!((broker.user.as_str(), broker.password.expose()), ("user", "word"));
        assert_eq!((broker.vhost.as_str(), broker.heartbeat), ("as", Duration::from_secs(90)));
        assert_eq!(broker.connect_timeout, Duration::from_secs(10));
        assert_eq!((broker.external, broker.tls), (false, None));
        assert_eq!((broker.stream_host, broker.stream_port), (None, None));
        assert_eq!((broker.exchange, broker.exchange_kind), (None, ExchangeKind::Direct));
    }
}

#[test]
fn options_are_stronger_than_the_query() {
    let url = "amqps://h?cacertfile=a&certfile=b&keyfile=c&server_name_indication=d\
               &connection_timeout=50&auth_mechanism=external";
    let query = of(&[("AMQP_URL", url)]).config.broker.expect("there is a URL");
    assert_eq!((query.connect_timeout, query.external), (Duration::from_millis(50), true));
    let tls = query.tls.expect("amqps");
    let texts = |tls: &crate::config::BrokerTls| {
        let text = |path: &Option<_>| path.as_deref().map(Path::to_string_lossy).map(Into::into);
        [text(&tls.ca), text(&tls.cert), text(&tls.key), tls.sni.clone()]
    };
    assert_eq!(texts(&tls), ["a", "b", "c", "d"].map(|text| Some(text.to_owned())));
    assert!(tls.verify);
    let options = [
        ("AMQP_URL", url),
        ("BROKER_CA", "1"),
        ("BROKER_CERT", "2"),
        ("BROKER_KEY", "3"),
        ("BROKER_SNI", "4"),
        ("STREAM_HOST", "lb"),
        ("STREAM_PORT", "1"),
        ("EXCHANGE", "x"),
        ("EXCHANGE_TYPE", "topic"),
        ("CATCHUP_READERS_MAX", "7"),
    ];
    let said = of(&options);
    assert_eq!((&said.problems[..], &said.warnings[..]), (&NONE[..], &NONE[..]));
    assert_eq!(said.config.catchup_readers_max, 7);
    let broker = said.config.broker.expect("there is a URL");
    let tls = broker.tls.expect("amqps");
    assert_eq!(texts(&tls), ["1", "2", "3", "4"].map(|text| Some(text.to_owned())));
    assert_eq!((broker.stream_host.as_deref(), broker.stream_port), (Some("lb"), Some(1)));
    assert_eq!(broker.exchange.as_deref(), Some("x"));
    assert_eq!(broker.exchange_kind, ExchangeKind::Topic);
}

#[test]
fn the_classic_exchange_always_has_a_name() {
    let exchange = |more: &[(&str, &str)]| {
        let mut said = vec![("STORE", "exchange"), ("AMQP_URL", "amqp://h")];
        said.extend(more);
        let said = of(&said);
        assert_eq!((&said.problems[..], said.config.store), (&NONE[..], StoreKind::Exchange));
        said.config.broker.and_then(|broker| broker.exchange)
    };
    assert_eq!(exchange(&[]).as_deref(), Some("event-streams"));
    assert_eq!(exchange(&[("EXCHANGE", "off")]).as_deref(), Some("event-streams"));
    assert_eq!(exchange(&[("EXCHANGE", "mine")]).as_deref(), Some("mine"));
}

#[test]
fn a_store_without_its_broker_says_what_to_set() {
    for store in ["rabbitmq", "exchange"] {
        let said = of(&[("STORE", store)]);
        let wanted =
            format!("--store {store} needs a broker; set --amqp-url or ESS_AMQP_URL, such");
        assert!(said.problems.len() == 1 && said.problems[0].starts_with(&wanted));
        assert_eq!(said.config.broker, None);
    }
    for (store, url) in [("log", "none"), ("auto", "none"), ("log", "amqp://h"), ("auto", "")] {
        let said = of(&[("STORE", store), ("AMQP_URL", url)]);
        assert_eq!(
            (said.config.store, said.config.broker),
            (StoreKind::Log, None),
            "{store} {url}"
        );
        assert_eq!(
            (&said.problems[..], said.warnings.len()),
            (&NONE[..], usize::from(url == "amqp://h"))
        );
    }
}

#[test]
fn what_cannot_be_meant_is_a_problem() {
    for (said, wanted) in [
        (&[("AMQP_URL", "amqps://h"), ("BROKER_CERT", "c")][..], "--broker-cert: a certificate w"),
        (&[("AMQP_URL", "amqps://h?certfile=c")], "--broker-cert: a certificate without its key"),
        (&[("AMQP_URL", "amqps://h"), ("BROKER_KEY", "k")], "--broker-key: a key without its cert"),
        (&[("AMQP_URL", "amqps://h?keyfile=k")], "--broker-key: a key without its certificate"),
        (&[("AMQP_URL", "amqps://h?auth_mechanism=external")], "--amqp-url: auth_mechanism=exte"),
        (&[("AMQP_URL", "amqp://h?auth_mechanism=external")], "--amqp-url: auth_mechanism=exte"),
        (
            &[("AMQP_URL", "amqp://h"), ("BROKER_CA", "c")],
            "--broker-ca needs TLS, which amqp:// is",
        ),
        (&[("AMQP_URL", "amqp://h"), ("BROKER_SNI", "c")], "--broker-sni needs TLS"),
        (&[("AMQP_URL", "amqp://h?cacertfile=c")], "--amqp-url: cacertfile needs TLS"),
        (&[("AMQP_URL", "amqp://h?verify=verify_peer")], "--amqp-url: verify needs TLS"),
        (
            &[("AMQP_URL", "amqp://h?server_name_indication=s")],
            "--amqp-url: server_name_indication n",
        ),
        (
            &[("AMQP_URL", "amqp://a"), ("AMPQ_URL", "amqp://b")],
            "ESS_AMQP_URL and ESS_AMPQ_URL are",
        ),
    ] {
        let problems = of(said).problems;
        assert!(problems.len() == 1 && problems[0].starts_with(wanted), "{problems:?}");
    }
    // A pair may come from both places.
    let both = of(&[("AMQP_URL", "amqps://h?certfile=c"), ("BROKER_KEY", "k")]);
    assert_eq!(both.problems, NONE);
    let plain = of(&[("AMQP_URL", "amqp://h?certfile=c&keyfile=k")]);
    assert_eq!(plain.problems.len(), 2);
}

#[test]
fn what_does_nothing_or_is_unsafe_is_told() {
    let url = ("AMQP_URL", "amqps://u:p@h?verify=verify_none&frame_max=1&depth=2");
    let warnings = of(&[url]).warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].starts_with("--amqp-url: verify=verify_none takes whoever answers"));
    assert!(warnings[1].starts_with("--amqp-url: frame_max, depth in its query does nothing"));

    let log =
        [("FSYNC", "never"), ("RETAIN_AGE", "7d"), ("RETAIN_BYTES", "1"), ("RETAIN_EVENTS", "1")];
    let mut said = vec![("AMQP_URL", "amqp://h"), ("RETAIN_INTERVAL", "10s")];
    said.extend(log);
    let warnings = of(&said).warnings;
    assert_eq!(warnings.len(), 5, "{warnings:?}");
    let wanted = "--fsync does nothing: the broker keeps the events, by its own rules (--store rab";
    assert!(warnings[0].starts_with(wanted), "{warnings:?}");
    said.extend([("STORE", "exchange"), ("STREAM_HOST", "h"), ("EXCHANGE", "e")]);
    assert_eq!(of(&said).warnings.len(), 6);

    let idle =
        of(&[("STREAM_PORT", "1"), ("BROKER_CA", "c"), ("CATCHUP_READERS_MAX", "1")]).warnings;
    assert_eq!(idle.len(), 3, "{idle:?}");
    assert_eq!(idle[0], "--stream-port does nothing: no broker is used (--store log)");
}

#[test]
fn a_password_on_the_command_line_is_told() {
    let flag = |url: &'static str| resolved(&[("amqp-url", &[url])], &[], "").warnings;
    assert!(flag("amqp://u:p@h")[0].starts_with("--amqp-url: a password on the command line is"));
    assert_eq!(flag("amqp://u@h"), NONE);
    assert_eq!(resolved(&[], &[], "amqp-url = \"amqp://u:p@h\"").warnings, NONE);
}

#[test]
fn nothing_that_comes_out_has_the_password_in_it() {
    for url in [
        "amqp://u:hidden@h",
        "amqp://u:%68idden%2Fhidden@h/v?password=hidden",
        "amqps://u:hidden/hidden@h",
        "amqps://u:hidden?heartbeat=hidden@h",
        "amqp://u:hidden#hidden@h",
        "amqp://u:hidden@h:port",
        "amqp://u:hidden@h?heartbeat=x",
        "amqp:u:hidden@h",
        "http://u:hidden@h",
        "u:hidden@h",
        "amqp://u:hidden @h",
        "amqp://u:hidden\u{FFFD}@h",
    ] {
        let file = format!("amqp-url = \"{url}\"");
        for said in [
            resolved(&[("amqp-url", &[url])], &[], ""),
            resolved(&[], &[("ESS_AMPQ_URL", url)], ""),
            resolved(&[], &[("ESS_AMQP_URL", url), ("ESS_AMPQ_URL", "amqp://h")], ""),
            resolved(&[], &[], &file),
            resolved(&[], &[], &format!("amqp-url = [\"{url}\", \"{url}\"]")),
            resolved(&[("store", &[url]), ("stream-host", &[url])], &[], ""),
        ] {
            let all = format!("{:?} {:?} {:?}", said.config, said.problems, said.warnings);
            assert!(!all.contains("idden"), "{all}");
            let choices = said.choices.iter().map(|choice| choice.texts.join(" "));
            let choices = choices.collect::<Vec<_>>().join(" ");
            assert!(!choices.contains("idden"), "{choices}");
        }
    }
}
