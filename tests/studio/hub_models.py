"""Tiny models in the Hub's own formats, saved by the tests: diffusers pipelines, and a CLIP that sees light."""

import json
from pathlib import Path

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def save_ddpm(folder: Path) -> Path:
    """An untrained unconditional diffusers pipeline for 16x16 pictures."""
    import torch
    from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel

    with torch.random.fork_rng():
        torch.manual_seed(0)
        unet = UNet2DModel(
            sample_size=16, in_channels=3, out_channels=3, layers_per_block=1, block_out_channels=(8, 16),
            down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D"),
            norm_num_groups=4,
        )  # fmt: skip
    DDPMPipeline(unet=unet, scheduler=DDPMScheduler(num_train_timesteps=20)).save_pretrained(folder)
    return folder


def save_dit(folder: Path) -> Path:
    """An untrained class-conditional pipeline for 16x16 pictures of 1,000 classes, two of them with names."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, DiTPipeline, DiTTransformer2DModel

    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformer = DiTTransformer2DModel(
            sample_size=8, num_layers=1, patch_size=4, attention_head_dim=8, num_attention_heads=2, in_channels=4,
            out_channels=8, attention_bias=True, activation_fn="gelu-approximate", num_embeds_ada_norm=1000,
            norm_type="ada_norm_zero", norm_elementwise_affine=False,
        )  # fmt: skip
        vae = AutoencoderKL(block_out_channels=(8, 8), norm_num_groups=4, **BLOCKS)
    DiTPipeline(transformer, vae, DDIMScheduler(**FEW)).save_pretrained(folder)
    index = folder / "model_index.json"
    names = {"id2label": {"0": "tench, fish", "1": "shark"}}  # as published ones carry them
    index.write_text(json.dumps(json.loads(index.read_text()) | names))
    return folder


BLOCKS = {
    "down_block_types": ("DownEncoderBlock2D", "DownEncoderBlock2D"),
    "up_block_types": ("UpDecoderBlock2D", "UpDecoderBlock2D"),
    "latent_channels": 4,
}
FEW = {"num_train_timesteps": 4, "timestep_spacing": "linspace", "steps_offset": 1, "clip_sample": False}


def save_stable(folder: Path, *, changes: bool = False) -> Path:
    """An untrained text-to-image pipeline for 16x16 pictures; one that changes pictures instead if `changes`."""
    import torch
    from diffusers import (
        AutoencoderKL,
        DDIMScheduler,
        StableDiffusionImg2ImgPipeline,
        StableDiffusionPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = letters(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        unet = UNet2DConditionModel(
            sample_size=8, block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4, cross_attention_dim=16,
            attention_head_dim=2, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        )  # fmt: skip
        vae = AutoencoderKL(block_out_channels=(8, 8), norm_num_groups=4, **BLOCKS)
        words = CLIPTextConfig(
            hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, vocab_size=len(tokenizer),
            max_position_embeddings=16, bos_token_id=0, eos_token_id=1, pad_token_id=1,
        )  # fmt: skip
        text = CLIPTextModel(words)
    kind = StableDiffusionImg2ImgPipeline if changes else StableDiffusionPipeline
    pipe = kind(
        vae=vae, text_encoder=text, tokenizer=tokenizer, unet=unet, scheduler=DDIMScheduler(**FEW),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipe.save_pretrained(folder)
    return folder


def letters(folder: Path):
    """A tokenizer of 16 places that knows letters alone."""
    from transformers import CLIPTokenizer

    words = ["<|startoftext|>", "<|endoftext|>", *LETTERS, *(f"{c}</w>" for c in LETTERS)]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=16)


def save_clip(folder: Path) -> Path:
    """A CLIP that finds "dark" in dark pictures and "bright" in bright ones: trained here for a second or two."""
    import torch
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = letters(folder)
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config=small
        | {
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 16,
            "bos_token_id": 0,
            "eos_token_id": 1,
            "pad_token_id": 1,
        },
        vision_config=small | {"image_size": 16, "patch_size": 8},
        projection_dim=8,
    )
    pictures = CLIPImageProcessor(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
    processor = CLIPProcessor(image_processor=pictures, tokenizer=tokenizer)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = CLIPModel(config)
        learn(model, processor)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def learn(model, processor) -> None:
    """Pull dark pictures towards the word dark, bright ones towards bright."""
    import torch
    from PIL import Image

    shades = [0, 20, 40, 215, 235, 255]
    images = [Image.new("RGB", (16, 16), (shade, shade, shade)) for shade in shades]
    given = processor(text=["dark", "bright"], images=images, return_tensors="pt", padding=True)
    wanted = torch.tensor([int(shade > 128) for shade in shades])
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(60):
        loss = torch.nn.functional.cross_entropy(model(**given).logits_per_image, wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.eval()


def save_language(folder: Path, kind: str) -> Path:
    """An untrained causal ("gpt2") or masked ("bert") language model with its tokenizer, as transformers saves them."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertForMaskedLM, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    words = ["the owl and the pussycat went to sea in a beautiful pea green boat"]
    if kind == "gpt2":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        special = ["<|endoftext|>"]
        trainer = trainers.BpeTrainer(vocab_size=280, special_tokens=special, initial_alphabet=alphabet)
        roles = {"bos_token": special[0], "eos_token": special[0]}
    else:
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        trainer = trainers.WordPieceTrainer(vocab_size=90, special_tokens=special)
        names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
        roles = dict(zip(names, special, strict=True))
    tokenizer.train_from_iterator(words, trainer)
    if kind == "bert":
        tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
    size = tokenizer.get_vocab_size()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if kind == "gpt2":
            network = GPT2LMHeadModel(
                GPT2Config(vocab_size=size, n_positions=48, n_embd=16, n_layer=1, n_head=2, eos_token_id=0)
            )
        else:
            network = BertForMaskedLM(
                BertConfig(
                    vocab_size=size, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
                    max_position_embeddings=24,
                )
            )  # fmt: skip
    network.save_pretrained(folder, safe_serialization=True)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **roles).save_pretrained(folder)
    return folder
