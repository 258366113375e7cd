"""One contract for every family and its main variants."""

import dataclasses
import hashlib
import json
import math

import pytest
import torch
from variants import DECLARED, VARIANTS

from genlab import checkpoint
from genlab.data import Corpus
from genlab.models import FAMILIES, build
from genlab.models.contract import CAPABILITIES, Batch, capabilities, check_knobs
from genlab.seeds import Seeds

GENERATORS = [name for name, (family, _) in VARIANTS.items() if "generate" in DECLARED[family]]
VAES = [name for name, (family, _) in VARIANTS.items() if family == "vae"]
AES = [name for name, (family, _) in VARIANTS.items() if family == "ae"]

each = pytest.mark.parametrize("variant", VARIANTS)
each_generator = pytest.mark.parametrize("variant", GENERATORS)
each_vae = pytest.mark.parametrize("variant", VAES)
each_ae = pytest.mark.parametrize("variant", AES)


def make(variant: str, seed: int = 0):
    """The variant, with weights and batch statistics that are not at their starting values."""
    family, arguments = VARIANTS[variant]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = build(family, arguments)
        for parameter in model.parameters():
            parameter.data.add_(0.05 * torch.randn_like(parameter))
    if hasattr(model, "learn_tokens"):
        model.learn_tokens(Corpus("a", "train", ("abc abd",), (), "none", "nobody"))
    return model.eval()


def items(model, n: int, seed: int = 1):
    """n blocky pictures in 8-bit values (rows and series: normal numbers; texts: tokens), and labels."""
    stream = torch.Generator().manual_seed(seed)
    if hasattr(model, "vocabulary"):
        return torch.randint(8, model.vocabulary, (n, *model.shape), generator=stream), torch.arange(n) % 3
    if len(model.shape) < 3:
        return torch.randn(n, *model.shape, generator=stream), torch.arange(n) % 3
    blocks = torch.rand(n, model.shape[0], 2, 2, generator=stream)
    images = torch.nn.functional.interpolate(blocks, size=model.shape[1:]).mul(255).round() / 255
    return images, torch.arange(n) % 3


def labels_for(model, n: int):
    return torch.arange(n) % model.classes if model.classes else None


def test_every_family_has_a_variant():
    assert {family for family, _ in VARIANTS.values()} == set(FAMILIES) == set(DECLARED)


@each
def test_declared_capabilities(variant):
    assert capabilities(make(variant)) == DECLARED[VARIANTS[variant][0]]
    assert set(DECLARED[VARIANTS[variant][0]]) <= set(CAPABILITIES)


@each_generator
def test_same_seed_same_item_and_no_trace_on_the_global_state(variant):
    model, before = make(variant), torch.get_rng_state()
    first = model.sample(Seeds.count_from(7, 5), labels_for(model, 5))
    again = model.sample(Seeds.count_from(7, 5), labels_for(model, 5))
    other = model.sample(Seeds.count_from(70, 5), labels_for(model, 5))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


@each_generator
def test_an_item_does_not_depend_on_its_neighbours(variant):
    model = make(variant)
    labels = labels_for(model, 37)
    together = model.sample(Seeds.count_from(3, 37), labels)
    for i in (0, 15, 16, 36):
        alone = model.sample(Seeds([3 + i]), None if labels is None else labels[i : i + 1])
        assert torch.equal(alone[0], together[i])
    backwards = model.sample(Seeds(range(39, 2, -1)), None if labels is None else labels.flip(0))
    assert torch.equal(backwards.flip(0), together)


@each_generator
def test_range_shape_and_kind(variant):
    model = make(variant)
    images = model.sample(Seeds.count_from(0, 3))
    assert images.shape == (3, *model.shape)
    assert images.dtype == torch.float32
    assert len(model.shape) == 1 or 0 <= float(images.min()) <= float(images.max()) <= 1
    assert model.sample(Seeds([])).shape == (0, *model.shape)


