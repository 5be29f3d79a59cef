"""Predictions beside ONNX Runtime on our own export: same weights, same images, a few calls
each in turns.

    cargo bench --no-run --bench predict
    pip install numpy onnxruntime
    python benches/peers_predict.py target/release/deps/predict-... [--rounds 20] [--only tiny]

Ours is the whole way from 8-bit images to ranked boxes, with one forward for all images of a call;
ONNX Runtime gets normalised tensors and gives logits and boxes. Prints the ratio of the times and
the largest difference of logits and boxes.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import numpy
import onnxruntime

# Preset, images, height, width.
CASES = [("tiny", 1, 160, 224), ("tiny", 4, 160, 224), ("tiny", 1, 480, 640), ("tiny", 4, 480, 640),
         ("deformable-detr-r50", 1, 480, 608), ("deformable-detr-r50", 8, 480, 608)]
# Between two turns, and timed calls of a turn; one more comes first and is not counted.
PAUSE_S, TURN_CALLS = 0.1, 4


class Ours:
    """The bench binary, which predicts once for each line it is sent."""

    def __init__(self, binary, case, threads, folder):
        preset, *sizes = case
        command = [binary, preset, folder, *map(str, sizes), str(threads)]
        self.folder = folder
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def predict_ms(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def finish(self):
        self.process.stdin.close()
        assert self.process.wait() == 0
        return [numpy.fromfile(self.folder / name, dtype=numpy.float32) for name in ("logits.f32", "boxes.f32")]


def session(path, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def turn(call_ms):
    """A few calls in a row, as in a loop over frames, after the other's threads have gone to sleep:
    those of ONNX Runtime spin on for a while after a call, on a processor that ours would need."""
    time.sleep(PAUSE_S)
    return [call_ms() for _ in range(1 + TURN_CALLS)][1:]


def measure(binary, case, threads, rounds):
    _, images, height, width = case
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        ours = Ours(binary, case, threads, folder)
        # The first call of each is its warm-up.
        ours.predict_ms()
        peer = session(folder / "model.onnx", threads)
        batch = numpy.fromfile(folder / "images.f32", dtype=numpy.float32).reshape(images, 3, height, width)
        feed = {peer.get_inputs()[0].name: batch}
        theirs = peer.run(None, feed)

        def peer_ms():
            start = time.perf_counter()
            peer.run(None, feed)
            return (time.perf_counter() - start) * 1e3

        times = {"ours": [], "theirs": []}
        for _ in range(rounds):
            times["ours"] += turn(ours.predict_ms)
            times["theirs"] += turn(peer_ms)
        found = ours.finish()
    differences = [abs(values - wanted.reshape(-1)).max() for values, wanted in zip(found, theirs)]
    return times, max(differences)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=os.path.abspath)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", default="", help="only the presets whose name holds this")
    options = parser.parse_args()
    for case in CASES:
        if options.only not in case[0]:
            continue
        for threads in options.threads:
            times, difference = measure(options.binary, case, threads, options.rounds)
            fastest = {name: min(values) for name, values in times.items()}
            median = {name: statistics.median(values) for name, values in times.items()}
            preset, images, height, width = case
            print(f"{preset} {images}x{height}x{width}, {threads} threads: ours {median['ours']:.2f} ms, "
                  f"ONNX Runtime {median['theirs']:.2f} ms; ratio of medians {median['ours'] / median['theirs']:.3f}, "
                  f"of the fastest {fastest['ours'] / fastest['theirs']:.3f}; largest difference {difference:.1e}",
                  flush=True)


if __name__ == "__main__":
    main()
