"""The optimizer of a plan."""

import torch

from charrnn.training.network.base import RecurrentNetwork
from charrnn.training.recipe.plan import Plan

BETAS = (0.9, 0.99)  # beta 2: 0.97 was 0.013 nats worse at 13 s; 0.999 forgets too slowly for short runs
MOMENTUM = 0.9  # of SGD


def make_optimizer(network: RecurrentNetwork, plan: Plan) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019) or SGD with momentum; only matrices are subject to weight decay."""
    named = list(network.named_weights())
    matrices = [p for name, p in named if p.ndim > 1 and not name.startswith("initial")]
    others = [p for name, p in named if p.ndim == 1 or name.startswith("initial")]
    groups = [
        {"params": matrices, "weight_decay": plan.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    if plan.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=plan.lr, momentum=MOMENTUM)
    return torch.optim.AdamW(groups, lr=plan.lr, betas=BETAS, fused=matrices[0].device.type in ("cpu", "cuda"))
