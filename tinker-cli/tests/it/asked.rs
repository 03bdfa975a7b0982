//! Commands whose requests are counted: exports for a download, and deletion of keys.

use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::program::Workplace;
use crate::relay::message;

/// Method and path, status, body. `SERVER` in a body is the address of the server.
type Answers = &'static [(&'static str, u16, &'static str)];

/// A server with answers by method and path; other requests are 404.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let server = Self {
            url: url.clone(),
            asked: Arc::clone(&asked),
        };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (url, asked) = (url.clone(), Arc::clone(&asked));
                std::thread::spawn(move || answer(&stream.unwrap(), answers, &url, &asked));
            }
        });
        server
    }

    /// The requests that have answers, in their order.
    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(mut stream: &TcpStream, answers: Answers, url: &str, asked: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let Some((head, _)) = message(&mut reader) else {
            return;
        };
        let mut words = head.split([' ', '?']);
        let request = format!("{} {}", words.next().unwrap(), words.next().unwrap());
        let found = answers.iter().find(|(known, ..)| *known == request);
        let (status, text) = found.map_or((404, r#"{"detail":"Not Found"}"#), |found| {
            asked.lock().unwrap().push(request);
            (found.1, found.2)
        });
        let text = text.replace("SERVER", url);
        let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json");
        let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{text}", text.len());
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

#[test]
fn a_training_checkpoint_is_exported_fetched_and_the_export_removed() {
    const EXPORT: &str = "/api/v1/training_runs/s:train:0/checkpoints/external_weights/download";
    let server = Server::start(&[
        ("POST /api/v1/create_session", 200, r#"{"session_id":"s"}"#),
        (
            "POST /api/v1/weights_info",
            200,
            r#"{"base_model":"b","is_lora":true}"#,
        ),
        ("POST /api/v1/load_weights", 200, r#"{"request_id":"r-0"}"#),
        (
            "POST /api/v1/retrieve_future",
            200,
            r#"{"path":"tinker://s:train:0/external_weights/download","model_id":"s:train:0"}"#,
        ),
        (
            "POST /api/v1/get_info",
            200,
            r#"{"model_id":"s:train:0","model_data":{"model_name":"b"}}"#,
        ),
        (
            "POST /api/v1/save_weights_external",
            200,
            r#"{"request_id":"r-1"}"#,
        ),
        (
            "GET /api/v1/training_runs/s:train:0/checkpoints/external_weights/download/external_weights_urls",
            200,
            r#"{"urls":{"adapter_config.json":"SERVER/files/a"},"expires":"2099-01-02T03:04:05Z"}"#,
        ),
        ("GET /files/a", 200, r#"{"r":4}"#),
        (
            "DELETE /api/v1/training_runs/s:train:0/checkpoints/external_weights/download",
            204,
            "",
        ),
        ("POST /api/v1/sessions/s/finish", 204, ""),
    ]);
    let work = Workplace::new();
    let download = [
        "checkpoint",
        "download",
        "tinker://r/weights/s1",
        "-o",
        "out",
    ];
    let run = work.run(&[&download[..], &["--base-url", &server.url]].concat());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.stdout, "out\n");
    let file = std::fs::read_to_string(work.path("out/adapter_config.json"));
    assert_eq!(file.unwrap(), r#"{"r":4}"#);
    let asked = server.asked();
    let last: Vec<&String> = asked
        .iter()
        .skip_while(|request| !request.ends_with("save_weights_external"))
        .filter(|request| !request.ends_with("retrieve_future"))
        .collect();
    let expected = [
        "POST /api/v1/save_weights_external",
        &format!("GET {EXPORT}/external_weights_urls"),
        "GET /files/a",
        &format!("DELETE {EXPORT}"),
        "POST /api/v1/sessions/s/finish",
    ];
    assert_eq!(last, expected);
}

#[test]
fn a_key_of_an_older_tool_is_deleted_on_the_server_when_logging_out() {
    let work = Workplace::new();
    std::fs::create_dir(work.path(".tinker")).unwrap();
    let key = r#"{"type":"generated","key":"tml-old","name":"gen","details":{"org_details":{"name":"O"},"user_details":{"email":"a@example.com"}}}"#;
    let stored = format!(r#"{{"version":1,"default":"7","keys":{{"7":{key}}}}}"#);
    work.write(".tinker/credentials.json", &stored);
    let is_stored = || {
        let text = std::fs::read_to_string(work.path(".tinker/credentials.json"));
        text.unwrap().contains("tml-old")
    };
    let logout = |answers: Answers| {
        let server = Server::start(answers);
        let run = work.run(&["auth", "logout", "--base-url", &server.url]);
        (run, server.asked())
    };
    let (run, asked) = logout(&[("DELETE /api/v1/auth/apikey/me", 403, r#"{"detail":"no"}"#)]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stderr.contains("stays stored"), "{}", run.stderr);
    assert_eq!(asked.len(), 1);
    assert!(is_stored());
    let (run, asked) = logout(&[("DELETE /api/v1/auth/apikey/me", 204, "")]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(asked.len(), 1);
    assert!(!is_stored());
}
