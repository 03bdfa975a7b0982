//! The level of compression.

use serde_json::json;
use tinker_types::Datum;

use super::ce;
use crate::fixture::{FakeServer, Reply};
use crate::{Config, LoraConfig};

#[tokio::test(start_paused = true)]
async fn the_level_of_compression_is_that_of_the_configuration() {
    let mut sizes = Vec::new();
    for level in [-7, 12] {
        let server = FakeServer::new();
        server.always("client/config", 200, json!({"proto_compress_fwdbwd": true}));
        let config = Config::new("http://fake")
            .with_telemetry(false)
            .with_compression_level(level);
        let service = server.builder().config(config).build().unwrap();
        let client = service.create_lora_training_client("base", LoraConfig::new(4));
        let client = client.await.unwrap();
        server.on("forward_backward", |_| {
            Some(Reply::json(json!({"request_id": "step-1"})))
        });
        server.on("retrieve_future", |_| {
            Some(Reply::protobuf(bytes::Bytes::new()))
        });
        let ids: Vec<u32> = (0..2000).map(|n| n * n % 97).collect();
        let batch = vec![Datum::supervised(&ids[..1], &ids[1..])];
        client.forward_backward(batch, ce()).await.unwrap();
        sizes.push(server.seen_at("forward_backward")[0].body.len());
    }
    assert!(sizes[0] > sizes[1], "{sizes:?}");
}
