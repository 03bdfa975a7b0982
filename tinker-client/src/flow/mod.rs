//! Flow control: the limits on what a client has in flight.
//!
//! Every limit has one owner. A call passes them in this order:
//!
//! | limit | default | applies to | set by |
//! |---|---|---|---|
//! | `at_once` of [`sample_many`](crate::SamplingClient::sample_many) | none | samples of one stream | the caller |
//! | sample slots | 2000 per sampler | samples, from submission to result | server flag `sample_max_concurrent_requests` |
//! | turns | 1 submission per model | training operations: the next one is sent when the previous one was accepted | the protocol |
//! | split of a batch | 1024 data, 5 MB per request | `forward`, `forward_backward` | server flags `fwdbwd_max_chunk_len`, `fwdbwd_max_chunk_bytes_count` |
//! | pass bytes | 50 MB | training requests being encoded and sent | server flag `fwdbwd_dispatch_bytes_semaphore_size` |
//! | class permits | sample 400, session 64, train 32, REST 32, telemetry 4, polls unlimited | calls, from admission to the head of the answer, all retries included | [`ClassLimits::concurrency`](tinker_transport::ClassLimits) in [`Config::limits`](crate::Config::limits) |
//! | class bytes | sample 10 MiB, train 50 MB | the same calls, by weight | [`ClassLimits::bytes`](tinker_transport::ClassLimits), or the server flags `sample_dispatch_bytes_semaphore_size` and `fwdbwd_dispatch_bytes_semaphore_size` where they differ from the defaults |
//! | careful admission | 10 samples, 20 times their weight | samples while a 429 is recent (10 s after the cool-down) | the transport |
//! | retry budget | 20 retries a second and 50 % of the calls | retries; they are delayed, never refused | the transport |
//! | gate | closed for 1 s (samples up to 128 KiB) or 5 s after a 429 | samples of all clients with the same base URL and key | the server, by its answers |
//! | pause | 5 s steps, at most 1 h | all calls but sessions and telemetry after a 402 | the server; limit: flag `billing_exception_max_pause_duration_sec` |
//! | circuit breaker | off | tries of one class or origin | [`Config::with_breaker`](crate::Config::with_breaker) |
//! | adaptive limit | off; starts at 20, from 1 to 400 | tries of samples and REST | [`Config::with_adaptive`](crate::Config::with_adaptive) |
//! | hedging | off; at most 5 % more reads | slow GET requests | [`Config::with_hedge`](crate::Config::with_hedge) |
//! | streams per connection | sample and retrieve 1,000; train 1; others 50; fewer if the server accepts fewer | requests on one HTTP connection; more connections are opened as needed | [`ClassLimits::per_connection`](tinker_transport::ClassLimits) |
//! | answer bytes | 50 MiB | results above the server's inline size, from request to decoding | server flag `inflight_response_bytes_semaphore_size` |
//! | answer size | 1 GiB | one answer | [`Config::answer_limit`](crate::Config::answer_limit) |
//! | cancellations | 64 at once | dropped samples | server flags `sample_cancel_enabled`, `sample_cancel_max_batch_size` |
//! | telemetry queue | 10,000 events, 100 per request | further events are dropped | - |
//!
//! The weight of a sample is 10 bytes per prompt token plus the size of its images and audio; that of a training
//! request is the estimated size of its data; that of other calls is the size of the body. A call heavier than a byte
//! limit takes the whole limit instead of blocking forever.
//!
//! # Effective concurrency
//!
//! Samples of one sampler that the server works on at the same time: the smallest of `at_once`, the sample slots, and
//! what the server runs at once. Polls have no limit on the client, so waiting for results costs no permits.
//!
//! Submissions per second: `p / t`, where `t` is the round-trip time of a submission and `p` the number of permits: the
//! smaller of 400 and `10 MiB / (10 * prompt tokens)`. With prompts of 1000 tokens the bytes allow 1048 submissions, so
//! the 400 permits decide: at 50 ms round-trip time about 8000 samples a second. With prompts of 10,000 tokens the bytes
//! decide: 104 permits, about 2000 a second. While a 429 is recent these are 10 permits and a twentieth of the bytes.
//!
//! Training operations of one model overlap on the server as far as they were accepted; a client submits one operation
//! of a model at a time, with all its requests in parallel if the flag `parallel_fwdbwd_chunks` is set.
//!
//! [`Pending::waiting`](crate::Pending::waiting) reports what one operation waits for;
//! [`Metrics`](crate::Metrics) count the time that calls waited for permits and at the gate (`held`), and the events
//! of [`ServiceClient::observers`](crate::ServiceClient::observers) report every such wait.

pub(crate) mod budget;
pub(crate) mod limits;
