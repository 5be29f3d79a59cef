"""Prints the constants of the AdamW test in src/training/adamw.rs: torch's own optimiser.

    python tests/golden/training/adamw.py        (written with torch 2.x, CPU)
"""

import torch

parameters = [torch.tensor([1.0, -2.0], requires_grad=True), torch.tensor([0.5, 3.0], requires_grad=True)]
optimiser = torch.optim.AdamW(
    [{"params": parameters[0], "lr": 1e-2}, {"params": parameters[1], "lr": 1e-3}], weight_decay=0.01
)
norms = []
for step in range(3):
    gradient = torch.tensor([0.3 * (i + 1.0) - 0.2 * step * i for i in range(4)])
    parameters[0].grad, parameters[1].grad = gradient[:2].clone(), gradient[2:].clone()
    norms.append(torch.nn.utils.clip_grad_norm_(parameters, 0.5).item())
    optimiser.step()
print("GOLDEN_PARAMETERS", [x for p in parameters for x in p.tolist()])
print("GOLDEN_NORMS", norms)
