"""Runs, checkpoints, sessions and administration, over the REST calls of the client."""

import datetime
import json
import time
import urllib.request

import tinker
from tinker import types

from data import MODEL
from table import refused, row


def names(checkpoints):
    return {checkpoint.checkpoint_id for checkpoint in checkpoints}


def runs_and_checkpoints(service, training):
    rest = service.create_rest_client()
    run_id = training.model_id
    run = rest.get_training_run(run_id).result()
    row("get_training_run", run.base_model == MODEL and run.is_lora and run.lora_rank == 16, run.model_owner)
    found = rest.list_training_runs(limit=100).result()
    listed = {run.training_run_id for run in found.training_runs}
    row("list_training_runs", run_id in listed and found.cursor.total_count >= 3, f"{found.cursor.total_count} runs")
    page = rest.list_training_runs(limit=1, offset=1).result()
    row("list_training_runs, a page", len(page.training_runs) == 1 and page.cursor.offset == 1)

    path = training.save_state("rest", user_metadata={"score": "0.5"}).result().path
    own = rest.list_checkpoints(run_id).result().checkpoints
    row("list_checkpoints", {"weights/rest", "weights/conformance"} <= names(own), f"{len(own)} of the run")
    everything = rest.list_user_checkpoints().result()
    row("list_user_checkpoints", names(own) <= names(everything.checkpoints))
    by_path = rest.get_training_run_by_tinker_path(path).result()
    row("get_training_run_by_tinker_path", by_path.last_checkpoint.checkpoint_id == "weights/rest")
    info = rest.get_weights_info_by_tinker_path(path).result()
    row("get_weights_info_by_tinker_path", (info.base_model, info.lora_rank, info.train_mlp) == (MODEL, 16, True))

    def state():
        found = [c for c in rest.list_checkpoints(run_id).result().checkpoints if c.tinker_path == path]
        return found[0] if found else None

    row("user_metadata of a checkpoint", state().user_metadata == {"score": "0.5"} and state().size_bytes > 0)
    rest.publish_checkpoint_from_tinker_path(path).result()
    public = state().public
    rest.unpublish_checkpoint_from_tinker_path(path).result()
    row("publish, unpublish", public and not state().public)
    rest.set_checkpoint_ttl_from_tinker_path(path, 3600).result()
    expires = state().expires_at
    rest.set_checkpoint_ttl_from_tinker_path(path, None).result()
    row("set_checkpoint_ttl", expires is not None and state().expires_at is None, str(expires))

    copy = rest.copy_weights(path, "elsewhere").result()
    copied = rest.get_training_run_by_tinker_path(copy).result()
    of_project = rest.list_training_runs(project_id="elsewhere").result()
    row("copy_weights", copied.training_run_id in {r.training_run_id for r in of_project.training_runs}, copy)
    resumed = service.create_training_client_from_state_with_optimizer(copy).result()
    row("resume training from a copy", resumed.get_info().lora_rank == 16)

    rest.set_checkpoint_ttl_from_tinker_path(copy, 1).result()
    deadline = time.monotonic() + 10
    while rest.list_training_runs(project_id="elsewhere").result().training_runs[0].last_checkpoint:
        if time.monotonic() > deadline:
            break
        time.sleep(0.2)
    row("a checkpoint expires", time.monotonic() < deadline)
    rest.delete_checkpoint_from_tinker_path(path).result()
    row("delete_checkpoint", state() is None)
    refused("deleting twice", lambda: rest.delete_checkpoint_from_tinker_path(path).result(), "404", "no checkpoint")


def files(service, training):
    rest = service.create_rest_client()
    saved = training.save_weights_external("files").result()
    urls = rest.get_external_weights_urls(saved.path).result()
    row("save_weights_external", set(urls.urls) == {"adapter_config.json", "adapter_model.safetensors"}, saved.path)
    with urllib.request.urlopen(urls.urls["adapter_config.json"]) as answer:
        config = json.load(answer)
    row("external files", config["peft_type"] == "LORA" and config["r"] == 16)
    with urllib.request.urlopen(urls.urls["adapter_model.safetensors"]) as answer:
        weights = answer.read()
    size = int.from_bytes(weights[:8], "little")
    header = json.loads(weights[8 : 8 + size])
    row("external weights are safetensors", any(name.endswith("lora_A.weight") for name in header), f"{len(weights)} bytes")
    refused(
        "encrypted files",
        lambda: training.save_weights_external("secret", age_encryption_recipients=["age1x"]).result(),
        "age_encryption_recipients",
    )


def sessions(service, training):
    rest = service.create_rest_client()
    session = training.model_id.split(":")[0]
    row("list_sessions", session in rest.list_sessions().result().sessions)
    info = rest.get_session(session).result()
    whole = training.model_id in info.training_run_ids and len(info.sampler_ids) > 0
    row("get_session", whole and info.user_metadata == {"purpose": "conformance"})
    rest.assign_session_project(session, "here").result()
    found = rest.search_sessions(types.SessionSearchRequest(
        project_ids=["here"], user_metadata={"purpose": "conformance"}, statuses=[{"type": "active"}],
    )).result()
    row("search_sessions, assign_session_project", [s.session_id for s in found.sessions] == [session])
    pages, cursor = [], None
    while True:
        page = rest.search_sessions(types.SessionSearchRequest(limit=1, cursor=cursor)).result()
        pages += [s.session_id for s in page.sessions]
        cursor = page.next_cursor
        if cursor is None:
            break
    row("search_sessions, page by page", len(pages) == len(set(pages)) and session in pages, f"{len(pages)} pages")
    sampler = rest.get_sampler(info.sampler_ids[0]).result()
    row("get_sampler", sampler.base_model == MODEL)
    with urllib.request.urlopen(rest.export_session_trace(session).result()) as answer:
        events = json.load(answer)["traceEvents"]
    kinds = {event["name"] for event in events}
    row("export_session_trace", {"ForwardBackward", "OptimStep", "Sample"} <= kinds, f"{len(events)} events")


def administration(training):
    admin = tinker.AdminClient()
    log = admin.get_audit_log("checkpoints").result().entries
    seen = {entry.event for entry in log}
    want = {"checkpoint_created", "checkpoint_read", "checkpoint_published", "checkpoint_copied", "checkpoint_deleted"}
    row("get_audit_log", want <= seen, f"{len(log)} entries")
    now = datetime.datetime.now(datetime.timezone.utc)
    usage = admin.get_billing_usage(now - datetime.timedelta(hours=2), now + datetime.timedelta(hours=1)).result()
    tokens = sum(e.event_info.token_count for e in usage.data if e.event_info.type == "training")
    free = all(event.estimated_cost_usd == 0 for event in usage.data)
    row("get_billing_usage", tokens > 1000 and free, f"{tokens} tokens trained, free")
    storage = admin.get_current_checkpoint_storage_usage().result()
    row("get_current_checkpoint_storage_usage", sum(e.checkpoint_count for e in storage.data) >= 3)
