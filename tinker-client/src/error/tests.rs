use super::*;
use http::StatusCode;
use tinker_transport::Stage;

fn status(code: u16, during_retrieve: bool) -> Error {
    let status = StatusCode::from_u16(code).unwrap();
    let error = StatusError::new(status, "optim_step", "no".into());
    let error = if during_retrieve {
        error.with_request_id("req-1".into())
    } else {
        error
    };
    error.into()
}

#[test]
fn whose_fault_and_whether_it_happened() {
    for (error, user, retryable, done) in [
        (status(422, false), true, false, false),
        (status(422, true), true, false, true),
        (status(429, false), false, true, false),
        (status(409, false), false, true, true),
        (status(503, false), false, true, true),
        (
            InvalidValue::new("data", "is empty").into(),
            true,
            false,
            false,
        ),
        (
            Gone::new("asample", "r".into(), true, String::new()).into(),
            false,
            true,
            true,
        ),
        (
            Gone::new("optim_step", "r".into(), false, String::new()).into(),
            false,
            false,
            true,
        ),
        (Closed::by_caller().into(), false, false, false),
    ] {
        assert_eq!(error.is_user_error(), user, "{error}");
        assert_eq!(error.is_retryable(), retryable, "{error}");
        assert_eq!(error.may_have_been_done(), done, "{error}");
    }
}

#[test]
fn an_error_reads_like_a_sentence() {
    let refused = std::io::Error::other("connection refused");
    let transport =
        TransportError::new(Kind::Connect, Stage::NotSent, "cannot connect to http://h")
            .with_source(ConfigError::new("connect error").because(refused));
    let error = Error::from(transport);
    let short = "cannot connect to http://h: connection refused";
    assert_eq!(error.to_string(), short);
    assert_eq!(format!("{error:?}"), short);
    let all = "cannot connect to http://h: connect error: connection refused";
    assert_eq!(format!("{error:#}"), all);
    assert!(
        std::error::Error::source(&error).is_none(),
        "it would be printed twice"
    );
    let partly = Error::from(PartlyDone::new("forward", 1, 2, error));
    let text = partly.to_string();
    assert_eq!(
        text,
        format!("forward: 1 of 2 requests of the batch were done: {short}")
    );
}

#[test]
fn an_error_is_small() {
    assert!(size_of::<Error>() <= 64, "{}", size_of::<Error>());
}
