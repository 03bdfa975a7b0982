//! Where templates of model folders come from.

use std::fs;

use super::*;
use crate::chat::message::Message;

fn text(template: &Template, has_tools: bool) -> Result<String, String> {
    let mut conversation = Conversation::from([Message::user("a")]);
    if has_tools {
        conversation.tools.push(Json::Object(Vec::new()));
    }
    let rendered = template.render(&conversation, false);
    rendered
        .map(|rendered| rendered.text)
        .map_err(|error| error.to_string())
}

#[test]
fn a_folder_has_templates_in_several_places() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let loaded = || Template::from_folder(path).map_err(|error| error.to_string());
    let both = || {
        let template = loaded()?;
        Ok::<_, String>((text(&template, false)?, text(&template, true)?))
    };
    let pair = |default: &str, tool_use: &str| Ok((default.to_owned(), tool_use.to_owned()));
    let error = both().unwrap_err();
    assert!(
        error.contains("has no chat template") && error.contains("--chat-template"),
        "{error}"
    );

    fs::write(
        path.join("chat_template.json"),
        r#"{"chat_template": "json"}"#,
    )
    .unwrap();
    assert_eq!(both(), pair("json", "json"));

    let config = r#"{"eos_token": "</s>", "chat_template": "config {{ eos_token }}"}"#;
    fs::write(path.join("tokenizer_config.json"), config).unwrap();
    assert_eq!(both(), pair("config </s>", "config </s>"));

    let config = r#"{"chat_template": [{"name": "tool_use", "template": "tools"}, {"name": "default", "template": "d"}]}"#;
    fs::write(path.join("tokenizer_config.json"), config).unwrap();
    assert_eq!(both(), pair("d", "tools"));

    fs::create_dir(path.join("additional_chat_templates")).unwrap();
    fs::write(
        path.join("additional_chat_templates/tool_use.jinja"),
        "more",
    )
    .unwrap();
    assert_eq!(text(&loaded().unwrap(), true), Ok("more".to_owned()));
    let error = text(&loaded().unwrap(), false).unwrap_err();
    assert!(
        error.contains("none is called default: tool_use"),
        "{error}"
    );

    fs::write(path.join("chat_template.jinja"), "file\r\n").unwrap();
    assert_eq!(both(), pair("file", "more"));
}

#[test]
fn a_wrong_template_is_named_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    for (file, content, expected) in [
        (
            "tokenizer_config.json",
            r#"{"chat_template": 5}"#,
            "tokenizer_config.json: chat_template is neither",
        ),
        (
            "tokenizer_config.json",
            r#"{"chat_template": [{"name": "a"}]}"#,
            "an entry of the list chat_template",
        ),
        (
            "tokenizer_config.json",
            r#"{"chat_template": "\n{{"}"#,
            "tokenizer_config.json, line 2: is not valid Jinja",
        ),
        (
            "chat_template.jinja",
            "{% if a %}",
            "chat_template.jinja, line 1: is not valid Jinja",
        ),
    ] {
        write(file, content);
        let error = Template::from_folder(folder.path()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        let refusing = Template::refusing(&error);
        assert!(text(&refusing, false).unwrap_err().contains(expected));
    }
}

#[test]
fn a_file_uses_the_special_tokens_of_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.txt");
    fs::write(&file, "{{ eos_token }}{{ n }}").unwrap();
    let config = r#"{"eos_token": "</s>"}"#;
    fs::write(folder.path().join("tokenizer_config.json"), config).unwrap();
    let template = Template::from_file(&file, Some(folder.path())).unwrap();
    let number = serde_json::from_str("2.50").unwrap();
    let template = template.with_args([("n".to_owned(), number)]).unwrap();
    assert_eq!(text(&template, false), Ok("</s>2.5".to_owned()));
    let template = Template::from_file(&file, None).unwrap();
    assert_eq!(text(&template, false), Ok(String::new()));
    let error = Template::from_file(folder.path().join("none"), None).unwrap_err();
    assert!(
        error.to_string().ends_with("none: does not exist"),
        "{error}"
    );
    let error = Template::plain().with_args([("n".to_owned(), Json::Null)]);
    assert!(error.is_err());
}
