"""BERT: words hidden in a text and guessed from both sides by a transformer that may look everywhere.

Devlin et al. (2019): of the tokens that a training step asks for most are replaced by a mask, some by a random token,
and some stay; the loss is theirs alone. The network is transformers' `BertForMaskedLM`, and the folder of a trained
model opens with its `from_pretrained`. It gives no probability of a whole text; the sum of each token's log-chance with
that token hidden, the pseudo-log-likelihood, ranks sentences (Salazar et al. 2020).
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlab.device import autocast
from genlab.models import tokens as vocabulary_of
from genlab.models.contract import Batch
from genlab.models.layers import MICRO_BATCH, Descent, attention, pad_rows, sinusoid
from genlab.models.tokens import MASK, PAD, UNKNOWN, opened
from genlab.models.untied import untie

SPECIAL = (PAD, UNKNOWN, "[CLS]", "[SEP]", MASK)
SPREAD = 0.06  # of weights at the start: at the usual .02 so small a network learns nothing for long
BRIEF, BRIEF_UNTIL = 10, 0.4  # tokens of a piece while a run is younger: neighbours are found sooner among few
FIRST, LAST, HIDDEN = 2, 3, 4  # what a text starts and ends with, and the mask


class BERT(nn.Module):
    """A masked language model with its tokenizer.

    Args:
        vocabulary: number of tokens.
        width: units of a layer, a multiple of heads.
        layers: number of transformer blocks.
        heads: attention heads of a block.
        context: longest text in tokens, its two end marks among them.
        dropout: share of an embedding's units that are dropped in training.
        asked: share of a text's tokens that a training step asks for.
    """

    WEIGHTS = (("network", "model.safetensors"),)  # what transformers reads, and where

    def __init__(
        self,
        *,
        vocabulary: int = 2048,
        width: int = 128,
        layers: int = 4,
        heads: int = 2,
        context: int = 96,
        dropout: float = 0.1,
        asked: float = 0.25,
    ):
        super().__init__()
        from transformers import BertConfig, BertForMaskedLM  # seconds, which no picture waits for

        if width % heads:
            raise ValueError(f"The width must be a multiple of {heads} heads; {width} was given.")
        self.vocabulary, self.context, self.asked = vocabulary, context, asked
        self.shape, self.classes, self.special = (context,), 0, SPECIAL
        self.network = untie(BertForMaskedLM(BertConfig(
            vocab_size=vocabulary, hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads,
            intermediate_size=4 * width, max_position_embeddings=context, type_vocab_size=1,
            hidden_dropout_prob=0, attention_probs_dropout_prob=0, hidden_act="gelu_pytorch_tanh", pad_token_id=0,
            initializer_range=SPREAD,
        )), "cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight")  # fmt: skip
        untie(self.network, "cls.predictions.decoder.bias", "cls.predictions.bias")
        self.network.bert.embeddings.dropout.p = dropout
        places = self.network.bert.embeddings.position_embeddings.weight
        with torch.no_grad():  # neighbours alike from the start: heads find them sooner
            places.copy_(SPREAD * math.sqrt(2) * sinusoid(torch.arange(context) / 1000, width))
        self.described, self.frame, self.mask = "", (FIRST, LAST), MASK
        self.barred = list(range(len(SPECIAL)))

    @classmethod
    def around(
        cls, network: nn.Module, *, described: str, context: int, frame: tuple[int, int], mask: str, barred: list[int]
    ) -> "BERT":
        """A filler around another masked network of transformers, such as one of the Hub.

        Args:
            described: its tokenizer as `tokenizer.json`.
            frame: the tokens that a text starts and ends with.
            mask: its mask as it stands in a text.
            barred: tokens that fill no gap.
        """
        made = cls.__new__(cls)
        nn.Module.__init__(made)
        made.vocabulary, made.context, made.asked = network.config.vocab_size, context, 0.0
        made.shape, made.classes, made.special, made.network = (context,), 0, (), network
        made.described, made.frame, made.mask, made.barred = described, frame, mask, barred
        return made

    # ---- text and tokens

    def learn_tokens(self, corpus) -> None:
        """Train the tokenizer on a `Corpus`."""
        self.described = vocabulary_of.learn("pieces", corpus.texts, vocabulary=self.vocabulary, special=SPECIAL)

    def tokens_of(self, text: str) -> list[int]:
        """Tokens of a text without its end marks; "[MASK]" in it is the mask."""
        return opened(self.described).encode(text, add_special_tokens=False).ids

    def text_of(self, tokens: Sequence[int]) -> str:
        """The text of tokens, lower-cased; special ones are left out."""
        return opened(self.described).decode(list(tokens), skip_special_tokens=True)

    def items_of(self, corpus) -> Tensor:
        """Windows of the works, int64 (n, context), half a window apart, with their end marks."""
        inner = self.context - 2
        stream = torch.tensor([token for text in corpus.texts for token in self.tokens_of(text)])
        windows = stream.unfold(0, min(inner, len(stream)), max(1, inner // 2))
        return F.pad(F.pad(windows, (1, 0), value=FIRST), (0, 1), value=LAST)

    # ---- learning

    def trainer(self, lr: float) -> Descent:
        return Descent(self, self.loss, lr=lr, weight_decay=0.05, betas=(0.9, 0.98), clip=1.0)

    def loss(self, batch: Batch, fraction: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Nats a hidden token: eight in ten are masked, one is random, one stays (Devlin et al. 2019, section 3.1)."""
        whole = batch.items.long()
        places = None
        if fraction < BRIEF_UNTIL:
            whole = brief(whole)
            start = torch.randint(self.context - whole.shape[1] + 1, (len(whole), 1), device=whole.device)
            places = start + torch.arange(whole.shape[1], device=whole.device)  # or later ones would stay unlearnt
        dice = torch.rand(whole.shape, device=whole.device)
        asked = (dice < self.asked) & (whole >= len(SPECIAL))
        if not bool(asked.any()):  # a text of end marks alone teaches nothing; keep the graph
            asked = torch.ones_like(asked)
        what = torch.rand(whole.shape, device=whole.device)
        given = torch.where(asked & (what < 0.8), HIDDEN, whole)
        other = torch.randint(len(SPECIAL), self.vocabulary, whole.shape, device=whole.device)
        given = torch.where(asked & (what >= 0.9), other, given)
        with autocast(whole.device):
            states = self.network.bert(given, position_ids=places).last_hidden_state[asked]
            logits = self.network.cls(states)
        return F.cross_entropy(logits.float(), whole[asked]), {}

    # ---- chances

    @torch.no_grad()
    def log_chances(self, given: Tensor) -> Tensor:
        """Log-probabilities in nats (n, t, v) of the token at each place of `given` (n, t), end marks included."""
        return self.logits_of(given).log_softmax(-1)

    @torch.no_grad()
    def logits_of(self, given: Tensor) -> Tensor:
        """Logits (n, t, v), float32; every token is looked at, whatever it is."""
        return self.network(given, attention_mask=torch.ones_like(given)).logits.float()

    def fill(self, tokens: Sequence[int]) -> np.ndarray:
        """Log-probabilities (m, v) at the m masks of a text, all masked together; special tokens have none.

        Raises:
            ValueError: there is no mask, or the text is longer than the context.
        """
        given = self.framed(tokens)
        places = [i for i, token in enumerate(given) if token == self.hidden]
        if not places:
            raise ValueError(f"The text has no {self.mask} to fill.")
        logits = self.logits_of(torch.tensor([given], device=self.device))[0, places]
        logits[:, self.barred] = -torch.inf
        return logits.log_softmax(-1).cpu().numpy()

    def pseudo_code_lengths(self, tokens: Sequence[int]) -> np.ndarray:
        """Nats (t,) of each token with itself hidden and all others seen (Salazar et al. 2020, equation 2).

        Raises:
            ValueError: the text is longer than the context.
        """
        given = torch.tensor(self.framed(tokens), device=self.device)
        places, found = range(1, len(given) - 1), []
        for start in range(0, len(places), MICRO_BATCH):
            part = torch.tensor(places[start : start + MICRO_BATCH], device=self.device)
            rows = given.repeat(len(part), 1)
            rows[torch.arange(len(part)), part] = self.hidden
            chances = self.log_chances(pad_rows(rows, MICRO_BATCH))[: len(part)]
            found += (-chances[torch.arange(len(part)), part, given[part]]).tolist()
        return np.array(found)

    @torch.no_grad()
    def attentions(self, tokens: Sequence[int]) -> np.ndarray:
        """Where each token looks, end marks included: (layers, heads, t, t), rows that sum to 1."""
        given = torch.tensor([self.framed(tokens)], device=self.device)
        seen = torch.ones_like(given)
        entering = self.network(given, attention_mask=seen, output_hidden_states=True).hidden_states
        maps = []
        for block, h in zip(self.network.bert.encoder.layer, entering, strict=False):
            own = block.attention.self
            maps.append(attention(own.query(h)[0], own.key(h)[0], self.network.config.num_attention_heads))
        return torch.stack(maps).cpu().numpy()

    def framed(self, tokens: Sequence[int]) -> list[int]:
        """The tokens between the two end marks.

        Raises:
            ValueError: there are too many, or none.
        """
        if not 0 < len(tokens) <= self.context - 2:
            raise ValueError(
                f"A text of 1 to {self.context - 2} tokens (about {3 * (self.context - 2) // 4} words) is needed; this "
                f"one has {len(tokens):,}."
            )
        return [self.frame[0], *tokens, self.frame[1]]

    @property
    def hidden(self) -> int:
        """The token that stands for a hidden one."""
        return opened(self.described).token_to_id(self.mask)

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    # ---- as transformers keeps it

    def library_config(self) -> dict:
        """What transformers' `from_pretrained` asks for, beside our own record in `config.json`."""
        return self.network.config.to_diff_dict() | {"architectures": ["BertForMaskedLM"]}

    def library_files(self) -> dict[str, str]:
        """The tokenizer as transformers' `AutoTokenizer` opens it, by path."""
        roles = {
            "pad_token": PAD, "unk_token": UNKNOWN, "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": MASK,
        }  # fmt: skip
        return vocabulary_of.described(self.described, context=self.context, roles=roles)

    def take_library_files(self, folder: Path) -> None:
        """The other way round: the tokenizer of a folder."""
        self.described = vocabulary_of.kept(folder, self.vocabulary)


def brief(whole: Tensor) -> Tensor:
    """Windows (n, context) cut into pieces (m, BRIEF + 2), each with its end marks; what is left over is left out.

    Among sixty places a head that starts out looking everywhere hardly feels its neighbour; Devlin et al. (2019) too
    train on short texts first (appendix A.2).
    """
    inner = whole[:, 1:-1]
    length = min(BRIEF, inner.shape[1])
    pieces = inner[:, : inner.shape[1] // length * length].reshape(-1, length)
    return F.pad(F.pad(pieces, (1, 0), value=FIRST), (0, 1), value=LAST)
