"""Least totals of assignment problems by scipy, for src/matching/assignment.rs.

The costs are a hash of their index, so that the file holds totals only.

Run with: python make.py (scipy 1.17.1, numpy 2.4.6)
"""

import json
import pathlib

import numpy as np
from scipy.optimize import linear_sum_assignment


def hashed(count, seed, levels):
    mask = np.uint64(0xFFFFFFFF)
    index = np.arange(count, dtype=np.uint64)
    mixed = ((index ^ (np.uint64(seed) * np.uint64(0x9E3779B9) & mask)) * np.uint64(0x85EBCA6B)) & mask
    mixed = ((mixed ^ (mixed >> np.uint64(15))) * np.uint64(0xC2B2AE35)) & mask
    mixed ^= mixed >> np.uint64(13)
    return (mixed % np.uint64(levels)).astype(np.float32) / np.float32(levels)


cases = []
sizes = [(1, 1), (1, 40), (25, 300), (300, 25), (100, 300), (300, 100), (64, 64), (65, 63), (17, 16), (200, 200)]
for rows, columns in sizes:
    for levels in [2, 10, 1 << 20]:
        seed = len(cases) + 1
        costs = hashed(rows * columns, seed, levels).reshape(rows, columns).astype(np.float64)
        total = costs[linear_sum_assignment(costs)].sum()
        cases.append({"rows": rows, "columns": columns, "seed": seed, "levels": levels, "total": total})
(pathlib.Path(__file__).parent / "assignment.json").write_text(json.dumps(cases, indent=0) + "\n")
