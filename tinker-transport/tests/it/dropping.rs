//! Calls can be dropped at any point of waiting, and release everything they hold.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Frame;
use tinker_transport::layer::{AdaptiveLayer, BreakerLayer, HedgeLayer};
use tinker_transport::{
    Body, BoxError, Call, Class, ClassLimits, Compression, Credential, CredentialFuture, Replay,
    Token, Transport, TransportBuilder, TransportConfig,
};

const SECOND: Duration = Duration::from_secs(1);

/// A server that takes a second for each response, and its responses: then 200 for all further requests.
#[derive(Clone)]
struct Server {
    answers: Arc<[Answer]>,
    asked: Arc<AtomicUsize>,
    under_way: Arc<AtomicUsize>,
}

#[derive(Clone, Copy)]
enum Answer {
    Status(u16),
    /// 401 with `invalid_token`.
    InvalidToken,
    /// 200 after this many seconds.
    Late(u64),
    /// 200 with a body in pieces, one a second.
    Pieces(u32),
}

/// Counts its instances.
struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Pieces {
    left: u32,
    sleep: Pin<Box<tokio::time::Sleep>>,
    _under_way: UnderWay,
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        std::task::ready!(self.sleep.as_mut().poll(context));
        self.left -= 1;
        self.sleep = Box::pin(tokio::time::sleep(SECOND));
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"piece")))))
    }
}

impl Server {
    fn new(answers: &[Answer]) -> Self {
        Self {
            answers: answers.into(),
            asked: Arc::default(),
            under_way: Arc::default(),
        }
    }

    async fn answer(self, request: Request<Body>) -> Result<Response<Body>, Infallible> {
        let under_way = UnderWay::new(&self.under_way);
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers.get(number).copied();
        let answer = answer.unwrap_or(Answer::Status(200));
        tokio::time::sleep(SECOND).await;
        tokio::task::yield_now().await;
        drop(request);
        let mut response = Response::new(Body::empty());
        match answer {
            Answer::Status(status) => *response.status_mut() = status.try_into().unwrap(),
            Answer::InvalidToken => {
                *response.status_mut() = http::StatusCode::UNAUTHORIZED;
                let challenge = r#"Bearer error="invalid_token""#.parse().unwrap();
                response.headers_mut().insert("www-authenticate", challenge);
            }
            Answer::Late(seconds) => tokio::time::sleep(SECOND * seconds as u32).await,
            Answer::Pieces(left) => {
                *response.body_mut() = Body::new(Pieces {
                    left,
                    sleep: Box::pin(tokio::time::sleep(SECOND)),
                    _under_way: under_way,
                });
            }
        }
        Ok(response)
    }
}

/// A credential that takes a second for each operation.
#[derive(Debug)]
struct Slow;

impl Credential for Slow {
    fn token(&self) -> CredentialFuture<'_, Token> {
        Box::pin(async {
            tokio::time::sleep(SECOND).await;
            Ok(Token::new("tml-first"))
        })
    }

    fn renew<'a>(&'a self, _: &'a Token) -> CredentialFuture<'a, Option<Token>> {
        Box::pin(async {
            tokio::time::sleep(SECOND).await;
            Ok(Some(Token::new("tml-second")))
        })
    }
}

/// All layers that can hold a call.
fn stack(server: &Server, permits: usize, tries: usize) -> Transport {
    let mut config = TransportConfig::new("http://engine.test")
        .with_credential(Slow)
        .with_hedge(HedgeLayer::after(SECOND * 5))
        .with_breaker(
            BreakerLayer::per_class()
                .with_window(1)
                .with_minimum(1)
                .with_failure_share(1.0),
        )
        .with_adaptive(
            AdaptiveLayer::new()
                .with_initial(tries)
                .with_range(1..=tries)
                .with_classes(&Class::ALL),
        );
    for class in Class::ALL {
        let limits = ClassLimits::of(class)
            .with_concurrency(NonZeroUsize::new(permits).unwrap())
            .with_bytes(1_000_000);
        config = config.with_limits(class, limits);
    }
    let server = server.clone();
    TransportBuilder::from_config(config)
        .leaf(tower::service_fn(move |request| {
            server.clone().answer(request)
        }))
        .build()
        .unwrap()
}

/// One course of a call.
struct Course {
    name: &'static str,
    answers: &'static [Answer],
    method: Method,
    class: Class,
    /// Preceding calls: the first `before` are awaited, and then the time passes after which an open breaker sends
    /// a probe.
    before: usize,
    /// Whether another call holds the only permit.
    is_behind: bool,
    permits: usize,
    tries: usize,
    compression: Compression,
    /// Least number of polls until its end.
    polls: usize,
}

