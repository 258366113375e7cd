"""A tiny variant of every family, and what each family can do: what the contract is held against."""

from genlab.models.corruption import NOISES

SHAPE = (1, 8, 8)
VARIANTS = {
    "vae": ("vae", {"shape": SHAPE, "classes": 3, "latent": 4, "width": 8, "priors": ("flow", "mixture")}),
    "vae local": ("vae", {"shape": SHAPE, "latent": 4, "width": 8, "local": (2, 1), "priors": ("mixture",)}),
    "vae deep": ("vae", {"shape": SHAPE, "latent": 4, "width": 8, "depth": 2, "local": (1, 1), "free_bits": 0.1}),
    "vae gaussian colour": (
        "vae",
        {"shape": (3, 8, 8), "latent": 4, "width": 8, "likelihood": "gaussian", "beta": 4.0},
    ),
    "vae patches": (
        "vae",
        {"shape": (3, 8, 8), "latent": 4, "width": 8, "patch": 2, "likelihood": "laplace", "priors": ("flow",)},
    ),
    "vae bernoulli conditional": (
        "vae",
        {"shape": SHAPE, "classes": 3, "conditional": True, "latent": 4, "width": 8, "likelihood": "bernoulli"},
    ),
    "vae points": ("vae", {"shape": (2,), "latent": 3, "width": 16, "priors": ("flow",)}),
    "gan points": ("gan", {"shape": (2,), "latent": 4, "width": 4, "loss": "non-saturating", "spectral": False}),
    "gan points clipped": (
        "gan",
        {"shape": (2,), "latent": 4, "width": 4, "loss": "wasserstein", "clip": 0.01, "spectral": False},
    ),
    "gan": ("gan", {"shape": SHAPE, "classes": 3, "latent": 4, "width": 4, "augment": 1, "r1": 0.1}),
    "gan unconditional": ("gan", {"shape": (3, 8, 8), "latent": 4, "width": 4, "loss": "non-saturating"}),
    "gan patches": ("gan", {"shape": (3, 16, 16), "latent": 4, "width": 4, "patch": 2, "augment": 2}),
    "gan three stages": ("gan", {"shape": SHAPE, "latent": 4, "width": 4, "stages": 3, "loss": "non-saturating"}),
    "gan auxiliary": ("gan", {"shape": SHAPE, "classes": 3, "latent": 4, "width": 4, "auxiliary": 0.2}),
    "gan palette": (
        "gan",
        {"shape": (3, 16, 16), "latent": 4, "width": 4, "depth": 0, "stages": 3, "patch": 2, "detail": 6, "palette": 5},
    ),
    "gan rehearsed": ("gan", {"shape": SHAPE, "classes": 3, "latent": 4, "width": 4, "rehearsal": 0.5}),
    "gan minimax": ("gan", {"shape": SHAPE, "latent": 4, "width": 4, "loss": "minimax"}),
    "wgan-gp": (
        "gan",
        {"shape": SHAPE, "classes": 3, "latent": 4, "width": 4, "loss": "wasserstein", "gradient_penalty": 10.0,
         "spectral": False, "critic_steps": 2, "penalty_every": 1},
    ),
    "gan growing": (
        "gan",
        {"shape": (3, 16, 16), "latent": 4, "width": 4, "stages": 2, "patch": 2, "growing": True, "spectral": False,
         "loss": "non-saturating", "r1": 0.1},
    ),
    "gan relativistic": (
        "gan",
        {"shape": SHAPE, "latent": 4, "width": 4, "loss": "relativistic", "spectral": False, "r1": 0.1, "r2": 0.1,
         "noise": 0.3},
    ),
    "judge": ("judge", {"shape": SHAPE, "classes": 3, "width": 4, "feature": 8}),
    "judge attributes": (
        "judge",
        {"shape": (3, 8, 8), "attributes": {"tone": 3, "glasses": 2}, "patch": 2, "width": 4, "feature": 8},
    ),
    "ae undercomplete": ("ae", {"shape": SHAPE, "latent": 6, "hidden": (16,)}),
    "ae overcomplete map": ("ae", {"shape": SHAPE, "latent": 128, "network": "map", "width": 8}),
    "ae denoising": (
        "ae",
        {"shape": SHAPE, "latent": 32, "network": "map", "width": 8, "coarse": 8, "noise": NOISES, "amount": (0, 0.3),
         "spin": True},
    ),
    "ae sparse l1": (
        "ae", {"shape": SHAPE, "latent": 80, "hidden": (), "code": "relu", "penalty": "l1", "weight": 1e-3},
    ),
    "ae sparse kl": (
        "ae",
        {"shape": SHAPE, "latent": 80, "hidden": (), "tied": True, "code": "sigmoid", "penalty": "kl",
         "weight": 1e-3, "loss": "bce"},
    ),
    "ae contractive": ("ae", {"shape": SHAPE, "latent": 6, "hidden": (16, 12), "penalty": "contractive",
                              "weight": 1e-3, "tied": True}),
    "ae convolutional colour": ("ae", {"shape": (3, 8, 8), "latent": 6, "network": "convolutional", "width": 8}),
    "ae neighbours": (
        "ae",
        {"shape": SHAPE, "latent": 2, "network": "convolutional", "width": 8, "depth": 2, "penalty": "neighbours",
         "weight": 0.01, "target": 3.0},
    ),
    "ae series": ("ae", {"shape": (2, 16), "latent": 4, "network": "convolutional", "width": 8, "bounded": False}),
    "ae series map": ("ae", {"shape": (1, 16), "latent": 24, "network": "map", "width": 8, "bounded": False}),
    "ae table": ("ae", {"shape": (7,), "latent": 2, "hidden": (12, 8), "bounded": False}),
    "photo-codec": (
        "photo-codec",
        {"channels": 12, "merged": 4, "hyper": 4, "width": 8, "polish": 4, "levels": 3, "blocks": (1, 1), "crop": 64},
    ),
    "photo-codec unpolished": (
        "photo-codec",
        {"channels": 8, "merged": 2, "hyper": 2, "width": 8, "polish": 0, "levels": 2, "blocks": (0, 1), "crop": 64},
    ),
    "item-codec": ("item-codec", {"shape": SHAPE, "latents": 5, "width": 16, "blocks": (1, 1)}),
    "item-codec colour": ("item-codec", {"shape": (3, 8, 12), "latents": 4, "width": 16, "levels": 2}),
    "pixelcnn": ("pixelcnn", {"shape": SHAPE, "classes": 3, "width": 16, "depth": 2, "reach": 2, "places": 8}),
    "pixelcnn colour": ("pixelcnn", {"shape": (3, 4, 4), "width": 16, "depth": 1, "reach": 2, "places": 8}),
    "pixelcnn logistics": (
        "pixelcnn",
        {"shape": SHAPE, "width": 16, "depth": 1, "reach": 2, "output": "logistics", "mixtures": 2, "memory": False},
    ),
    "pixelrnn": ("pixelrnn", {"shape": SHAPE, "classes": 3, "width": 8, "layers": 2, "reach": 2}),
    "pixelrnn unconditional": ("pixelrnn", {"shape": (1, 6, 8), "width": 8, "layers": 1, "reach": 1}),
    "diffusion": ("diffusion", {"shape": SHAPE, "classes": 3, "widths": (8, 16)}),
    "diffusion colour": (
        "diffusion", {"shape": (3, 8, 8), "widths": (8, 16), "patch": 1, "attention": False, "blocks": 2},
    ),
    "diffusion flow": ("diffusion", {"shape": SHAPE, "classes": 3, "process": "flow", "widths": (8, 16)}),
    "latent diffusion": ("latent-diffusion", {"shape": (3, 8, 8), "coder": (8, 8), "widths": (8, 16)}),
    "latent diffusion classes": (
        "latent-diffusion",
        {"shape": SHAPE, "classes": 3, "process": "flow", "coder": (8, 8), "widths": (8, 8), "latent": 2},
    ),
    "gpt": ("gpt", {"vocabulary": 300, "width": 16, "layers": 2, "heads": 2, "context": 16}),
    "gpt names": (
        "gpt",
        {"vocabulary": 60, "units": "characters", "width": 16, "layers": 1, "heads": 2, "context": 16,
         "controls": {"country": ("Here", "There"), "gender": ("female", "male")}},
    ),
    "bert": ("bert", {"vocabulary": 200, "width": 16, "layers": 2, "heads": 2, "context": 16}),
}  # fmt: skip
DECLARED = {
    "vae": ("generate", "autoencode", "likelihood"),
    "gan": ("generate",),
    "judge": ("classify",),
    "ae": ("autoencode",),
    "photo-codec": ("compress",),
    "item-codec": ("compress-items",),
    "pixelcnn": ("generate", "likelihood", "watch", "complete"),
    "pixelrnn": ("generate", "likelihood", "watch"),
    "diffusion": ("generate", "denoise", "complete", "vary", "retrace"),
    "latent-diffusion": ("generate", "denoise", "vary"),
    "gpt": ("write", "attend"),
    "bert": ("fill", "attend"),
}
