//! HTTP by somebody else: curl, with its answer taken apart byte for byte.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

/// One request.
pub(crate) struct Curl {
    args: Vec<String>,
    body: Option<Vec<u8>>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Status codes of interim answers (`100 Continue`), in order.
    pub(crate) interim: Vec<u16>,
    /// Status code.
    pub(crate) status: u16,
    /// Header fields, names in lower case, in order.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, transfer coding removed.
    pub(crate) body: Vec<u8>,
}

impl Curl {
    /// `GET url`.
    pub(crate) fn get(url: &str) -> Self {
        let always = ["-sS", "-i", "--http1.1", "--path-as-is", "--max-time", "100", url];
        Self { args: always.map(str::to_owned).to_vec(), body: None }
    }

    /// `method url`, HEAD included.
    pub(crate) fn request(method: &str, url: &str) -> Self {
        let curl = Self::get(url);
        if method == "HEAD" { curl.arg("--head") } else { curl.arg("-X").arg(method) }
    }

    /// `POST url` with a body of this content type.
    pub(crate) fn post(url: &str, kind: &str, body: &[u8]) -> Self {
        Self::request("POST", url).header("Content-Type", kind).body(body)
    }

    /// Another argument of curl's.
    pub(crate) fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// A header field; an empty value takes away one of curl's own.
    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        let field = if value.is_empty() { format!("{name}:") } else { format!("{name}: {value}") };
        self.arg("-H").arg(&field)
    }

    /// A body, sent as it is.
    pub(crate) fn body(mut self, body: &[u8]) -> Self {
        self.body = Some(body.to_vec());
        self.arg("--data-binary").arg("@-")
    }

    /// Runs curl.
    ///
    /// # Panics
    /// When curl is missing or the connection fails.
    pub(crate) fn send(self) -> Answer {
        let mut child = Command::new("curl")
            .args(&self.args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the end-to-end tests need `curl` on PATH; `.ci/run` installs it");
        let mut stdin = child.stdin.take().expect("standard input is piped");
        let body = self.body.unwrap_or_default();
        // Beside the reading below. A refusal may come before curl has read it all.
        let feeder = thread::spawn(move || stdin.write_all(&body).is_ok());
        let output = child.wait_with_output().expect("curl runs");
        feeder.join().expect("the feeder never panics");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "curl {:?}: {complaint}", self.args);
        Answer::parse(&output.stdout)
    }
}

impl Answer {
    fn parse(mut rest: &[u8]) -> Self {
        let mut interim = Vec::new();
        loop {
            let mut fields = [httparse::EMPTY_HEADER; 64];
            let mut head = httparse::Response::new(&mut fields);
            let parsed = head.parse(rest).expect("an HTTP answer");
            let httparse::Status::Complete(length) = parsed else {
                panic!("no whole head: {:?}", String::from_utf8_lossy(rest));
            };
            let status = head.code.expect("a whole head has a status");
            rest = &rest[length..];
            if status / 100 == 1 {
                interim.push(status);
                continue;
            }
            let headers = head.headers.iter().map(|field| {
                let value = String::from_utf8_lossy(field.value).into_owned();
                (field.name.to_ascii_lowercase(), value)
            });
            return Self { interim, status, headers: headers.collect(), body: rest.to_vec() };
        }
    }

    /// The one header field of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(given, _)| given == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} twice: {self:?}");
        value
    }

    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body in UTF-8")
    }

    /// Asserts status and body, byte for byte, and that the body calls itself JSON.
    pub(crate) fn assert_json(&self, status: u16, body: &str) {
        assert_eq!((self.status, self.text()), (status, body), "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
    }
}
