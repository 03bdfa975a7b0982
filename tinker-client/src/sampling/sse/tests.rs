use proptest::prelude::*;
use tinker_types::StopReason;

use super::*;

const STREAM: &str = "event: accepted\ndata: {\"request_id\":\"r\",\"sample_sequence_ids\":[\"q\"]}\n\n: waiting\n\nevent: tokens\ndata: {\"sequence\":0,\"tokens\":[1,2],\"logprobs\":[-0.5,-1.0],\"stop_reason\":\"stop\"}\n\nevent: later\ndata: {}\n\nevent: done\ndata: {\"type\":\"sample\",\"sequences\":[{\"stop_reason\":\"stop\",\"tokens\":[1,2]}]}\n\n";

/// The events of these chunks, errors as text.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Result<SampleEvent, String>> {
    let (mut events, mut found) = (Events::new(10_000), VecDeque::new());
    for piece in pieces {
        events.read(piece, &mut found);
    }
    let events = found.into_iter();
    events
        .map(|event| event.map_err(|error| error.to_string()))
        .collect()
}

/// Cuts bytes into pieces of these lengths, again and again.
fn cut<'a>(mut bytes: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for &length in lengths.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (piece, rest) = bytes.split_at(length.min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

#[test]
fn the_last_event_has_the_names_of_the_sequences() {
    let told = read([STREAM.as_bytes()]);
    let [
        Ok(SampleEvent::Tokens {
            tokens,
            stop_reason,
            ..
        }),
        Ok(SampleEvent::Done(response)),
    ] = &told[..]
    else {
        panic!("{told:?}");
    };
    assert_eq!(*tokens, [1, 2]);
    assert_eq!(*stop_reason, Some(StopReason::Stop));
    let id = response.sequences[0].sequence_id.as_ref();
    assert_eq!(id.map(SequenceId::as_str), Some("q"));
}

#[test]
fn a_failure_is_an_error_with_its_request_and_the_last_that_is_told() {
    let text = "event: accepted\ndata: {\"request_id\":\"r-1\"}\n\nevent: tokens\ndata: {\"sequence\":0,\"tokens\":[1]}\n\nevent: error\ndata: {\"error\":\"no room\",\"category\":\"server\"}\n\nevent: tokens\ndata: {\"sequence\":0,\"tokens\":[2]}\n\n";
    let told = read([text.as_bytes()]);
    assert_eq!(
        told.len(),
        2,
        "events before the error are returned: {told:?}"
    );
    let error = told[1].as_ref().unwrap_err();
    assert!(
        error.contains("no room") && error.contains("r-1"),
        "{error}"
    );
}

#[test]
fn an_event_has_an_end() {
    let endless = format!("event: tokens\ndata: {}", "1".repeat(20_000));
    let mut pieces = cut(endless.as_bytes(), &[7]);
    pieces.push(STREAM.as_bytes());
    let told = read(pieces);
    assert_eq!(told.len(), 1);
    let error = told[0].as_ref().unwrap_err();
    assert!(error.contains("more than 10000 bytes"), "{error}");
    // Many events are not one long one.
    let many = STREAM.repeat(1000);
    assert_eq!(read(cut(many.as_bytes(), &[4096])).len(), 2000);
}

/// Looking through an event from its start with each piece would take hours here.
#[test]
fn a_large_event_in_small_pieces_is_read_in_one_go() {
    let tokens = vec!["7"; 2 << 20].join(",");
    let text = format!("event: tokens\ndata: {{\"sequence\":0,\"tokens\":[{tokens}]}}\n\n");
    let (mut events, mut found) = (Events::new(1 << 30), VecDeque::new());
    for byte in text.as_bytes() {
        events.read(std::slice::from_ref(byte), &mut found);
    }
    let event = found.pop_front().unwrap().unwrap();
    assert!(matches!(event, SampleEvent::Tokens { tokens, .. } if tokens.len() == 2 << 20));
}

/// A piece of a stream: whole events, and things that come close.
fn part() -> impl Strategy<Value = String> {
    let tokens = proptest::collection::vec(0..300_u32, 0..5).prop_map(|tokens| {
        format!("event: tokens\ndata: {{\"sequence\":0,\ndata:\"tokens\":{tokens:?}}}\n\n")
    });
    let parts: Vec<_> = STREAM.split_inclusive("\n\n").map(str::to_owned).collect();
    let odd = [
        "event: error\ndata: {\"error\":\"e\"}\n\n",
        "event: tokens\ndata: {}\n\n",
        "event: tokens\n",
        "\n",
        "\r",
        ": \u{fc}\n\n",
        "data: 1\n\n\n",
    ];
    prop_oneof![
        4 => tokens,
        4 => proptest::sample::select::<String>(parts),
        1 => proptest::sample::select(odd.map(str::to_owned).to_vec()),
    ]
}

proptest! {
    #[test]
    fn events_are_the_same_however_they_are_cut(
        parts in proptest::collection::vec((part(), 0..3_usize), 0..20),
        lengths in proptest::collection::vec(1_usize..40, 1..40),
    ) {
        let ends = ["\n", "\r\n", "\r"];
        let text: String = parts.iter().map(|(part, end)| part.replace('\n', ends[*end])).collect();
        let whole = read([text.as_bytes()]);
        prop_assert_eq!(&read(cut(text.as_bytes(), &lengths)), &whole);
        prop_assert_eq!(read(cut(text.as_bytes(), &[1])), whole);
    }

    #[test]
    fn ends_of_lines_are_all_the_same(end in proptest::sample::select(vec!["\r\n", "\r"])) {
        prop_assert_eq!(read([STREAM.replace('\n', end).as_bytes()]), read([STREAM.as_bytes()]));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        read([bytes.as_slice()]);
    }
}