@each_generator
def test_labels_are_checked(variant):
    model = make(variant)
    wrong = torch.tensor([0, 99]) if model.classes else torch.tensor([0, 0])
    with pytest.raises(ValueError, match="class"):
        model.sample(Seeds([1, 2]), wrong)
    if model.classes:
        with pytest.raises(ValueError, match="One class number"):
            model.sample(Seeds([1, 2]), torch.tensor([0]))


@each_generator
def test_every_knob_has_help_range_and_default_within(variant):
    model = make(variant)
    fields = dataclasses.fields(model.Knobs)
    assert 1 <= len(fields) <= 4
    for field in fields:
        m = field.metadata
        assert len(m["help"]) > 20
        assert m["help"].endswith(".")
        if m["choices"]:
            assert field.default in m["choices"]
            wrong = "nothing of the kind"
        else:
            assert m["low"] <= field.default <= m["high"]
            wrong = m["high"] + 1
        assert check_knobs(model.Knobs, {field.name: field.default}) == model.Knobs()
        for value in (wrong, math.nan, None, True, [1]):
            with pytest.raises(ValueError, match=field.name):
                check_knobs(model.Knobs, {field.name: value})
    with pytest.raises(ValueError, match="Knobs of this model are"):
        check_knobs(model.Knobs, {"no such knob": 1})


@each_generator
def test_every_end_of_every_knob_gives_pictures(variant):
    model = make(variant)
    for field in dataclasses.fields(model.Knobs):
        for value in field.metadata["choices"] or (field.metadata["low"], field.metadata["high"]):
            settings = getattr(model, "default_knobs", model.Knobs)()
            knobs = dataclasses.replace(settings, **{field.name: value})
            missing = {"flow": getattr(model, "flow", None), "mixture": getattr(model, "mixture", None)}
            if value in missing and missing[value] is None:
                with pytest.raises(ValueError, match="prior"):
                    model.sample(Seeds([1]), labels_for(model, 1), knobs)
                continue
            images = model.sample(Seeds([1]), labels_for(model, 1), knobs)
            assert bool(torch.isfinite(images).all())
            assert len(model.shape) == 1 or 0 <= float(images.min()) <= float(images.max()) <= 1


@each
def test_save_and_load_give_the_same_bits(variant, tmp_path):
    model = make(variant)
    recipe = {
        "family": VARIANTS[variant][0],
        "model": json.loads(json.dumps(VARIANTS[variant][1])),
    }
    first = checkpoint.save(model, tmp_path / "a", name="a", recipe=recipe, trained_on={})
    loaded = checkpoint.load(tmp_path / "a")
    buffers = dict(model.named_buffers())
    for key, value in loaded.state_dict().items():
        old = model.state_dict()[key]
        kept = not old.is_floating_point() or (key in buffers and old.numel() <= checkpoint.SMALL)
        assert torch.equal(value, old if kept else old.bfloat16().float()), key
    second = checkpoint.save(loaded, tmp_path / "b", name="b", recipe=recipe, trained_on={})
    assert first["weights_sha256"] == second["weights_sha256"]
    raws = [checkpoint.read_weights(tmp_path / "a" / file) for file in checkpoint.weights_of(type(model)).values()]
    assert hashlib.sha256(b"".join(raws)).hexdigest() == first["weights_sha256"]
    assert not any(p.requires_grad for p in loaded.parameters())
    twin = checkpoint.load(tmp_path / "b")
    if variant in GENERATORS:
        labels = labels_for(loaded, 4)
        assert torch.equal(loaded.sample(Seeds.count_from(0, 4), labels), twin.sample(Seeds.count_from(0, 4), labels))
    elif variant in AES:
        images, _ = items(loaded, 4)
        assert torch.equal(loaded.reconstruct(images), twin.reconstruct(images))
    else:
        images, _ = items(loaded, 4)
        assert answer(loaded, images) == answer(twin, images)


def answer(model, images) -> bytes:
    """What a model that draws no pictures makes of some, or of tokens."""
    if hasattr(model, "log_chances"):
        return model.log_chances(images).numpy().tobytes()
    if hasattr(model, "logits"):
        return model.logits(images).numpy().tobytes()
    whole = images.mul(255).byte().numpy()
    if hasattr(model, "compress_items"):
        return model.compress_items(whole, quality=60)
    return model.compress(whole[0].transpose(1, 2, 0), quality=60)


