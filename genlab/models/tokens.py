"""Tokenizers of the language models, trained here by the library `tokenizers` and kept as `tokenizer.json`.

Three kinds: "characters", one token each; "bytes", byte pairs merged by how often they meet (Sennrich, Haddow and
Birch 2016; on bytes, Radford et al. 2019), so that any text can be written; "pieces", WordPiece of lower-cased words
(Schuster and Nakajima 2012; Devlin et al. 2019).
"""

import functools
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

END, PAD, ANY = "<end>", "<pad>", "<any>"
MASK, UNKNOWN = "[MASK]", "[UNK]"
KINDS = ("characters", "bytes", "pieces")
LETTERS = 200  # that pieces are made of; words with others are unknown


def learn(kind: str, texts: Sequence[str], *, vocabulary: int, special: Sequence[str]) -> str:
    """A tokenizer of at most `vocabulary` tokens as JSON; the special ones come first.

    Raises:
        ValueError: the kind is unknown, or the texts have more characters than the vocabulary has room for.
    """
    if kind == "characters":
        known = [*special, *sorted(set("".join(texts)))]
        if len(known) > vocabulary:
            raise ValueError(f"The texts have {len(known)} tokens and the vocabulary room for {vocabulary}.")
        tokenizer = Tokenizer(models.WordLevel({token: i for i, token in enumerate(known)}, unk_token=PAD))
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
        tokenizer.decoder = decoders.Fuse()
    elif kind == "bytes":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=list(special),
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        tokenizer.train_from_iterator(_lines(texts), trainer)
    elif kind == "pieces":
        tokenizer = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
        trainer = trainers.WordPieceTrainer(  # letters in order: the library takes them as they come, never twice alike
            vocab_size=vocabulary,
            special_tokens=[*special, *_letters(tokenizer, texts)],
            limit_alphabet=LETTERS,
            show_progress=False,
        )
        tokenizer.train_from_iterator(_lines(texts), trainer)
        pieces = models.WordPiece(tokenizer.get_vocab(with_added_tokens=False), unk_token=UNKNOWN)
        tokenizer = _with(pieces, tokenizer)  # which forgets that letters were special
    else:
        raise ValueError(f"Tokenizers are {', '.join(KINDS)}; {kind!r} was given.")
    tokenizer.add_special_tokens(list(special))
    return tokenizer.to_str()


def _letters(tokenizer: Tokenizer, texts: Sequence[str]) -> list[str]:
    """The `LETTERS` commonest letters of the texts in alphabetical order, then those of them that go on a word."""
    words = Counter(
        word
        for line in _lines(texts)
        for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(line))
    )
    counts: Counter[str] = Counter()
    for word, times in words.items():
        counts.update(dict.fromkeys(word, times))
    kept = sorted(sorted(counts, key=lambda letter: (-counts[letter], letter))[:LETTERS])
    inside = {letter for word in words for letter in word[1:]}
    return [*kept, *(f"##{letter}" for letter in kept if letter in inside)]


def _with(model, tokenizer: Tokenizer) -> Tokenizer:
    """A tokenizer with this model and the other's parts."""
    made = Tokenizer(model)
    made.normalizer, made.pre_tokenizer = tokenizer.normalizer, tokenizer.pre_tokenizer
    made.decoder = tokenizer.decoder
    return made


def _lines(texts: Iterable[str]) -> Iterable[str]:
    for text in texts:
        yield from text.splitlines(keepends=True)


@functools.lru_cache(maxsize=32)
def opened(described: str) -> Tokenizer:
    """The tokenizer that a `tokenizer.json` describes.

    Raises:
        ValueError: it describes none.
    """
    try:
        return Tokenizer.from_str(described)
    except Exception as error:  # the library raises plain exceptions
        raise ValueError(f"tokenizer.json describes none, {str(error)[:80]}") from None


def kept(folder: Path, vocabulary: int) -> str:
    """The `tokenizer.json` of a folder.

    Raises:
        ValueError: it describes no tokenizer, or one of more tokens than the model has. OSError: it is not there.
    """
    text = (folder / "tokenizer.json").read_text(encoding="utf-8")
    size = opened(text).get_vocab_size()
    if size > vocabulary:
        raise ValueError(f"tokenizer.json has {size:,} tokens, and the model {vocabulary:,}")
    return text


def described(tokenizer: str, *, context: int, roles: dict[str, str]) -> dict[str, str]:
    """The files that transformers' `AutoTokenizer` asks for, by name.

    Args:
        roles: such as {"pad_token": "<pad>"}.
    """
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": context, **roles}
    settings["clean_up_tokenization_spaces"] = False
    return {"tokenizer.json": tokenizer, "tokenizer_config.json": json.dumps(settings, indent=1) + "\n"}
