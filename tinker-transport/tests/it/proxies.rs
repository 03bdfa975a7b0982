//! Proxies of every kind between the network leaf and a server.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http::Request;
use tinker_transport::policy::Never;
use tinker_transport::{Body, Call, Class, Proxy, Transport, TransportConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::server::{Server, ok};
use crate::tls;

/// The header of the user and the password in the URL of a proxy.
const CREDENTIAL: &str = "proxy-authorization: Basic bWU6aHVudGVyMg==";

/// Language of a proxy.
#[derive(Debug, Clone, Copy)]
enum Language {
    Http,
    Socks4,
    Socks5,
}

/// A proxy, and the requests that it received, one for each connection.
struct Relay {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Relay {
    async fn start(language: Language) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = Self {
            address: listener.local_addr().unwrap(),
            asked: Arc::default(),
        };
        let asked = Arc::clone(&relay.asked);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(language, client, Arc::clone(&asked)));
            }
        });
        relay
    }

    fn proxy(&self, scheme: &str) -> Proxy {
        Proxy::Url(format!("{scheme}://me:hunter2@{}", self.address))
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(
    language: Language,
    mut client: TcpStream,
    asked: Arc<Mutex<Vec<String>>>,
) -> io::Result<()> {
    let (request, mut server) = match language {
        Language::Http => http(&mut client).await?,
        Language::Socks4 => socks4(&mut client).await?,
        Language::Socks5 => socks5(&mut client).await?,
    };
    asked.lock().unwrap().push(request);
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

/// Opens a tunnel for CONNECT, or passes the request on to the server in its URL.
async fn http(client: &mut TcpStream) -> io::Result<(String, TcpStream)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let target = text.split(' ').nth(1).unwrap().replace("http://", "");
    let mut server = TcpStream::connect(target.split('/').next().unwrap()).await?;
    if text.starts_with("connect ") {
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    } else {
        server.write_all(&head).await?;
    }
    Ok((text, server))
}

async fn socks4(client: &mut TcpStream) -> io::Result<(String, TcpStream)> {
    let mut request = [0; 8];
    client.read_exact(&mut request).await?;
    while client.read_u8().await? != 0 {}
    let port = u16::from_be_bytes([request[2], request[3]]);
    let server = TcpStream::connect(("127.0.0.1", port)).await?;
    client.write_all(&[0, 90, 0, 0, 0, 0, 0, 0]).await?;
    Ok((
        format!("version {}, address {:?}", request[0], &request[4..]),
        server,
    ))
}

async fn socks5(client: &mut TcpStream) -> io::Result<(String, TcpStream)> {
    let mut greeting = [0; 2];
    client.read_exact(&mut greeting).await?;
    let mut methods = vec![0; greeting[1].into()];
    client.read_exact(&mut methods).await?;
    assert!(methods.contains(&2), "a user is offered: {methods:?}");
    client.write_all(&[5, 2]).await?;
    let mut login = [0; 12];
    client.read_exact(&mut login).await?;
    client.write_all(&[1, 0]).await?;
    let mut request = [0; 4];
    client.read_exact(&mut request).await?;
    let length = match request[3] {
        1 => 4,
        4 => 16,
        _ => client.read_u8().await?.into(),
    };
    let mut host = vec![0; length];
    client.read_exact(&mut host).await?;
    let port = client.read_u16().await?;
    let server = TcpStream::connect(("127.0.0.1", port)).await?;
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    let (login, host) = (login.escape_ascii(), host.escape_ascii());
    Ok((
        format!("version {}, login {login}, host {host}", greeting[0]),
        server,
    ))
}

/// Sends a request, which is answered with `answer`.
async fn check(config: TransportConfig) {
    let transport = Transport::from_config(config).unwrap();
    let call = Call::new("x", Class::Rest).with_policy(Never);
    let request = Request::post("/x")
        .extension(call)
        .body(Body::from("hello"));
    let response = transport.call(request.unwrap()).await.unwrap();
    assert_eq!(response.into_body().collect(100).await.unwrap(), "answer");
}

#[tokio::test]
async fn a_server_without_tls_is_reached_through_each_kind() {
    for (language, scheme) in [
        (Language::Http, "http"),
        (Language::Socks4, "socks4"),
        (Language::Socks5, "socks5"),
        (Language::Socks5, "socks5h"),
    ] {
        let server = Server::start(|_, _| ok("answer")).await;
        let relay = Relay::start(language).await;
        check(TransportConfig::new(server.url()).with_proxy(relay.proxy(scheme))).await;
        let asked = relay.asked().join("\n");
        match language {
            Language::Http => {
                let line = format!("post {}/x http/1.1", server.url());
                assert!(asked.starts_with(&line), "{asked}");
                assert!(asked.contains(&CREDENTIAL.to_ascii_lowercase()), "{asked}");
            }
            Language::Socks4 => assert_eq!(asked, "version 4, address [127, 0, 0, 1]"),
            Language::Socks5 => {
                let expected = r"version 5, login \x01\x02me\x07hunter2, host \x7f\x00\x00\x01";
                assert_eq!(asked, expected);
                assert_eq!(server.seen()[0].header("proxy-authorization"), None);
            }
        }
    }
}

#[tokio::test]
async fn a_server_with_tls_is_reached_through_a_tunnel() {
    for (language, scheme) in [(Language::Http, "http"), (Language::Socks5, "socks5h")] {
        let server = tls::Server::start().await;
        let relay = Relay::start(language).await;
        let config = server
            .config()
            .with_root_certificates(server.certificate.clone())
            .with_proxy(relay.proxy(scheme));
        check(config).await;
        assert_eq!(server.versions(), [http::Version::HTTP_2], "{scheme}");
        let asked = relay.asked().join("\n");
        let port = server.address.port();
        match language {
            Language::Http => {
                assert!(
                    asked.starts_with(&format!("connect localhost:{port} ")),
                    "{asked}"
                );
                assert!(asked.contains(&CREDENTIAL.to_ascii_lowercase()), "{asked}");
            }
            _ => assert!(asked.ends_with("host localhost"), "{asked}"),
        }
    }
}
