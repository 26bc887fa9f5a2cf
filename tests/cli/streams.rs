//! `ess streams`.

use super::fake::{self, Api};
use super::{Ended, ess, run};

fn service() -> Api {
    fake::api(|request| match request.line.as_str() {
        fake::LIST => fake::list(&[
            (1, "u1", "weather"),
            (2, "u2", "two\tcells"),
            (5, "u5", "weather"),
            (9, "u9", "sun"),
        ]),
        "POST /event-stream/" if request.body == br#"{"routing_key":""}"# => {
            let finding = r#"{"detail":[{"type":"string_too_short","msg":"too short"}]}"#;
            (422, finding.into())
        }
        "POST /event-stream/" => (201, r#"{"id":10,"location":"ws://h/event-stream/u10"}"#.into()),
        "DELETE /event-stream/1" | "DELETE /event-stream/5" | "DELETE /event-stream/9" => {
            (204, String::new())
        }
        _ => (404, r#"{"detail":"EventStream 77 is not known"}"#.into()),
    })
}

fn streams(api: &Api, arguments: &[&str]) -> Ended {
    let mut command = ess(["streams"]);
    run(command.args(arguments).args(["--api", &api.url]))
}

#[test]
fn a_list_for_programs_has_tabs_and_one_line_each() {
    let done = streams(&service(), &["list"]);
    let lines: Vec<_> = done.out.lines().collect();
    assert_eq!((done.code, lines.len()), (Some(0), 4));
    assert_eq!(lines[0], "1\tweather\tws://localhost:8080/event-stream/u1");
    assert_eq!(lines[1], "2\ttwo\\tcells\tws://localhost:8080/event-stream/u2");
}

#[test]
fn a_list_can_be_objects() {
    let done = streams(&service(), &["list", "--json"]);
    let first: serde_json::Value =
        serde_json::from_str(done.out.lines().next().expect("a line")).expect("is JSON");
    assert_eq!(first["id"], 1);
    assert_eq!(first["routing_key"], "weather");
    assert_eq!(done.out.lines().count(), 4);
}

#[test]
fn creating_prints_id_and_location() {
    let api = service();
    let done = streams(&api, &["create", "é \"key\""]);
    assert_eq!(done.out, "10\té \"key\"\tws://h/event-stream/u10\n");
    let [request] = &api.asked()[..] else { panic!("one request") };
    assert_eq!(request.content_type, "application/json");
    assert_eq!(request.body, r#"{"routing_key":"é \"key\""}"#.as_bytes());
    let refused = streams(&api, &["create", ""]);
    assert_eq!(refused.code, Some(1));
    assert_eq!(refused.err, "ess: create: refused (422): too short\n");
}

#[test]
fn declaring_says_what_was_done_and_leaves_standard_output_as_it_is() {
    let api = fake::api(|_| {
        let declared = r#"{"stream":"created","exchange":"event-streams","routing_key":"k"}"#;
        (201, format!(r#"{{"id":10,"location":"ws://h/event-stream/u10","declared":{declared}}}"#))
    });
    let retained = ["--declare", "--retain-age", "7d", "--retain-bytes", "1GiB"];
    let done = streams(&api, &[&["create", "k"], &retained[..]].concat());
    assert_eq!(done.out, "10\tk\tws://h/event-stream/u10\n");
    assert_eq!(
        done.err,
        "ess: stream \"k\" was created in the broker, bound to exchange \"event-streams\" with \
         routing key \"k\"\n"
    );
    streams(&api, &["create", "k", "--declare"]);
    let bodies: Vec<_> = api.asked().into_iter().map(|request| request.body).collect();
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("is JSON");
    let asked = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).expect("is JSON");
    let whole = r#"{"routing_key":"k","declare":true,"retain_age":"7d","retain_bytes":"1GiB"}"#;
    assert_eq!(asked(&bodies[0]), json(whole));
    assert_eq!(asked(&bodies[1]), json(r#"{"routing_key":"k","declare":true}"#));
    let alone = streams(&api, &["create", "k", "--retain-age", "7d"]);
    assert_eq!(alone.code, Some(2));
    assert!(alone.err.contains("--declare"), "{}", alone.err);
}

#[test]
fn force_is_passed_on() {
    let api = fake::api(|_| (204, String::new()));
    assert_eq!(streams(&api, &["delete", "9", "--force"]).code, Some(0));
    assert_eq!(streams(&api, &["delete", "9"]).code, Some(0));
    let lines: Vec<_> = api.asked().into_iter().map(|request| request.line).collect();
    assert_eq!(lines, ["DELETE /event-stream/9?force=yes", "DELETE /event-stream/9"]);
}

#[test]
fn any_name_deletes_but_an_unclear_one() {
    for (target, id) in
        [("9", 9), ("sun", 9), ("u5", 5), ("ws://localhost:8080/event-stream/u1", 1)]
    {
        let api = service();
        let done = streams(&api, &["delete", target]);
        assert_eq!(done.code, Some(0), "{}", done.err);
        assert_eq!(api.asked()[0].line, format!("DELETE /event-stream/{id}"));
    }
    let api = service();
    let unclear = streams(&api, &["delete", "weather"]);
    assert_eq!(unclear.code, Some(2));
    assert!(unclear.err.contains("(ids 1, 5)"), "{}", unclear.err);
    assert!(api.asked().is_empty(), "nothing is deleted by guessing");
    assert_eq!(streams(&api, &["delete", "--all", "weather"]).code, Some(0));
    assert_eq!(api.asked().len(), 2);
}

#[test]
fn what_is_not_there_is_told() {
    let api = service();
    let unknown = streams(&api, &["delete", "moon"]);
    assert_eq!(unknown.code, Some(4));
    assert!(unknown.err.contains("ess streams list"), "{}", unknown.err);
    let unknown = streams(&api, &["delete", "77"]);
    assert_eq!(unknown.code, Some(4));
    assert_eq!(unknown.err, "ess: delete: refused (404): EventStream 77 is not known\n");
    let url = format!("http://{}", fake::nobody());
    let nobody = run(&mut ess(["streams", "list", "--api", &url]));
    assert_eq!(nobody.code, Some(3));
    assert!(nobody.err.contains("is ess running there?"), "{}", nobody.err);
}
