"""Table of results."""

import sys

rows = []


def row(name, passed, note=""):
    """Adds a row; `passed` is None if the check was skipped."""
    rows.append((name, passed if passed is None else bool(passed), note))


def refused(name, call, *words):
    """Adds a row for a call that must fail with these words in the message."""
    try:
        call()
    except Exception as error:  # any type of error: the message is compared
        missing = [word for word in words if word not in str(error)]
        row(f"refused: {name}", not missing, str(error).splitlines()[0][:90])
    else:
        row(f"refused: {name}", False, "the call succeeded")


def finish():
    width = max(len(name) for name, _, _ in rows)
    for name, passed, note in rows:
        word = "skipped" if passed is None else "passed" if passed else "FAILED"
        print(f"{word:<7}  {name:<{width}}  {note}")
    failed = sum(passed is False for _, passed, _ in rows)
    skipped = sum(passed is None for _, passed, _ in rows)
    print(f"{len(rows) - failed - skipped} passed, {failed} failed, {skipped} skipped")
    sys.exit(failed > 0)
