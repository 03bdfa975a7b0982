//! A process that is killed while it saves.

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::support::{Client, builder, save_body};

const FOLDER: &str = "TINKER_LOCAL_TEST_FOLDER";

#[test]
#[ignore = "runs in a process of its own, started and killed by the other test here"]
fn saves_until_it_is_killed() {
    let folder = std::env::var(FOLDER).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = Client::of(&builder().data_dir(folder).build().unwrap());
        let (_, model) = client.model().await;
        let mut number = 1;
        loop {
            for name in ["same", &format!("n{number}")] {
                let mut body = save_body(&model, number, name);
                body["overwrite"] = true.into();
                let promise = client.post("save_weights", body).await.promise();
                let path = client.done(&promise).await["path"]
                    .as_str()
                    .unwrap()
                    .to_owned();
                writeln!(std::io::stdout(), "saved {path}").unwrap();
                number += 1;
            }
        }
    });
}

#[tokio::test]
async fn what_was_acknowledged_before_a_kill_can_be_loaded() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..6_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "kill::saves_until_it_is_killed",
                "--ignored",
                "--nocapture",
            ])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut saved = Vec::new();
        let mut note =
            |line: String| saved.extend(line.split_once("saved ").map(|(_, path)| path.to_owned()));
        for line in lines.by_ref().take(12 + round as usize) {
            note(line.unwrap());
        }
        std::thread::sleep(Duration::from_micros(700 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        lines.map_while(Result::ok).for_each(&mut note);
        assert!(saved.len() >= 4, "{saved:?}");

        let client = Client::of(&builder().data_dir(folder.path()).build().unwrap());
        let session = client.session().await;
        for (number, path) in saved.iter().enumerate() {
            let body = json!({"session_id": session, "model_seq_id": number, "path": path, "optimizer": true});
            client
                .done(&client.post("load_weights", body).await.promise())
                .await;
        }
        assert!(
            std::fs::read_dir(folder.path().join("tmp"))
                .unwrap()
                .next()
                .is_none()
        );
    }
}
