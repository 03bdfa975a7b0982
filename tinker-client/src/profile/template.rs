//! The commented example of a profile file.

/// Content of a new profile file: comments only.
pub const TEMPLATE: &str = r#"# Servers of the `tinker` command and of tinker_client::profile.
#
# default = "work"              # the server when no option and no variable names one
#
# [servers.work]                # tinker ... --server work
# like = "skyrl"                # begin with a built-in profile: `tinker config list`
# base_url = "http://gpu-box:8000"
# key_command = "pass show work"  # or key_env = "WORK_KEY", or key = "tml-..." (this file is private)
# key_header = "X-API-Key"
# wire = "auto"                 # auto, json, protobuf
# forward_only = "auto"         # auto, tested, flag, url
# official_form = false         # send optional fields at their defaults, as the official client does
# sdk_version = "0.38.0"        # version of the official client to claim
# path_scheme = "tinker"        # scheme of checkpoint paths
# proxy = "system"              # system, direct, or a URL
# ca = "/etc/ssl/work.pem"      # further trusted certificates
# client_certificate = "me.pem" # with client_key, for servers that ask for one
# client_key = "me.key"
# project = "p-1"
# telemetry = true
# unreachable_after = 300       # seconds without contact after which accepted work fails
# breaker = false               # refuse requests while the server keeps failing
# adaptive = false              # adapt the number of concurrent requests
# hedge = 0.95                  # repeat reads that are slower than this share of the others
#
# [servers.work.headers]        # {model} and {request} in a value vary with the request
# X-Team = "research"
#
# [servers.work.limits.sample]  # session, sample, train, retrieve, rest, telemetry
# concurrency = 64
# timeout = 60                  # seconds
# connect_timeout = 10          # seconds
# bytes = 10485760
"#;
