"""GPT: text drawn token by token, each from the chances that a causal transformer gives it after those before.

log p(x) = sum_i log p(x_i | x_1 ... x_{i-1}) with masked self-attention (Vaswani et al. 2017; Radford et al. 2019).
The network is transformers' `GPT2LMHeadModel`, and the folder of a trained model opens with its `from_pretrained`; the
loop that draws is our own, since theirs takes no random stream an item. Items of a collection (names) can carry control
tokens in front (Keskar et al. 2019, CTRL): asked for, they are given; left out, the model draws them too.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlab.device import autocast
from genlab.models import tokens as vocabulary_of
from genlab.models.contract import Batch, knob
from genlab.models.layers import MICRO_BATCH, Descent, attention, pad_rows
from genlab.models.tokens import ANY, END, PAD, opened
from genlab.models.untied import untie
from genlab.seeds import Seeds

if TYPE_CHECKING:
    from transformers import LogitsProcessorList

HIDDEN = 2  # the control token of a group that is not told, `ANY`
GREEDY = 0.02  # temperatures below take the likeliest token
Adjust = Callable[[int, Sequence[int], np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Knobs:
    """What a visitor may turn when drawing."""

    temperature: float = knob(1.0, 0.0, 2.0, help="Divides log-probabilities: less is more typical, more is wilder; 1 "
                              "draws from the model itself, 0 takes the likeliest token.")  # fmt: skip
    top_k: float = knob(0, 0, 200, help="Only the likeliest so many tokens are drawn from; 0 takes all.")
    top_p: float = knob(1.0, 0.05, 1.0, help="Only the likeliest tokens that together have this chance are drawn from.")


@dataclass(frozen=True)
class Drawn:
    """One more token of every text: `tokens` (n,), -1 where a text had ended, and the model's own log-probabilities
    (n, v) before any knob was turned."""

    tokens: tuple[int, ...]
    log_chances: np.ndarray


class GPT(nn.Module):
    """A causal language model with its tokenizer.

    Args:
        vocabulary: number of tokens.
        units: "bytes" or "characters", the kind of tokenizer.
        width: units of a layer, a multiple of heads.
        layers: number of transformer blocks.
        heads: attention heads of a block.
        context: tokens that are looked back on.
        dropout: share of an embedding's units that are dropped in training.
        controls: groups that items are labelled with, by attribute, in the order in which their tokens stand.
        hidden: share of training items whose control token is hidden, of each attribute.
    """

    Knobs = Knobs
    WEIGHTS = (("network", "model.safetensors"),)  # what transformers reads, and where

    def __init__(
        self,
        *,
        vocabulary: int = 1024,
        units: str = "bytes",
        width: int = 192,
        layers: int = 4,
        heads: int = 4,
        context: int = 256,
        dropout: float = 0.1,
        controls: Mapping[str, Sequence[str]] | None = None,
        hidden: float = 0.15,
    ):
        super().__init__()
        from transformers import GPT2Config, GPT2LMHeadModel  # seconds, which no picture waits for

        if width % heads:
            raise ValueError(f"The width must be a multiple of {heads} heads; {width} was given.")
        self.vocabulary, self.units, self.context, self.hidden = vocabulary, units, context, hidden
        self.shape, self.classes, self.end, self.pad = (context,), 0, 0, 1
        self.controls = {name: tuple(groups) for name, groups in (controls or {}).items()}
        self.special = (END, PAD, *([ANY] if self.controls else []), *self.control_tokens())
        self.network = untie(GPT2LMHeadModel(GPT2Config(
            vocab_size=vocabulary, n_positions=context, n_embd=width, n_layer=layers, n_head=heads,
            activation_function="gelu_pytorch_tanh", resid_pdrop=0, embd_pdrop=dropout, attn_pdrop=0,
            bos_token_id=0, eos_token_id=0, pad_token_id=1,
        )), "lm_head.weight", "transformer.wte.weight")  # fmt: skip
        self.described = ""

    @classmethod
    def around(cls, network: nn.Module, *, described: str, context: int, end: int) -> "GPT":
        """A writer around another causal network of transformers, such as one of the Hub.

        Args:
            described: its tokenizer as `tokenizer.json`.
            end: the token that texts end with.
        """
        made = cls.__new__(cls)
        nn.Module.__init__(made)
        made.vocabulary, made.units, made.context, made.hidden = network.config.vocab_size, "its own", context, 0.0
        made.shape, made.classes, made.end, made.pad = (context,), 0, end, -1
        made.controls, made.special, made.described, made.network = {}, (), described, network
        return made

    # ---- text and tokens

    def control_tokens(self) -> list[str]:
        """The control tokens, attribute by attribute."""
        return [f"<{attribute}: {group}>" for attribute, groups in self.controls.items() for group in groups]

    def learn_tokens(self, corpus) -> None:
        """Train the tokenizer on a `Corpus`."""
        self.described = vocabulary_of.learn(self.units, corpus.texts, vocabulary=self.vocabulary, special=self.special)

    def tokens_of(self, text: str) -> list[int]:
        """Tokens of a text; what characters the vocabulary lacks is left out."""
        found = opened(self.described).encode(text, add_special_tokens=False).ids
        return [token for token in found if token != self.pad]

    def text_of(self, tokens: Sequence[int]) -> str:
        """The text of tokens; special ones are left out."""
        return opened(self.described).decode(list(tokens), skip_special_tokens=True)

    def asked(self, **groups: str | None) -> list[int]:
        """The tokens an item starts with: its groups by attribute, None meaning any.

        Raises:
            ValueError: an attribute or a group is unknown.
        """
        unknown = set(groups) - set(self.controls)
        if unknown:
            raise ValueError(f"Groups are asked for by {', '.join(self.controls) or 'nothing'}; {unknown} was given.")
        start = [0]
        for attribute, known in self.controls.items():
            group = groups.get(attribute)
            if group is not None and group not in known:
                raise ValueError(f"The {attribute} is one of {', '.join(known)}; {str(group)[:40]!r} was given.")
            start.append(HIDDEN if group is None else self.special.index(f"<{attribute}: {group}>"))
        return start

    def started(self, **groups: str | None) -> list[int]:
        """As `asked`, up to the last group that is given: what would follow, the model draws itself.

        Raises:
            ValueError: as `asked`.
        """
        start = self.asked(**groups)
        while start[-1] == HIDDEN:
            start.pop()
        return start

    def items_of(self, corpus) -> Tensor:
        """What one training step takes rows of, int64 (n, length): windows of works, or padded items of a collection.

        Windows lie a quarter of their length apart, so that a token is met at several places.
        """
        if self.controls:
            rows = []
            for i, text in enumerate(corpus.texts):
                groups = {name: corpus.groups[name][corpus.attributes[name][i]] for name in self.controls}
                rows.append([*self.asked(**groups), *self.tokens_of(text), 0][: self.context + 1])
            longest = max(map(len, rows))
            return torch.tensor([row + [1] * (longest - len(row)) for row in rows])
        stream = torch.tensor([token for text in corpus.texts for token in (0, *self.tokens_of(text))])
        return stream.unfold(0, min(self.context + 1, len(stream)), max(1, self.context // 4)).contiguous()

    # ---- learning

    def trainer(self, lr: float) -> Descent:
        return Descent(self, self.loss, lr=lr, weight_decay=0.1, betas=(0.9, 0.98), clip=1.0)

    def loss(self, batch: Batch, fraction: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Nats a token; the control tokens are learnt too, and now and then hidden from what follows."""
        wanted = batch.items.long()[:, 1:]
        given = batch.items.long()[:, :-1].clone()
        if self.controls:
            at = slice(1, 1 + len(self.controls))
            shown = given[:, at]
            given[:, at] = torch.where(torch.rand(shown.shape, device=shown.device) < self.hidden, HIDDEN, shown)
        with autocast(given.device):
            logits = self.network(given, use_cache=False).logits
        loss = F.cross_entropy(logits.float().flatten(0, 1), wanted.flatten(), ignore_index=1)
        return loss, {}

    # ---- chances

    @torch.no_grad()
    def log_chances(self, given: Tensor) -> Tensor:
        """Log-probabilities in nats (n, t, v) of the token after each of `given` (n, t), t at most the context."""
        return self.network(given, use_cache=False).logits.float().log_softmax(-1)

    def code_lengths(self, tokens: Sequence[int]) -> np.ndarray:
        """Nats (t,) of each token of a text after all before it, as far as the context reaches.

        The text starts after an end of another one; windows overlap by half, so that every token but the first ones
        has half a context behind it.
        """
        stream, length = torch.tensor([self.end, *tokens]), min(self.context, len(tokens))
        if not length:
            return np.zeros(0)
        starts = [*range(0, len(tokens) - length, max(1, self.context // 2)), len(tokens) - length]
        found, done = np.empty(len(tokens)), 0
        for i in range(0, len(starts), MICRO_BATCH):
            part = starts[i : i + MICRO_BATCH]
            rows = pad_rows(torch.stack([stream[s : s + length + 1] for s in part]), MICRO_BATCH).to(self.device)
            chances = self.log_chances(rows[:, :-1]).gather(2, rows[:, 1:, None])[..., 0]
            for start, row in zip(part, chances.double().cpu().numpy(), strict=False):
                found[done : start + length] = -row[done - start :]
                done = start + length
        return found

    @torch.no_grad()
    def attentions(self, tokens: Sequence[int]) -> np.ndarray:
        """Where each token looks: (layers, heads, t, t), rows that sum to 1; the last `context` tokens of a text.

        Equation 1 of Vaswani et al. (2017), computed beside the network from what enters each block.
        """
        given = torch.tensor([list(tokens)[-self.context :]], device=self.device)
        entering = self.network(given, use_cache=False, output_hidden_states=True).hidden_states
        future = torch.ones(given.shape[1], given.shape[1], dtype=torch.bool, device=self.device).triu(1)
        maps = []
        for block, h in zip(self.network.transformer.h, entering, strict=False):
            query, key, _ = block.attn.c_attn(block.ln_1(h)).chunk(3, -1)
            maps.append(attention(query[0], key[0], self.network.config.n_head, future))
        return torch.stack(maps).cpu().numpy()

    # ---- drawing

    @torch.no_grad()
    def write(
        self,
        prompt: Sequence[int],
        seeds: Seeds,
        knobs: Knobs | None = None,
        *,
        most: int,
        adjust: Adjust | None = None,
        processors: "LogitsProcessorList | None" = None,
        ends: bool = True,
        towards: tuple[Sequence[int], float] | None = None,
    ) -> Iterator[Drawn]:
        """Go on from a prompt, one text a seed, a token of each at a time, until all have ended or `most` are drawn.

        Item i depends on the prompt, seed i and the knobs alone. Of a prompt longer than the context the end is kept.

        Args:
            prompt: tokens, the same for every text; without any, texts start from nothing.
            adjust: (item, tokens so far, probabilities (v,)) -> probabilities, after the knobs: where a mark goes in.
            processors: of transformers, applied to the logits before the knobs.
            ends: whether an end may be drawn.
            towards: another prompt of as many tokens, and how far from this one to it, 0 to 1, the embeddings of the
                prompt are moved: between two groups, for one.
        """
        if len(seeds) > MICRO_BATCH:
            raise ValueError(f"At most {MICRO_BATCH} texts are drawn at a time; {len(seeds)} were asked for.")
        if not len(seeds):
            return
        knobs, prompt = knobs or Knobs(), list(prompt) or [self.end]
        so_far = [list(prompt) for _ in range(len(seeds))]
        rows = torch.tensor(prompt[-self.context + 1 :], device=self.device).expand(MICRO_BATCH, -1)
        ended, cache, warp = [False] * len(seeds), None, warpers(knobs)
        history = rows
        for _ in range(most):
            if history.shape[1] >= self.context:
                history, cache = history[:, -(self.context // 2) :], None
            if cache is None and towards is not None and history.shape[1] == len(prompt):
                entering = {"inputs_embeds": self.between(history, *towards)}
            else:
                entering = {"input_ids": history if cache is None else history[:, -1:]}
            answer = self.network(**entering, past_key_values=cache, use_cache=True)
            cache = answer.past_key_values
            logits = answer.logits[:, -1].float()[: len(seeds)]
            plain = logits.log_softmax(-1)
            logits = self.forbid(logits, len(so_far[0]), ends)
            if processors:
                logits = processors(torch.tensor(so_far, device=self.device), logits)
            drawn = self.choose(warp(None, logits), seeds, knobs, so_far, adjust)
            drawn = [self.end if over else token for token, over in zip(drawn, ended, strict=True)]
            for tokens, token in zip(so_far, drawn, strict=True):
                tokens.append(token)
            yield Drawn(
                tuple(-1 if over else token for token, over in zip(drawn, ended, strict=True)), plain.cpu().numpy()
            )
            ended = [over or token == self.end for over, token in zip(ended, drawn, strict=True)]
            if all(ended):
                return
            newest = pad_rows(torch.tensor(drawn, device=self.device)[:, None], MICRO_BATCH)
            history = torch.cat([history, newest], 1)

    def between(self, given: Tensor, other: Sequence[int], share: float) -> Tensor:
        """Embeddings (n, t, width) between those of `given` (n, t) and of another prompt."""
        if len(other) != given.shape[1]:
            raise ValueError(f"The other prompt has {len(other)} tokens and not {given.shape[1]}.")
        there = torch.tensor(list(other), device=self.device).expand_as(given)
        return torch.lerp(*(self.network.get_input_embeddings()(x) for x in (given, there)), share)

    def forbid(self, logits: Tensor, place: int, ends: bool) -> Tensor:
        """Logits (n, v) without the tokens that make no sense at this place of a text."""
        logits = logits.clone()
        if self.controls and place <= len(self.controls):
            names = list(self.controls)
            wanted = f"<{names[place - 1]}: "
            allowed = [i for i, token in enumerate(self.special) if token.startswith(wanted)]
            kept = logits[:, allowed]
            logits.fill_(-torch.inf)
            logits[:, allowed] = kept
            return logits
        logits[:, 1 : len(self.special)] = -torch.inf
        if not ends:
            logits[:, self.end] = -torch.inf
        logits[:, opened(self.described).get_vocab_size() :] = -torch.inf  # room that no token took
        return logits

    def choose(
        self, logits: Tensor, seeds: Seeds, knobs: Knobs, so_far: list[list[int]], adjust: Adjust | None
    ) -> list[int]:
        """A token for every text (n,): the likeliest at temperature 0, else drawn from the adjusted chances."""
        if knobs.temperature < GREEDY:
            return logits.argmax(-1).tolist()
        chances = logits.double().softmax(-1).cpu().numpy()
        drawn = []
        for i, at in enumerate(seeds.rand(1)[:, 0].tolist()):
            own = chances[i] if adjust is None else adjust(i, so_far[i], chances[i])
            reach = np.cumsum(own)
            drawn.append(int(min(np.searchsorted(reach, at * reach[-1], side="right"), np.flatnonzero(own)[-1])))
        return drawn

    # ---- as transformers keeps it

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    def library_config(self) -> dict:
        """What transformers' `from_pretrained` asks for, beside our own record in `config.json`."""
        return self.network.config.to_diff_dict() | {"architectures": ["GPT2LMHeadModel"]}

    def library_files(self) -> dict[str, str]:
        """The tokenizer as transformers' `AutoTokenizer` opens it, by path."""
        roles = {"bos_token": END, "eos_token": END, "pad_token": PAD}
        return vocabulary_of.described(self.described, context=self.context, roles=roles)

    def take_library_files(self, folder) -> None:
        """The other way round: the tokenizer of a folder."""
        self.described = vocabulary_of.kept(folder, self.vocabulary)


def warpers(knobs: Knobs) -> "LogitsProcessorList":
    """The knobs as transformers' processors."""
    from transformers import LogitsProcessorList, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    warp = LogitsProcessorList()
    if knobs.temperature >= GREEDY and knobs.temperature != 1:
        warp.append(TemperatureLogitsWarper(float(knobs.temperature)))
    if knobs.top_k >= 1:
        warp.append(TopKLogitsWarper(int(knobs.top_k)))
    if knobs.top_p < 1:
        warp.append(TopPLogitsWarper(float(knobs.top_p)))
    return warp
