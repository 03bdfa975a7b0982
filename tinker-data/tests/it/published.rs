//! Rows in the shape of published data sets, and what they are read as.

use tinker_data::{Dataset, Example, Format, Json, Message, Prompt, Role};

fn read(name: &str) -> Dataset {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).unwrap();
    Dataset::parse(name, &bytes).unwrap_or_else(|error| panic!("{error}"))
}

fn parse(line: &str) -> Dataset {
    Dataset::parse("x.jsonl", line.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

fn chat(dataset: &Dataset) -> &tinker_data::Conversation {
    match &dataset.rows[0].example {
        Example::Chat(conversation) => conversation,
        other => panic!("{other:?}"),
    }
}

fn tool(content: &str) -> Message {
    Message::new(Role::Other("tool".to_owned()), content)
}

fn ignored(dataset: &Dataset) -> Vec<&str> {
    dataset.notes.ignored.keys().map(String::as_str).collect()
}

#[test]
fn alpaca() {
    let dataset = read("alpaca.jsonl");
    assert_eq!(dataset.rows.len(), 3);
    let expected = [
        Message::user("Translate\n\nchat"),
        Message::assistant("cat"),
    ];
    assert_eq!(chat(&dataset).messages, expected);
    assert_eq!(dataset.notes.formats, [(Format::Alpaca, 3)].into());
    assert_eq!(
        dataset.notes.conversions.len(),
        1,
        "the joined input is noted"
    );

    let line = r#"{"instruction":"And 3?","input":"","output":"9","text":"Below is an instruction ...","history":[["2 squared?","4"]],"system":"Be terse"}"#;
    let dataset = parse(line);
    let expected = [
        Message::system("Be terse"),
        Message::user("2 squared?"),
        Message::assistant("4"),
        Message::user("And 3?"),
        Message::assistant("9"),
    ];
    assert_eq!(chat(&dataset).messages, expected);
    assert_eq!(ignored(&dataset), ["text"]);
}

#[test]
fn no_robots() {
    let dataset = read("extra-columns.jsonl");
    let expected = [Message::user("Hi"), Message::assistant("Yo")];
    assert_eq!(chat(&dataset).messages, expected);
    assert_eq!(ignored(&dataset), ["category", "id"]);

    let line = r#"{"prompt":"Marv is a chatbot.","prompt_id":"c4f0","messages":[{"content":"Marv is a chatbot.","role":"system"},{"content":"Why?","role":"user"},{"content":"Because.","role":"assistant"}],"category":"Chat"}"#;
    let dataset = parse(line);
    let expected = [
        Message::system("Marv is a chatbot."),
        Message::user("Why?"),
        Message::assistant("Because."),
    ];
    assert_eq!(chat(&dataset).messages, expected);
    assert_eq!(ignored(&dataset), ["category", "prompt_id"]);
}

#[test]
fn sharegpt() {
    let dataset = read("sharegpt.jsonl");
    let expected = [Message::user("Hi"), Message::assistant("Yo")];
    assert_eq!(chat(&dataset).messages, expected);

    let line = r#"{"id":"QWJhYvA_0","conversations":[{"from":"gpt","value":"Hello"},{"from":"human","value":"Hi"},{"from":"human","value":"You there?","markdown":null},{"from":"chatgpt","value":"Yes"}],"model":"x"}"#;
    let dataset = parse(line);
    let expected = [
        Message::assistant("Hello"),
        Message::user("Hi"),
        Message::user("You there?"),
        Message::assistant("Yes"),
    ];
    assert_eq!(chat(&dataset).messages, expected);
    assert_eq!(ignored(&dataset), ["id", "model"]);
}

#[test]
fn calls_of_tools_in_sharegpt() {
    let line = r#"{"conversations":[{"from":"human","value":"Time?"},{"from":"function_call","value":"{\"name\": \"now\", \"arguments\": {\"zone\": \"UTC\"}}"},{"from":"observation","value":"9"},{"from":"gpt","value":"Nine."}],"system":"Help.","tools":"[{\"name\": \"now\", \"parameters\": {}}]"}"#;
    let dataset = parse(line);
    let conversation = chat(&dataset);
    assert_eq!(conversation.messages[0], Message::system("Help."));
    let call = &conversation.messages[2];
    assert_eq!((&call.role, &call.content), (&Role::Assistant, &None));
    assert_eq!(call.tool_calls[0].name, "now");
    assert_eq!(
        call.tool_calls[0].arguments.get("zone"),
        Some(&Json::from("UTC"))
    );
    assert_eq!(conversation.messages[3], tool("9"));
    assert_eq!(conversation.tools[0].get("name"), Some(&Json::from("now")));
}

#[test]
fn glaive() {
    let line = r#"{"system":"SYSTEM: You are a helpful assistant with access to the following functions. Use them if required -\n{\n    \"name\": \"get_news\",\n    \"parameters\": {}\n}\n","chat":"USER: News?\n\n\nASSISTANT: <functioncall> {\"name\": \"get_news\", \"arguments\": '{\"city\": \"Oslo\"}'} <|endoftext|>\n\n\nFUNCTION RESPONSE: {\"news\": []}\n\n\nASSISTANT: None.\nASK AGAIN: later. <|endoftext|>\n\n\n"}"#;
    let dataset = parse(line);
    let conversation = chat(&dataset);
    let system = "You are a helpful assistant with access to the following functions. Use them if required -";
    assert_eq!(conversation.messages[0], Message::system(system));
    assert_eq!(conversation.messages[1], Message::user("News?"));
    let call = &conversation.messages[2];
    assert_eq!((&call.content, call.tool_calls.len()), (&None, 1));
    assert_eq!(call.tool_calls[0].name, "get_news");
    assert_eq!(
        call.tool_calls[0].arguments.get("city"),
        Some(&"Oslo".into())
    );
    assert_eq!(conversation.messages[3], tool("{\"news\": []}"));
    assert_eq!(
        conversation.messages[4],
        Message::assistant("None.\nASK AGAIN: later.")
    );
    let function = conversation.tools[0].get("function").unwrap();
    assert_eq!(function.get("name"), Some(&"get_news".into()));

    let line =
        r#"{"system":"SYSTEM: Help.","chat":"USER: Hi\n\n\nASSISTANT: Hello <|endoftext|>"}"#;
    let expected = [
        Message::system("Help."),
        Message::user("Hi"),
        Message::assistant("Hello"),
    ];
    assert_eq!(chat(&parse(line)).messages, expected);
}

#[test]
fn openai_examples() {
    let dataset = read("tools.jsonl");
    let messages = &chat(&dataset).messages;
    assert_eq!(messages[1].content, None);
    assert_eq!(messages[1].tool_calls[0].id.as_deref(), Some("c"));
    assert_eq!(
        messages[1].tool_calls[0].arguments,
        Json::Object(Vec::new())
    );
    let mut answer = tool("9");
    answer.tool_call_id = Some("c".to_owned());
    assert_eq!(messages[2], answer);

    let dataset = read("weight.jsonl");
    let weights: Vec<f32> = chat(&dataset)
        .messages
        .iter()
        .map(|message| message.weight)
        .collect();
    assert_eq!(weights, [1.0, 0.0, 1.0, 1.0]);

    let dataset = read("parts.jsonl");
    let expected = [Message::user("Big? One word."), Message::assistant("small")];
    assert_eq!(chat(&dataset).messages, expected);

    let dataset = read("developer.jsonl");
    let messages = &chat(&dataset).messages;
    assert_eq!(messages[0], Message::system("Be terse"));
    assert_eq!(messages[1].name.as_deref(), Some("ann"));
    assert_eq!(dataset.notes.conversions.len(), 1);

    let line = r#"{"messages":[{"role":"user","content":"Weather?"},{"role":"assistant","function_call":{"name":"get","arguments":"{\"city\": \"Oslo\"}"}},{"role":"function","name":"get","content":"sun"},{"role":"assistant","content":"Sunny"}],"functions":[{"name":"get","parameters":{}}],"parallel_tool_calls":false}"#;
    let dataset = parse(line);
    let conversation = chat(&dataset);
    assert_eq!(conversation.messages[1].tool_calls[0].name, "get");
    let mut answer = tool("sun");
    answer.name = Some("get".to_owned());
    assert_eq!(conversation.messages[2], answer);
    let function = conversation.tools[0].get("function").unwrap();
    assert_eq!(function.get("name"), Some(&Json::from("get")));
    assert_eq!(ignored(&dataset), ["parallel_tool_calls"]);
}

#[test]
fn reasoning() {
    let line = r#"{"messages":[{"role":"user","content":"2+2?"},{"role":"assistant","reasoning_content":"Add.","content":"4"}],"chat_template_kwargs":{"enable_thinking":true}}"#;
    let dataset = parse(line);
    let conversation = chat(&dataset);
    assert_eq!(conversation.messages[1].reasoning.as_deref(), Some("Add."));
    assert_eq!(
        conversation.template_args,
        [("enable_thinking".to_owned(), Json::Bool(true))]
    );
}

#[test]
fn gsm8k() {
    let line = r#"{"question":"Natalia sold 48 clips and half as many. How many?","answer":"48/2 = <<48/2=24>>24\n#### 72"}"#;
    let dataset = parse(line);
    let messages = &chat(&dataset).messages;
    assert_eq!(
        messages[0],
        Message::user("Natalia sold 48 clips and half as many. How many?")
    );
    assert!(messages[1].text().ends_with("#### 72"));
    assert_eq!(dataset.notes.formats, [(Format::QuestionAnswer, 1)].into());
}

#[test]
fn texts() {
    let dataset = read("text.jsonl");
    assert_eq!(dataset.rows[0].example, Example::Text("Once.".to_owned()));
}

#[test]
fn lists() {
    let dataset = read("array.json");
    assert_eq!(dataset.rows.len(), 3);
    assert_eq!(dataset.rows[0].line, 2);
    assert_eq!(dataset.rows[1].line, 6);
}

fn pair(dataset: &Dataset) -> (&Example, &Example) {
    match &dataset.rows[0].example {
        Example::Preference { chosen, rejected } => (chosen, rejected),
        other => panic!("{other:?}"),
    }
}

#[test]
fn ultrafeedback_pairs() {
    let line = r#"{"prompt":"Why?","prompt_id":"a1","chosen":[{"content":"Why?","role":"user"},{"content":"Because.","role":"assistant"}],"rejected":[{"content":"Why?","role":"user"},{"content":"No.","role":"assistant"}],"messages":[{"content":"Why?","role":"user"},{"content":"Because.","role":"assistant"}],"score_chosen":8.5,"score_rejected":3.0}"#;
    let dataset = parse(line);
    let mut prompt = Message::user("Why?");
    prompt.weight = 0.0;
    let side = |answer: &str| Example::Chat([prompt.clone(), Message::assistant(answer)].into());
    assert_eq!(pair(&dataset), (&side("Because."), &side("No.")));
    assert_eq!(
        ignored(&dataset),
        ["messages", "prompt_id", "score_chosen", "score_rejected"]
    );
}

#[test]
fn pairs_of_texts() {
    let completion = |prompt: &str, completion: &str| Example::Completion {
        prompt: prompt.to_owned(),
        completion: completion.to_owned(),
    };
    let dataset = parse(r#"{"prompt":"a","chosen":" b","rejected":" c"}"#);
    assert_eq!(
        pair(&dataset),
        (&completion("a", " b"), &completion("a", " c"))
    );
    let line = r#"{"chosen":"\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: A?\n\nAssistant: I see","rejected":"\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: A?\n\nAssistant: I do not"}"#;
    let dataset = parse(line);
    let prompt = "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: A?\n\nAssistant:";
    assert_eq!(
        pair(&dataset),
        (
            &completion(prompt, " I see"),
            &completion(prompt, " I do not")
        )
    );
}

#[test]
fn problems() {
    let line = r#"{"data_source":"math","prompt":[{"role":"user","content":"2+2?"}],"answer":"4","extra_info":{"split":"train"}}"#;
    let dataset = parse(line);
    let Example::Problem {
        prompt,
        answer,
        metadata,
    } = &dataset.rows[0].example
    else {
        panic!("{dataset:?}");
    };
    assert_eq!(prompt, &Prompt::Chat([Message::user("2+2?")].into()));
    assert_eq!(answer, &Some("4".into()));
    let names: Vec<&str> = metadata.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["data_source", "extra_info"]);
}

#[test]
fn tokens() {
    let weights = |dataset: &Dataset| match &dataset.rows[0].example {
        Example::Tokens(datum) => datum.loss_fn_inputs["weights"].as_f32().unwrap().to_vec(),
        other => panic!("{other:?}"),
    };
    let dataset = parse(r#"{"tokens":[5,6,7],"weights":[0,0.5,1]}"#);
    assert_eq!(
        weights(&dataset),
        [0.5, 1.0],
        "the first token is never predicted"
    );
    let line = r#"{"input_ids":[5,6,7],"labels":[-100,-100,7],"attention_mask":[1,1,1]}"#;
    assert_eq!(weights(&parse(line)), [0.0, 1.0]);
    let Example::Tokens(datum) = &dataset.rows[0].example else {
        panic!("{dataset:?}");
    };
    let written = serde_json::to_string(datum).unwrap();
    assert_eq!(parse(&written).rows[0].example, dataset.rows[0].example);
}

#[test]
fn faults_are_named_with_their_place() {
    for (name, place, reason) in [
        (
            "doubled-key.jsonl",
            (Some(1), Some(47)),
            "the key \"content\" is repeated",
        ),
        (
            "lone-surrogate.jsonl",
            (Some(1), Some(14)),
            "has half of a surrogate pair, \\ud83d",
        ),
        ("utf16.jsonl", (None, None), "is UTF-16 text, not UTF-8"),
    ] {
        let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
        let error = Dataset::parse(name, &std::fs::read(path).unwrap()).unwrap_err();
        let fault = &error.lines()[0];
        assert_eq!((fault.line(), fault.column()), place, "{error}");
        assert_eq!(fault.reason(), reason);
    }
}
