"""Every comparison with a peer, one after the other: builds what is measured, then runs each script.

    python benches/peers.py [resnet] [spectral] [kmeans] [evaluation] [matching] [criterion]
                            [transformer_operations] [operations]

The loader's script wants a folder of images and is run by itself: see peers_loader.py.

Each script interleaves ours with its peers in rounds and prints ratios with an accuracy beside
them. Needs numpy, scipy, scikit-learn, torch, torchvision, transformers, faiss-cpu, superkmeans,
pycocotools and ultrafast-pycocotools. Two threads are used throughout. Quote ratios, not
milliseconds.
"""

import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BENCHES = {
    "resnet": "resnet_forward",
    "spectral": "spectral",
    "kmeans": "kmeans",
    "evaluation": None,
    "matching": None,
    "criterion": None,
    "transformer_operations": "transformer_operations",
    "operations": "operations",
}


def build(bench):
    """The path of a benchmark's program."""
    command = ["cargo", "bench", "--no-run", "--bench", bench, "--message-format", "json"]
    output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in output.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == bench:
            return message["executable"]
    raise SystemExit(f"cargo built no benchmark {bench}")


def main():
    chosen = sys.argv[1:] or list(BENCHES)
    unknown = [name for name in chosen if name not in BENCHES]
    if unknown:
        raise SystemExit(f"unknown: {', '.join(unknown)}; known: {', '.join(BENCHES)}")
    for name in chosen:
        print(f"== {name}", flush=True)
        bench = BENCHES[name]
        if bench is None:
            subprocess.run(["cargo", "build", "--release", "--lib"], cwd=ROOT, check=True)
        arguments = [build(bench)] if bench else []
        script = ROOT / "benches" / f"peers_{name}.py"
        subprocess.run([sys.executable, str(script), *arguments], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
