"""Writes golden.tfevents with TensorBoard's own classes: pip install tensorboard; python golden.py"""

import pathlib

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

image = Summary.Image(height=2, width=3, colorspace=1, encoded_image_string=b"PNG")
events = [
    Event(file_version="brain.Event:2"),
    Event(step=20, session_log=SessionLog(status=SessionLog.START)),
    Event(
        step=30,
        summary=Summary(
            value=[
                Summary.Value(tag="loss/train", simple_value=0.5),
                Summary.Value(tag="accuracy/train", simple_value=0.25),
            ]
        ),
    ),
    Event(step=30, summary=Summary(value=[Summary.Value(tag="filters", image=image)])),
]
with open(pathlib.Path(__file__).with_name("golden.tfevents"), "wb") as file:
    writer = RecordWriter(file)
    for event in events:
        event.wall_time = 1_700_000_000.5
        writer.write(event.SerializeToString())
    writer.flush()