const USUAL: Course = Course {
    name: "",
    answers: &[],
    method: Method::POST,
    class: Class::Train,
    before: 0,
    is_behind: false,
    permits: 1,
    tries: 1,
    compression: Compression::None,
    polls: 4,
};

fn courses() -> Vec<Course> {
    use Answer::{InvalidToken, Late, Pieces, Status};
    let course = |name, answers, polls| Course {
        name,
        answers,
        polls,
        ..USUAL
    };
    vec![
        course("plain", &[], 4),
        course("back-off", &[Status(409), Status(429)], 12),
        Course {
            class: Class::Sample,
            ..course("gate", &[Status(429), Status(402)], 12)
        },
        course("new token", &[InvalidToken], 7),
        course("body", &[Pieces(3)], 7),
        Course {
            method: Method::GET,
            tries: 2,
            ..course("hedge", &[Late(20), Late(5)], 6)
        },
        Course {
            method: Method::GET,
            ..course("hedge without a place", &[Late(20)], 5)
        },
        Course {
            before: 1,
            ..course("probe", &[Status(503)], 4)
        },
        Course {
            is_behind: true,
            ..course("permit", &[Late(5)], 5)
        },
        Course {
            is_behind: true,
            permits: 2,
            ..course("adaptive limit", &[Late(5)], 5)
        },
        Course {
            compression: Compression::Zstd,
            ..course("compression", &[], 4)
        },
    ]
}

impl Course {
    fn request(&self, body: &Bytes) -> Request<Body> {
        let call = Call::new("x", self.class)
            .with_replay(Replay::Safe)
            .with_compression(self.compression);
        let mut request = Request::new(Body::from(body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = "/api/v1/x".parse().unwrap();
        request.extensions_mut().insert(call);
        request
    }

    /// Drops the call at the poll with this number. False: it had ended before.
    async fn drop_at(&self, number: usize) -> bool {
        let server = Server::new(self.answers);
        let transport = stack(&server, self.permits, self.tries);
        // Beyond the size up to which bodies are compressed on the spot.
        let body = Bytes::from((0..300_000_u32).map(|n| n as u8).collect::<Vec<_>>());
        for _ in 0..self.before {
            let call = Call::new("before", self.class);
            let request = Request::post("/before").extension(call);
            transport
                .call(request.body(Body::empty()).unwrap())
                .await
                .unwrap();
            tokio::time::sleep(SECOND * 10).await;
        }
        let ahead = self.is_behind.then(|| {
            let call = self.request(&Bytes::new());
            tokio::spawn(transport.call(call))
        });
        tokio::task::yield_now().await;
        let tasks = tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks();

        let call = async {
            let response = transport.call(self.request(&body)).await.unwrap();
            assert_eq!(response.status(), 200, "{}", self.name);
            response.into_body().collect(100).await.unwrap();
        };
        let is_dropped = polled(call, number).await.is_none();

        let place = format!("{}, dropped at poll {number}", self.name);
        let is_ahead = ahead.as_ref().is_some_and(|ahead| !ahead.is_finished());
        let under_way = server.under_way.load(Ordering::SeqCst);
        assert!(
            under_way <= usize::from(is_ahead),
            "{place}: a request goes on"
        );
        let alive = tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks();
        assert!(alive <= tasks, "{place}: a task is left");
        if self.compression == Compression::None {
            // A thread that is compressing ends its work first.
            assert!(body.is_unique(), "{place}: someone still has the body");
        }
        if let Some(ahead) = ahead {
            assert_eq!(ahead.await.unwrap().unwrap().status(), 200, "{place}");
        }
        // Every permit, place and probe is back: the next call gets through.
        let next = tokio::time::timeout(SECOND * 600, transport.call(self.request(&body)));
        let response = next.await.expect("the next call is stuck").unwrap();
        assert_eq!(response.status(), 200, "{place}");
        is_dropped
    }
}

/// Polls a future until it ends, or for this number of polls.
async fn polled<F: Future>(future: F, times: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut count = 0;
    poll_fn(|context| {
        if count == times {
            return Poll::Ready(None);
        }
        count += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if count == times => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_at_any_poll_leaves_nothing_behind() {
    for course in courses() {
        let mut polls = 0;
        while course.drop_at(polls).await {
            polls += 1;
            assert!(polls < 200, "{} never ends", course.name);
        }
        let (name, least) = (course.name, course.polls);
        assert!(polls >= least, "{name} waited too rarely: {polls} polls");
    }
}
