"""A SUPRA training step in plain PyTorch, attention as full matrices: what trainingstep.cpp is compared with.

usage: trainingstep.py HIDDEN LAYERS HEADS VOCABULARY TOKENS float32|bfloat16
Prints one JSON object: tokens a second of the fastest step, and peak memory above the idle process in MiB.
"""
import json
import math
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

WARM_UP, STEPS = 2, 8


def status(key):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(key))


class RmsNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        wide = x.float()
        return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + 1e-5)).type_as(x) * self.weight


def rotate(x, cosine, sine):
    first, second = x.chunk(2, -1)
    return torch.cat((first * cosine - second * sine, second * cosine + first * sine), -1).type_as(x)


class LinearAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.input = nn.Linear(width, 3 * width, bias=False)
        self.features = nn.Linear(width, width)
        self.output = nn.Linear(width, width, bias=False)

    def forward(self, x, mask, cosine, sine):
        batch, tokens, width = x.shape
        q, k, v = self.input(x).chunk(3, -1)
        split = lambda y: y.view(batch, tokens, self.heads, -1).transpose(1, 2)
        q = rotate(split(F.relu(self.features(q))), cosine, sine)
        k = rotate(split(F.relu(self.features(k))), cosine, sine) / math.sqrt(width // self.heads)
        scores = (q @ k.transpose(-1, -2)) * mask
        mixed = (scores.type_as(v) @ split(v)).transpose(1, 2).reshape(batch * tokens, width)
        return self.output(F.group_norm(mixed.float(), self.heads, eps=1e-5).type_as(x).view(batch, tokens, width))


class Block(nn.Module):
    def __init__(self, width, heads, inner):
        super().__init__()
        self.attention_norm, self.ffn_norm = RmsNorm(width), RmsNorm(width)
        self.attention = LinearAttention(width, heads)
        self.w12, self.w3 = nn.Linear(width, 2 * inner, bias=False), nn.Linear(inner, width, bias=False)

    def forward(self, x, *tables):
        x = x + self.attention(self.attention_norm(x), *tables)
        gate, up = self.w12(self.ffn_norm(x)).chunk(2, -1)
        return x + self.w3(F.silu(gate) * up)


class Model(nn.Module):
    def __init__(self, width, layers, heads, vocabulary, tokens):
        super().__init__()
        inner = 256 * ((width * 8 // 3 + 255) // 256)
        self.embedding = nn.Embedding(vocabulary, width)
        self.blocks = nn.ModuleList(Block(width, heads, inner) for _ in range(layers))
        self.norm = RmsNorm(width)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)
        half = width // heads // 2
        angles = torch.outer(torch.arange(tokens).float(), 10000.0 ** (-torch.arange(half).float() / half))
        distance = torch.arange(tokens)[:, None] - torch.arange(tokens)[None, :]
        slopes = torch.tensor([2.0 ** (-8 * (h + 1) / heads) for h in range(heads)])[:, None, None]
        mask = torch.exp(-slopes * distance.clamp(min=0)) * (distance >= 0)
        self.tables = (mask, angles.cos(), angles.sin())

    def forward(self, ids):
        x = self.embedding(ids)
        for block in self.blocks:
            x = block(x, *self.tables)
        return F.linear(self.norm(x), self.embedding.weight).float()


def main():
    width, layers, heads, vocabulary, tokens = map(int, sys.argv[1:6])
    torch.manual_seed(1)
    torch.ones(64, 64) @ torch.ones(64, 64)
    idle = status("VmRSS")
    model = Model(width, layers, heads, vocabulary, tokens)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1)
    seconds = []
    for _ in range(WARM_UP + STEPS):
        start = time.perf_counter()
        ids = torch.randint(vocabulary, (1, tokens + 1))
        with torch.autocast("cpu", torch.bfloat16, enabled=sys.argv[6] == "bfloat16"):
            logits = model(ids[:, :-1])
            loss = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"tokens_per_second": tokens / min(seconds[WARM_UP:]),
                      "peak_mib": (status("VmHWM") - idle) / 1024, "loss": loss.item()}))


main()
