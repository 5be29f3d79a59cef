"""Exact assignment beside scipy, lapx and lapcpp: batches of problems through the C ABI.

    cargo build --release --lib
    python benches/peers_matching.py [--library target/release/libsimdetr.so] [--threads 2]

Needs numpy and scipy; lapx and lapcpp are measured where they are installed (laprust is on no
registry). Each solver is tried one problem at a time and as a batch on as many threads as ours, and
in each orientation, ours too. Rounds are interleaved; the times are the least of --rounds, and the
ratios are to the better of our two orientations. `error` is the largest difference of a problem's total to scipy's.

`uniform` costs are independent; `detr` costs are those of random boxes and class costs, whose rows
want the same columns.
"""

import argparse
import ctypes
import time

import numpy as np
from scipy.optimize import linear_sum_assignment


def ours(path, threads):
    library = ctypes.CDLL(path)
    size = ctypes.c_size_t

    class Options(ctypes.Structure):
        _fields_ = [
            ("struct_size", size),
            ("set_mask", ctypes.c_uint64),
            ("numbers", ctypes.c_float * 6),
            ("threads", ctypes.c_uint32),
            ("reserved", ctypes.c_uint32),
            ("pointers", ctypes.c_void_p * 2),
        ]

    options, matcher = Options(struct_size=ctypes.sizeof(Options), threads=threads), ctypes.c_void_p()
    assert library.simdetr_matcher_create(ctypes.byref(options), ctypes.byref(matcher), None) == 0
    assign = library.simdetr_matcher_assign_f32
    assign.argtypes = [ctypes.c_void_p, ctypes.c_void_p, size, size, size, *[ctypes.c_void_p] * 3]

    def solve(costs):
        columns = np.empty(costs.shape[:2], np.int32)
        assert assign(matcher, costs.ctypes.data, *costs.shape, None, columns.ctypes.data, None) == 0
        return columns

    return solve


def pairs_of(rows, columns):
    keep = np.asarray(columns) >= 0
    return np.asarray(rows)[keep], np.asarray(columns)[keep]


def peers(threads):
    """Functions from a batch of costs to pairs of rows and columns, and the costs they want."""
    found = {"scipy": (np.float32, lambda batch: [linear_sum_assignment(costs) for costs in batch])}
    extended = {"extend_cost": True, "return_cost": False}
    try:
        import lap

        # lapjvx works in f64, the others in the type that they are given.
        for name, kind in [("lapjvx", np.float64), ("lapjvr", np.float32), ("lapjvs", np.float32)]:
            one, many = getattr(lap, name), getattr(lap, name + "_batch")
            found[f"lapx {name}"] = (kind, lambda batch, one=one: [one(costs, **extended) for costs in batch])
            found[f"lapx {name}_batch"] = (kind, lambda batch, many=many: list(zip(*many(batch, **extended, n_threads=threads))))
    except ImportError:
        print("lapx is not installed")
    try:
        from lapcpp import lapjv, lapjv_batch

        found["lapcpp lapjv"] = (np.float32, lambda batch: [lapjv(costs, **extended) for costs in batch])
        found["lapcpp lapjv_batch"] = (np.float32, lambda batch: list(zip(*lapjv_batch(batch, **extended, n_threads=threads))))
    except ImportError:
        print("lapcpp is not installed")
    return found


def detr_costs(random, problems, queries, targets):
    predicted = np.concatenate([random.uniform(0, 1, (problems, queries, 2)), random.uniform(0, 0.4, (problems, queries, 2))], -1)
    wanted = np.concatenate([random.uniform(0, 1, (problems, targets, 2)), random.uniform(0, 0.4, (problems, targets, 2))], -1)
    distance = np.abs(predicted[:, :, None] - wanted[:, None]).sum(-1)
    return (5 * distance + 2 * random.uniform(-0.5, 0.1, (problems, queries, 1))).astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", default="target/release/libsimdetr.so")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--problems", type=int, default=192)
    options = parser.parse_args()
    random = np.random.default_rng(0)
    solve = ours(options.library, options.threads)
    alone = ours(options.library, 1)
    for kind in ["uniform", "detr"]:
        for targets in [25, 100]:
            shape = (options.problems, 300, targets)
            costs = random.uniform(size=shape).astype(np.float32) if kind == "uniform" else detr_costs(random, *shape)
            totals = [float(c[linear_sum_assignment(c)].astype(np.float64).sum()) for c in costs]
            runs = {"ours": lambda: solve(costs), "ours, 1 thread": lambda: alone(costs)}
            turned = np.ascontiguousarray(costs.transpose(0, 2, 1))
            runs |= {"ours, turned": lambda: solve(turned), "ours, 1 thread, turned": lambda: alone(turned)}
            for name, (kind_of, run) in peers(options.threads).items():
                for form, batch in [("", costs), (", turned", turned)]:
                    given = np.ascontiguousarray(batch.astype(kind_of))
                    runs[name + form] = lambda run=run, given=given: run(given)
            times, errors = {name: [] for name in runs}, {}
            for name, run in list(runs.items()):
                try:
                    answers = run()
                    if name.startswith("ours"):
                        source = turned if name.endswith("turned") else costs
                        pairs = [pairs_of(np.arange(source.shape[1]), columns) for columns in answers]
                        values = [c[p].astype(np.float64).sum() for c, p in zip(source, pairs)]
                    else:
                        source = turned if name.endswith("turned") else costs
                        values = [c[pairs_of(*a)].astype(np.float64).sum() for c, a in zip(source, answers)]
                    errors[name] = np.abs(np.array(values) - totals).max()
                except (ValueError, TypeError) as failure:  # a peer that refuses this form is left out
                    print(f"{name}: {type(failure).__name__}: {str(failure)[:80]}")
                    del runs[name]
            for _ in range(options.rounds):
                for name, run in runs.items():
                    begin = time.perf_counter()
                    run()
                    times[name].append(time.perf_counter() - begin)
            best = min(times["ours"] + times["ours, turned"])
            print(f"\n{options.problems} of 300x{targets}, {kind}, {options.threads} threads")
            for name in sorted(runs, key=lambda name: min(times[name])):
                least = min(times[name])
                print(f"{name:28} {least * 1e3:9.3f} ms {least / best:8.2f}x  error {errors[name]:.1e}")


main()
