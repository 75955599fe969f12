"""A training that is killed at random moments and resumed from its last complete checkpoint, as a program.

TensorFlow is imported once; every run is a fork of the importing process, which itself never executes an operation.
Usage: killed_training.py FOLDER SEED KILLS. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import sys
import time

import numpy as np
import tensorflow as tf

import optreg

STEPS, SAVE_EVERY, SIZE = 200, 2, 96
EVENT = struct.Struct("<cq")  # what has happened, and the number of the step
EARLY = {5: b"b", 10: b"r"}  # these runs are killed before they restore, and after that before their first step


def train(folder, report):
    """Train from the last complete checkpoint to the end, reporting each step, and start and end of each save.

    Before all that, ``b`` tells that nothing is restored yet, and ``r`` at which step the training resumes.
    """
    weights = tf.Variable(tf.ones((SIZE, SIZE)), name="weights")
    optimizer = optreg.get_optimizer("adam", learning_rate=0.01)
    optimizer.build([weights])
    checkpoint = tf.train.Checkpoint(weights=weights, optimizer=optimizer)
    manager = tf.train.CheckpointManager(checkpoint, folder, max_to_keep=3)
    report(b"b", 0)
    if manager.latest_checkpoint:
        checkpoint.restore(manager.latest_checkpoint).assert_consumed()
    report(b"r", int(optimizer.iterations))
    for step in range(int(optimizer.iterations), STEPS):
        batch = np.random.default_rng([11, step]).normal(size=(SIZE, SIZE)).astype("float32")
        optimizer.apply_gradients([(0.1 * weights + batch, weights)])
        report(b"s", step + 1)
        if (step + 1) % SAVE_EVERY == 0:
            report(b"w", step + 1)
            manager.save(checkpoint_number=step + 1)
            report(b"d", step + 1)
    slots = [optimizer.get_slot(weights, name) for name in ("m", "v")]
    np.savez(f"{folder}/final.npz", weights, *slots, optimizer.iterations)


def start(folder, last=None):
    """Fork a run; return its process and the end of the pipe on which it reports. It kills itself at event ``last``."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading

    def report(kind, step):
        os.write(writing, EVENT.pack(kind, step))
        if kind == last:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        train(folder, report)
    except BaseException as error:
        os.write(2, f"{error!r}\n".encode())
        os._exit(1)
    os._exit(0)


def events(reading):
    while len(record := os.read(reading, EVENT.size)) == EVENT.size:
        kind, step = EVENT.unpack(record)
        yield kind.decode(), step
    os.close(reading)


def finish(folder, last=None):
    child, reading = start(folder, last)
    return {"events": list(events(reading)), "code": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}


def kill_once(folder, chance):
    """Kill a run after a random number of events, every other time in the middle of a save; return what it reported."""
    child, reading = start(folder)
    wanted, inside_save = chance.randint(3, 25), chance.random() < 0.5
    seen = []
    for event in events(reading):
        seen.append(event)
        if len(seen) >= wanted and (event[0] == "w" or not inside_save):
            time.sleep(chance.uniform(0, 0.006))
            os.kill(child, signal.SIGKILL)
            wanted = STEPS * 10
    return {"events": seen, "code": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}


def main(folder, seed, kills):
    undisturbed, disturbed = f"{folder}/undisturbed", f"{folder}/disturbed"
    chance = random.Random(seed)
    codes = [finish(undisturbed)["code"]]
    runs = [
        finish(disturbed, EARLY[number]) if number in EARLY else kill_once(disturbed, chance) for number in range(kills)
    ]
    codes.append(finish(disturbed)["code"])
    sys.stdout.write(json.dumps({"runs": runs, "codes": codes}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
