"""Writes the golden of the event file with PyPI `tensorboard`, and reads an event file back."""
import sys
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

def summary(row):
    return summary_pb2.Summary(value=[summary_pb2.Summary.Value(tag=tag, simple_value=value) for tag, value in row])

row = [("tokens", 300), ("learned_tokens", 100), ("loss", 1.5), ("learning_rate", 0.0), ("seconds", 0.0), ("exact_match", 0.25)]
events = [
    event_pb2.Event(wall_time=1.5, file_version="brain.Event:2"),
    event_pb2.Event(wall_time=2.5, step=3, session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START)),
    event_pb2.Event(wall_time=3.5, step=300, summary=summary(row)),
]
with open(sys.argv[1], "wb") as file:
    writer = RecordWriter(file)
    for event in events:
        writer.write(event.SerializeToString())
    writer.flush()
