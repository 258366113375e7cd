"""All the quality figures of one generated set, side by side."""

from __future__ import annotations

from audits.quality.features import as_features, same_width
from audits.quality.frechet import frechet_distance, frechet_finding
from audits.quality.kernel import kernel_distance
from audits.quality.neighbours import neighbour_findings, prdc
from audits.quality.scores import class_score_finding
from audits.report import Report


def quality_report(
    real, fake, *, floor_pair=None, k: int = 5, seed: int = 0, probabilities=None, real_probabilities=None, train=None,
    caveats: tuple[str, ...] = (),
) -> Report:  # fmt: skip
    """Fréchet and kernel distance, precision, recall, density and coverage of a generated set.

    `real` (n, w) and `fake` (m, w) are features of one judge. `floor_pair` is two sets of real features, of
    the sizes of `real` and `fake`; what they show against each other is the floor of every figure. Every
    finding has an interval, never from resampling with replacement: the Fréchet distance from a
    delete-a-block jackknife, the others from subsamples (see `frechet_finding`, `kernel_distance` and
    `neighbour_findings`). Raises FeatureError.
    """
    real, fake = as_features(real, "real"), as_features(fake, "generated")
    same_width(real, fake)
    frechet_floor = kernel_floor = neighbour_floor = None
    caveats = [*caveats, "Distances by different judges, or between sets of different sizes, cannot be compared."]
    if floor_pair is None:
        caveats.append("No floor was measured: give two sets of real features to see what real data shows.")
    else:
        first, second = (as_features(x, "floor") for x in floor_pair)
        frechet_floor = frechet_distance(first, second)
        kernel_floor = kernel_distance(first, second, seed=seed).value
        neighbour_floor = prdc(first, second, k=k)
        if (len(first), len(second)) != (len(real), len(fake)):
            caveats.append(
                f"The floor was measured on {len(first):,} against {len(second):,} items, the figures on "
                f"{len(real):,} against {len(fake):,}: the Fréchet distance and coverage depend on the size."
            )
    if min(len(real), len(fake)) <= 2 * real.shape[1]:
        caveats.append(
            f"{min(len(real), len(fake)):,} items are few for {real.shape[1]:,} features: the Fréchet "
            "distance is dominated by its bias."
        )
    findings = [
        frechet_finding(real, fake, floor=frechet_floor, seed=seed),
        kernel_distance(real, fake, floor=kernel_floor, seed=seed),
        *neighbour_findings(real, fake, k=k, floor=neighbour_floor, seed=seed),
    ]
    if probabilities is not None:
        findings.append(class_score_finding(probabilities, real_probabilities, seed=seed))
        caveats.append("The class score sees no real item: it knows neither copies nor what is missing inside a class.")
    if train is not None:
        from audits.privacy import nearest_copies, nearest_distance_ratio  # it builds on this package

        train = as_features(train, "training", rows=50)
        same_width(real, train)
        findings += [nearest_copies(fake, train, real), nearest_distance_ratio(fake, train, real, seed=seed)]
    return Report("Quality of a generated set", tuple(findings), tuple(caveats))
