"""Tiny models in the Hub's own formats, saved by the tests: a diffusers pipeline, and a CLIP that sees light."""

import json
from pathlib import Path


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


def save_clip(folder: Path) -> Path:
    """A CLIP that finds "dark" in dark pictures and "bright" in bright ones: trained here for a second or two."""
    import torch
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    words = [
        "<|startoftext|>",
        "<|endoftext|>",
        *"abcdefghijklmnopqrstuvwxyz",
        *(f"{c}</w>" for c in "abcdefghijklmnopqrstuvwxyz"),
    ]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=16)
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config=small
        | {
            "vocab_size": len(words),
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
