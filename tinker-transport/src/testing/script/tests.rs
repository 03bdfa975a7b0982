use super::*;
use crate::fixture::{chunks, request};
use crate::flow::class::Class;
use crate::request::call::Call;
use crate::stack::transport::Transport;

fn ask() -> Request<Body> {
    request(Call::new("x", Class::Rest))
}

#[tokio::test]
async fn answers_come_in_order_and_requests_are_kept_whole() {
    let broken = TransportError::new(Kind::Interrupted, Stage::MaybeReceived, "broke");
    let script = Script::new().answer(201, "one").fail(broken);
    let transport = Transport::new(script.clone());
    let mut streaming = ask();
    *streaming.body_mut() = chunks(&["ab", "cd"]);
    let response = transport.call(streaming).await.unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(response.into_body().collect(9).await.unwrap(), "one");
    let error = transport.call(ask()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Interrupted);

    let error = transport.call(ask()).await.unwrap_err();
    let text = "the script has no answer left for its request 3, POST /x";
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (Kind::Layer, text)
    );
    let requests = script.requests();
    assert_eq!(requests[0].body(), "abcd");
    assert_eq!(Call::of(&requests[1]).operation, "x");
}

#[test]
#[should_panic(expected = "2 answers of a script were not used; it saw 0 requests")]
fn an_answer_nobody_asked_for_is_a_failure() {
    let script = Script::new().answer(200, "").answer(200, "");
    drop(Transport::new(script.clone()));
    drop(script);
}
