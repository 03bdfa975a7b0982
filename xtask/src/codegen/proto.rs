//! Rust code from the protobuf schema, without protoc.

use anyhow::Context;

use crate::output::{CODEGEN, Mode, workspace_root};

const FILE: &str = "tinker_public.proto";

pub(super) fn run(mode: Mode) -> anyhow::Result<()> {
    let folder = workspace_root().join("tinker-types/proto");
    let files = protox::compile([FILE], [folder])?;
    let out = tempfile::tempdir()?;
    prost_build::Config::new()
        // Payloads share the body they arrived in; maps are ordered.
        .bytes(["."])
        .btree_map(["."])
        .out_dir(out.path())
        .compile_fds(files)?;
    let name = FILE.replace(".proto", ".rs");
    let code = std::fs::read_to_string(out.path().join(&name)).context("prost wrote no file")?;
    mode.apply(
        &format!("tinker-types/src/proto/generated/{name}"),
        &code,
        CODEGEN,
    )
}
