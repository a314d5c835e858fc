"""A language model without any learning, and the real server of llama.cpp with it.

Its weights are wired by hand: attention and the layers between do nothing, and what comes out after a token is the one
token that follows it. The template of its chat, which the server renders, ends with the token of a route, chosen by a
word in the last message. So the template, the tokenizer, the grammars, the parser of calls, the stream and its end are
the real ones, and what is said is known beforehand.

    with llama(tmp_path, routes(call("look", {"at": "run"}))) as server:
        ...                                     # ask it at `server.url`; "look" in a question makes it call the tool
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import gguf
import numpy as np

MODEL: Final = "wired"
CONTEXT: Final = 131_072
_WIDTH: Final = 512
_BETWEEN: Final = 256
_HEAD: Final = 32  # Attention does nothing, and costs little: a prompt of many thousand letters is read in a second.
_PIECE_MAX: Final = 40  # Letters of one token.

HELLO: Final = "Hello from a **very small** model. It knows nothing, and says it well."
DONE: Final = "Done: the tool has answered."
COLOUR: Final = '{"colour": "green", "ok": true}'
LONG: Final = " ".join(f"word{number}" for number in range(1, 1_001))


@dataclass(frozen=True)
class Route:
    """What the model says where a condition of the chat template is met.

    Attributes:
        name: Of its token; small letters.
        when: The condition, in the language of the template; `last` is the last message, `tools` are the tools.
        text: What is said.
        is_endless: Whether it begins anew at its end.
    """

    name: str
    when: str
    text: str
    is_endless: bool = False


def call(tool: str, arguments: Mapping[str, Any], *, word: str = "") -> Route:
    """Return the route that calls a tool where its name, or another word, is in the last message."""
    wanted = json.dumps({"name": tool, "arguments": arguments})
    return Route(f"call_{tool}", f"tools and {word or tool!r} in last.content", f"<tool_call>\n{wanted}\n</tool_call>")


def routes(*calls: Route) -> list[Route]:
    """Return the routes to these calls, and the usual ones.

    After a result it says `DONE`; asked for `long` it says `LONG`, for `colour` `COLOUR`, for `endless` the same words
    until somebody stops it, and for anything else `HELLO`.
    """
    return [
        Route("after", "last.role == 'tool'", DONE),
        *calls,
        Route("long", "'long' in last.content", LONG),
        Route("colour", "'colour' in last.content", COLOUR),
        Route("endless", "'endless' in last.content", "round and around it goes, ", is_endless=True),
        Route("hello", "true", HELLO),
    ]


class _Words:
    """The tokens, and which of them follows which."""

    def __init__(self) -> None:
        kinds = gguf.TokenType
        self.texts: list[str] = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
        self.kinds = [kinds.UNKNOWN, kinds.CONTROL, kinds.CONTROL, *[kinds.BYTE] * 256]
        self.follows: list[tuple[int, int]] = []
        self.begin, self.end = self.add("<|im_start|>"), self.add("<|im_end|>")

    def add(self, text: str, kind: int = gguf.TokenType.CONTROL) -> int:
        self.texts.append(text)
        self.kinds.append(gguf.TokenType(kind))
        return len(self.texts) - 1

    def add_route(self, route: Route) -> None:
        """Add a token for each piece of a text, in a row. No piece may be there twice: a token has one successor."""
        before, rest, start = self.add(f"<|{route.name}|>"), route.text, len(self.texts)
        while rest:
            piece = self._piece(rest)
            token = self.add(piece.replace(" ", "▁"), gguf.TokenType.NORMAL)
            self.follows.append((before, token))
            before, rest = token, rest[len(piece) :]
        self.follows.append((before, start if route.is_endless else self.end))

    def _piece(self, text: str) -> str:
        """Return a beginning of a text that is no token yet: a word, else something longer, else something shorter."""
        found = re.match(r" ?[^ ]+|.", text, re.DOTALL)
        word = len(found[0]) if found else 1
        known = set(self.texts)
        for length in [*range(word, min(_PIECE_MAX, len(text)) + 1), *range(min(word, len(text)), 0, -1)]:
            if text[:length].replace(" ", "▁") not in known:
                return text[:length]
        raise ValueError(f"no new piece at the beginning of {text[:30]!r}")


def write(path: Path, chosen: Sequence[Route]) -> None:
    """Write the model to a file of a few megabytes."""
    words = _Words()
    for route in chosen:
        words.add_route(route)
    out = gguf.GGUFWriter(path, "llama")
    _describe(out, words, _template(chosen))
    count = len(words.texts)
    rng = np.random.default_rng(0)
    inside = rng.standard_normal((count, _WIDTH)).astype(np.float32)
    inside *= np.sqrt(_WIDTH) / np.linalg.norm(inside, axis=1, keepdims=True)
    outside = np.zeros((count, _WIDTH), np.float32)
    for token, after in words.follows:
        outside[after] += inside[token] / 2
    tensors: dict[str, np.ndarray[Any, Any]] = {"token_embd": inside, "output": outside}
    tensors |= {f"blk.0.attn_{name}": np.zeros((_HEAD, _WIDTH)) for name in ("q", "k", "v")}
    tensors |= {"blk.0.attn_output": np.zeros((_WIDTH, _HEAD))}
    tensors |= {f"blk.0.ffn_{name}": np.zeros((_BETWEEN, _WIDTH)) for name in ("gate", "up")}
    tensors |= {"blk.0.ffn_down": np.zeros((_WIDTH, _BETWEEN))}
    for name, values in tensors.items():
        out.add_tensor(f"{name}.weight", values.astype(np.float16))
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        out.add_tensor(f"{name}.weight", np.ones(_WIDTH, np.float32))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def _describe(out: gguf.GGUFWriter, words: _Words, template: str) -> None:
    out.add_name("hand-wired")
    out.add_context_length(CONTEXT)
    out.add_embedding_length(_WIDTH)
    out.add_block_count(1)
    out.add_feed_forward_length(_BETWEEN)
    out.add_head_count(1)
    out.add_head_count_kv(1)
    out.add_key_length(_HEAD)
    out.add_value_length(_HEAD)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_rope_dimension_count(_HEAD)
    out.add_vocab_size(len(words.texts))
    out.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    out.add_tokenizer_model("llama")
    out.add_token_list([text.encode() for text in words.texts])
    out.add_token_scores([-1_000.0 if kind == gguf.TokenType.NORMAL else 0.0 for kind in words.kinds])
    out.add_token_types(words.kinds)
    out.add_bos_token_id(1)
    out.add_eos_token_id(words.end)
    out.add_unk_token_id(0)
    out.add_add_bos_token(False)
    out.add_add_space_prefix(False)
    out.add_chat_template(template)


def _template(chosen: Sequence[Route]) -> str:
    """Return the template of the chat: in the form of Hermes, which llama.cpp knows how to read calls from."""
    choice = "".join(
        f"{{% {'el' * bool(number)}if {route.when} %}}<|{route.name}|>" for number, route in enumerate(chosen)
    )
    return (
        "{%- if tools %}<|im_start|>system\n# Tools\n<tools>"
        "{%- for tool in tools %}\n{{ tool | tojson }}{%- endfor %}\n</tools>\n"
        "For each function call return a json object with function name and arguments within <tool_call></tool_call>"
        " XML tags.<|im_end|>\n{% endif %}"
        "{%- for m in messages %}<|im_start|>{{ m.role }}\n{% if m.content %}{{ m.content }}{% endif %}"
        "{% for c in m.tool_calls or [] %}<tool_call>\n"
        '{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}\n</tool_call>{% endfor %}'
        "<|im_end|>\n{% endfor %}"
        "{%- if add_generation_prompt %}<|im_start|>assistant\n{% set last = messages[-1] %}"
        f"{choice}{{% endif %}}{{% endif %}}"
    )


@dataclass(frozen=True)
class Llama:
    """The server of llama.cpp in a process of its own.

    Attributes:
        url: Where it is, with `/v1`.
        pid: Of its process.
        log: What it writes about itself.
    """

    url: str
    pid: int
    log: Path


@contextmanager
def llama(folder: Path, chosen: Sequence[Route] | None = None) -> Iterator[Llama]:
    """Run the server on a free port of this machine, with a model of these routes."""
    path, log = folder / "wired.gguf", folder / "llama.log"
    write(path, chosen or routes())
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=out
        )
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            told = (process.stdout.readline().decode() or log.read_text()).strip()
            assert told.startswith("http://"), told
            yield Llama(f"{told}/v1", process.pid, log)
        finally:
            process.stdin.close()  # It ends with us even where nobody asks it to.
            process.terminate()
            process.wait(20)
            process.stdout.close()


def _serve(path: str) -> None:
    import os

    import xllamacpp

    said = os.dup(1)
    os.dup2(2, 1)  # What the library prints goes to the log.
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.model_alias = {MODEL}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = CONTEXT
    params.n_parallel = 2
    params.use_jinja = True
    params.cpuparams.n_threads = 1
    params.warmup = False
    server = xllamacpp.Server(params)
    os.write(said, f"{server.listening_address}\n".encode())
    sys.stdin.read()


if __name__ == "__main__":
    _serve(sys.argv[1])
