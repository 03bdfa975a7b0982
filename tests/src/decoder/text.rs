//! Text decoders: checkpoint paths, cassettes, chat templates and `tokenizer_config.json`.

use std::fs::write;

use serde_json::json;
use tempfile::TempDir;
use tinker_data::{Conversation, Json, Learn, Message, Renderer, Template, Tokenizer, ToolCall};
use tinker_transport::testing::Cassette;
use tinker_types::CheckpointPath;

pub(super) fn checkpoint_path(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(path) = text.parse::<CheckpointPath>() {
        assert_eq!(
            path.to_string(),
            text,
            "an address is written as it was read"
        );
        let again = CheckpointPath::try_new(path.run().clone(), path.kind(), path.name());
        assert_eq!(again.as_ref(), Ok(&path));
    }
}

pub(super) fn cassette(bytes: &[u8]) {
    if let Ok(cassette) = Cassette::parse(&String::from_utf8_lossy(bytes)) {
        let (strict, loose) = (cassette.strict(), cassette.loose());
        assert_eq!(strict.remaining(), cassette.len());
        drop(loose);
    }
}

/// An untrusted chat template, and a conversation that contains its control tokens.
pub(super) fn chat_template(bytes: &[u8]) {
    let source = String::from_utf8_lossy(bytes);
    let Ok(template) = Template::jinja(&source, [("eos_token", "<|end|>"), ("bos_token", "<s>")])
    else {
        return;
    };
    let mut call = Message::assistant("<think>");
    call.reasoning = Some("so".to_owned());
    let arguments = [
        ("x\u{301}".to_owned(), Json::Null),
        ("items".to_owned(), true.into()),
    ];
    let arguments = Json::Object(arguments.into());
    call.tool_calls = vec![ToolCall::new("{% generation %}", arguments.clone())];
    let mut conversation = Conversation::from([
        Message::system("{{ messages }}"),
        Message::user("<|end|>\u{1f980}"),
        call,
    ]);
    conversation.tools = vec![arguments];
    for is_prompt in [false, true] {
        if let Ok(rendered) = template.render(&conversation, is_prompt) {
            for block in rendered.generated {
                assert!(
                    rendered.text.get(block).is_some(),
                    "a block is a part of the text"
                );
            }
        }
    }
    let renderer = Renderer::new(Tokenizer::bytes(), template);
    let _prompt = renderer.prompt(&conversation);
    for learn in Learn::ALL {
        let _examples = renderer.clone().with_learn(learn).supervised(&conversation);
    }
}

/// The `tokenizer_config.json` beside a tokenizer, with the template in it.
pub(super) fn tokenizer_config(bytes: &[u8]) {
    thread_local! {
        static FOLDER: TempDir = folder_with_tokenizer().expect("a temporary folder");
    }
    FOLDER.with(|folder| {
        write(folder.path().join("tokenizer_config.json"), bytes).expect("the folder is ours");
        if let Ok(renderer) = Renderer::from_folder(folder.path()) {
            let _prompt = renderer.prompt(&[Message::user("a b")].into());
        }
    });
}

fn folder_with_tokenizer() -> std::io::Result<TempDir> {
    let folder = TempDir::new()?;
    let tokenizer = json!({
        "version": "1.0",
        "added_tokens": [{
            "id": 2, "content": "<|end|>", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true,
        }],
        "model": { "type": "WordLevel", "vocab": { "<unk>": 0, "a": 1 }, "unk_token": "<unk>" },
    });
    write(folder.path().join("tokenizer.json"), tokenizer.to_string())?;
    Ok(folder)
}