@each
def test_every_trainable_parameter_gets_a_finite_gradient(variant):
    model = make(variant).train()
    step = model.trainer(1e-4)
    images, labels = items(model, 8)
    for t in range(4):
        losses = step(Batch(images, labels), t / 4)
        assert all(math.isfinite(float(value)) for value in losses.values())
        assert not any(value.requires_grad for value in losses.values())
    trained = [p for group in optimisers(step) for entry in group.param_groups for p in entry["params"]]
    # the trained ones are all that the model has, but for priors that are fitted on the codes afterwards
    priors = [getattr(model, name, None) for name in ("flow", "diffusion")]
    later = [p for prior in priors if prior is not None for p in prior.parameters()]
    fixed = [p for p in model.parameters() if p is getattr(model, "log_deviation", None) and p not in set(trained)]
    assert {*map(id, trained), *map(id, later), *map(id, fixed)} == set(map(id, model.parameters()))
    names = {id(p): name for name, p in model.named_parameters()}
    for parameter in trained:
        assert parameter.grad is not None, names[id(parameter)]
        assert bool(torch.isfinite(parameter.grad).all()), names[id(parameter)]


def optimisers(step) -> list:
    return step.optimisers if hasattr(step, "optimisers") else [step.optimiser]


@pytest.mark.parametrize(
    "variant", ["vae", "vae local", "vae gaussian colour", "vae patches", "vae bernoulli conditional"]
)
def test_a_vae_learns_eight_items_by_heart(variant):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        family, arguments = VARIANTS[variant]
        model = build(family, arguments | {"beta": 0.05, "width": 16})
        images, labels = items(model, 8)
        before = (model.reconstruct(images, labels=labels) - images).square().mean()
        step = model.train().trainer(5e-3)
        for t in range(300):
            step(Batch(images, labels), t / 300)
    after = (model.eval().reconstruct(images, labels=labels) - images).square().mean()
    assert float(after) < 0.1 * float(before)


@pytest.mark.parametrize("variant", ["gan", "gan unconditional", "gan auxiliary", "gan patches"])
def test_a_gan_draws_eight_items_it_was_shown(variant):
    def farness(images):
        return (model.sample(Seeds.count_from(0, 32)).flatten(1)[:, None] - images.flatten(1)).square().mean(2).amin(1)

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build(VARIANTS[variant][0], VARIANTS[variant][1] | {"augment": 0, "width": 8})
        images, labels = items(model, 8)
        before = farness(images).mean()
        step = model.train().trainer(2e-3)
        for t in range(400):
            step(Batch(images, labels), t / 400)
    model.eval()
    assert float(farness(images).mean()) < 0.5 * float(before)


def test_the_judge_learns_eight_items_by_heart():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build("judge", VARIANTS["judge"][1] | {"classes": 8})
        images, _ = items(model, 8)
        labels = torch.arange(8)
        step = model.train().trainer(1e-2)
        for t in range(250):
            step(Batch(images.repeat(4, 1, 1, 1), labels.repeat(4)), t / 250)
    model.eval()
    assert torch.equal(model.logits(images).argmax(1), labels)


@pytest.mark.parametrize("variant", ["photo-codec", "item-codec", "item-codec colour"])
def test_a_codec_learns_eight_items_by_heart(variant):
    """Bits and errors of those items together fall, at the lowest rate and at the highest, from spoilt weights."""
    with torch.random.fork_rng():
        model = make(variant)
        images, labels = items(model, 8)

        def costs() -> list[float]:
            found = []
            for level in (0.0, model.levels - 1.0):
                torch.manual_seed(1)
                with torch.no_grad():
                    pictures, bits = model(images, torch.full((8,), level))
                error = (pictures - images).square().mean() * 65025
                found.append(float(bits.mean() / images[0, 0].numel() + model.weight(level) * error))
            return found

        before = costs()
        step = model.train().trainer(2e-3)
        for t in range(150):
            torch.manual_seed(t)
            step(Batch(images, labels), t / 150)
        after = costs()
    assert all(late < 0.5 * early for early, late in zip(before, after, strict=True))


