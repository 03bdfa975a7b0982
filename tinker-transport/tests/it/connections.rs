//! Connections in HTTP/1.1: when they are used again, and when they are closed.

#[cfg(not(feature = "reqwest"))]
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
#[cfg(not(feature = "reqwest"))]
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use http::Request;
use tinker_transport::{Body, Call, Class, Transport, TransportConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::leaf::over_network;

fn transport(listener: &TcpListener) -> Transport {
    let address = listener.local_addr().unwrap();
    over_network(TransportConfig::new(format!("http://{address}"))).unwrap()
}

/// Reads a request without a body.
async fn read(stream: &mut TcpStream) {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.unwrap());
    }
}

async fn get(transport: &Transport) -> http::Response<Body> {
    let call = Call::new("x", Class::Rest);
    let request = Request::get("/a").extension(call).body(Body::empty());
    transport.call(request.unwrap()).await.unwrap()
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn a_connection_that_the_server_closed_meanwhile_is_not_used() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let transport = transport(&listener);
    for _ in 0..3 {
        // Never repeated: it must arrive the first time.
        let (response, ()) = tokio::join!(get(&transport), async {
            let (mut stream, _) = listener.accept().await.unwrap();
            read(&mut stream).await;
            stream.write_all(OK).await.unwrap();
        });
        assert_eq!(response.into_body().collect(2).await.unwrap(), "ok");
        // The end of the connection has arrived; the runtime has to look at it.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_connection_is_used_again_when_its_answer_was_read_and_closed_when_it_was_not() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let transport = transport(&listener);
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read(&mut stream).await;
        stream.write_all(OK).await.unwrap();
        // In many pieces, of unknown length.
        read(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head).await.unwrap();
        for _ in 0..1000 {
            stream.write_all(b"400\r\n").await.unwrap();
            stream.write_all(&[7; 0x400]).await.unwrap();
            stream.write_all(b"\r\n").await.unwrap();
        }
        stream.write_all(b"0\r\n\r\n").await.unwrap();
        read(&mut stream).await;
        // Less than announced.
        let part = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok";
        stream.write_all(part).await.unwrap();
        assert_eq!(stream.read(&mut [0; 9]).await.unwrap(), 0, "closed");
        let (mut another, _) = listener.accept().await.unwrap();
        read(&mut another).await;
        another.write_all(OK).await.unwrap();
    });
    let whole = get(&transport).await.into_body().collect(2).await.unwrap();
    assert_eq!(whole, "ok");
    let long = get(&transport).await.into_body().collect(1 << 20).await;
    assert_eq!(long.unwrap(), vec![7; 1000 * 0x400]);
    drop(get(&transport).await);
    let whole = get(&transport).await.into_body().collect(2).await.unwrap();
    assert_eq!(whole, "ok");
    server.await.unwrap();
}

#[tokio::test]
async fn a_dropped_call_closes_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let transport = transport(&listener);
    let call = tokio::spawn(async move { get(&transport).await });
    let (mut stream, _) = listener.accept().await.unwrap();
    read(&mut stream).await;
    call.abort();
    assert_eq!(stream.read(&mut [0; 9]).await.unwrap(), 0, "closed");
}

/// Passes wakes on, and counts them.
#[cfg(not(feature = "reqwest"))]
struct Count {
    task: Mutex<Waker>,
    wakes: AtomicUsize,
}

#[cfg(not(feature = "reqwest"))]
impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
        self.task.lock().unwrap().wake_by_ref();
    }
}

/// A task that is woken while it runs is run once more, and another thread is woken for it.
#[cfg(not(feature = "reqwest"))]
#[tokio::test]
async fn a_call_does_not_wake_itself() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let transport = transport(&listener);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for _ in 0..2 {
            read(&mut stream).await;
            stream.write_all(OK).await.unwrap();
        }
        std::future::pending::<()>().await;
    });
    get(&transport).await.into_body().collect(2).await.unwrap();
    let count = Arc::new(Count {
        task: Mutex::new(Waker::noop().clone()),
        wakes: AtomicUsize::new(0),
    });
    let waker = Waker::from(Arc::clone(&count));
    let wakes = || count.wakes.load(Ordering::Relaxed);
    let mut call = Box::pin(async { get(&transport).await.into_body().collect(2).await });
    let mut own = 0;
    let body = std::future::poll_fn(|context| {
        count.task.lock().unwrap().clone_from(context.waker());
        let before = wakes();
        let polled = call.as_mut().poll(&mut Context::from_waker(&waker));
        own += wakes() - before;
        polled
    });
    assert_eq!(body.await.unwrap(), "ok");
    assert_eq!(own, 0);
}
