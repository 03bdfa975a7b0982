"""The command line of the official client."""

import json
import os
import signal
import subprocess
import sys
import tempfile

from table import row


def run(*arguments, given=None):
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "HOME": home, "COLUMNS": "200"}
        return subprocess.run(
            [sys.executable, "-m", "tinker.cli", *arguments],
            capture_output=True, text=True, env=environment, input=given, timeout=120, check=False,
        )


def ended_well(done):
    """Whether a command ended by itself. The official client now and then aborts after its last line, when Python ends its
    threads; the output tells whether it did its work."""
    return done.returncode in (0, -signal.SIGABRT)


def end_of(done):
    """Exit status and last line of output of a failed command."""
    return f"exit {done.returncode}: {(done.stderr or done.stdout).strip()[-90:]}"


def line(training):
    def tried(name, *arguments, look):
        done = run(*arguments)
        try:
            passed = ended_well(done) and look(done.stdout)
        except (ValueError, KeyError) as error:
            passed, done.stderr = False, repr(error)
        row(f"tinker {name}", passed, "" if passed else end_of(done))

    run_id = training.model_id
    path = f"tinker://{run_id}/weights/conformance"
    external = f"tinker://{run_id}/external_weights/files"

    def as_json(look):
        return lambda text: look(json.loads(text))

    tried("run list", "-f", "json", "run", "list", look=as_json(
        lambda given: run_id in {run["training_run_id"] for run in given["runs"]}))
    tried("run info", "run", "info", run_id, look=lambda text: run_id in text)
    tried("checkpoint list", "-f", "json", "checkpoint", "list", "--limit", "0", look=as_json(
        lambda given: path in {c["tinker_path"] for c in given["checkpoints"]}))
    tried("checkpoint list --run-id", "checkpoint", "list", "--run-id", run_id, look=lambda text: "conformance" in text)
    tried("checkpoint info", "-f", "json", "checkpoint", "info", path, look=as_json(
        lambda given: given["tinker_path"] == path and given["lora_rank"] == 16))
    tried("checkpoint publish", "checkpoint", "publish", path, look=lambda _: True)
    tried("checkpoint unpublish", "checkpoint", "unpublish", path, look=lambda _: True)
    tried("checkpoint set-ttl", "checkpoint", "set-ttl", path, "--ttl", "3600", look=lambda _: True)
    tried("checkpoint set-ttl --remove", "checkpoint", "set-ttl", path, "--remove", look=lambda _: True)
    with tempfile.TemporaryDirectory() as folder:
        tried("checkpoint download (files)", "-f", "json", "checkpoint", "download", external, "-o", folder, look=as_json(
            lambda given: os.path.exists(f"{given['destination']}/adapter_model.safetensors")))
        tried("checkpoint download (training)", "-f", "json", "checkpoint", "download", path, "-o", folder, look=as_json(
            lambda given: os.path.exists(f"{given['destination']}/adapter_config.json")))
        trace = f"{folder}/trace.json"
        tried("session export-trace", "session", "export-trace", run_id.split(":")[0], "-o", trace,
              look=lambda _: "traceEvents" in json.load(open(trace)))
    tried("checkpoint delete", "-f", "json", "checkpoint", "delete", external, "-y", look=as_json(
        lambda given: given["deleted_count"] == 1 and not given["failed"]))
    tried("model list", "-f", "json", "model", "list", look=as_json(lambda given: len(given["models"]) == 1))
    tried("auth status", "auth", "status", look=lambda text: "Tinker accessible: yes" in text)
    tried("billing usage", "-f", "json", "billing", "usage", "2026-01-01", "2100-01-01", look=as_json(
        lambda given: len(given["data"]) > 0))
    tried("billing checkpoint-storage", "-f", "json", "billing", "checkpoint-storage", look=as_json(
        lambda given: sum(entry["checkpoint_count"] for entry in given["data"]) >= 2))