@each_vae
def test_codes_and_likelihoods_do_not_depend_on_neighbours(variant):
    model = make(variant)
    images, labels = items(model, 19)
    y = labels if model.conditional else None
    codes = model.encode(images, labels=y)
    draws = model.encode(images, labels=y, seeds=Seeds.count_from(0, 19))
    pictures = model.decode(codes, labels=y, seeds=Seeds.count_from(5, 19))
    nats = model.log_prob(images, Seeds.count_from(0, 19), k=2, labels=y)
    assert codes.shape == draws.shape == (19, model.latent)
    assert not torch.equal(codes, draws)
    assert pictures.shape == images.shape
    assert nats.shape == (19,)
    one = slice(17, 18)
    y = None if y is None else y[one]
    assert torch.equal(model.encode(images[one], labels=y)[0], codes[17])
    assert torch.equal(model.encode(images[one], labels=y, seeds=Seeds([17]))[0], draws[17])
    assert torch.equal(model.decode(codes[one], labels=y, seeds=Seeds([22]))[0], pictures[17])
    assert torch.equal(model.log_prob(images[one], Seeds([17]), k=2, labels=y)[0], nats[17])


@each_ae
def test_an_autoencoders_codes_and_items_do_not_depend_on_neighbours(variant):
    model = make(variant)
    images, _ = items(model, 19)
    codes, back = model.encode(images), model.reconstruct(images)
    assert codes.shape == (19, model.latent)
    assert back.shape == images.shape
    assert not model.bounded or 0 <= float(back.min()) <= float(back.max()) <= 1
    decoded = model.decode(codes)
    assert model.spin or torch.equal(decoded, back)
    one = slice(17, 18)
    assert torch.equal(model.encode(images[one])[0], codes[17])
    assert torch.equal(model.decode(codes[one])[0], decoded[17])
    assert torch.equal(model.reconstruct(images[one])[0], back[17])
    assert model.encode(images[:0]).shape == (0, model.latent)


@each_ae
def test_an_autoencoder_learns_eight_items_by_heart(variant):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        family, arguments = VARIANTS[variant]
        model = build(family, arguments | {"weight": 0.0, "amount": (0.0, 0.02), "latent": max(arguments["latent"], 8)})
        images, labels = items(model, 8)
        before = (model.reconstruct(images) - images).square().mean()
        step = model.train().trainer(1e-2)
        for t in range(500):
            step(Batch(images, labels), t / 500)
    after = (model.eval().reconstruct(images) - images).square().mean()
    assert float(after) < 0.1 * float(before)


def test_features_do_not_depend_on_neighbours():
    model = make("judge")
    images, _ = items(model, 70)
    features, logits = model.features(images), model.logits(images)
    assert features.shape == (70, 8)
    assert logits.shape == (70, 3)
    assert torch.equal(model.features(images[66:67])[0], features[66])
    assert torch.equal(model.logits(images[5:6])[0], logits[5])


def test_unknown_families_and_arguments_are_refused():
    with pytest.raises(ValueError, match="Families are"):
        build("diffusion?", {})
    with pytest.raises(ValueError, match="vae"):
        build("vae", {"no_such_argument": 1})
    with pytest.raises(ValueError, match="Likelihoods are"):
        build("vae", {"likelihood": "poisson"})
    with pytest.raises(ValueError, match="merged below it"):
        build("photo-codec", {"channels": 8, "merged": 8})
    with pytest.raises(ValueError, match="multiple of 4"):
        build("item-codec", {"shape": [1, 30, 30]})
    with pytest.raises(ValueError, match="Losses are"):
        build("gan", {"loss": "kindness"})
    for family in ("vae", "gan"):
        with pytest.raises(ValueError, match="multiple of 4"):
            build(family, {"shape": [1, 30, 30]})
