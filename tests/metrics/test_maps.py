"""Maps are judged as scikit-learn judges them, item by item, and by hand where the answer is known."""

import numpy as np
import pytest

from genlab.metrics.maps import continuity, intrusion, knn_accuracy, trustworthiness


@pytest.fixture
def cloud():
    rng = np.random.default_rng(0)
    items = rng.standard_normal((120, 6))
    return items, items[:, :2] + 0.3 * rng.standard_normal((120, 2))


def test_trustworthiness_agrees_with_scikit_learn_and_continuity_is_its_mirror(cloud):
    from sklearn.manifold import trustworthiness as theirs

    items, places = cloud
    for k in (5, 12):
        assert trustworthiness(items, places, k).value == pytest.approx(theirs(items, places, n_neighbors=k), abs=1e-12)
        assert continuity(items, places, k).value == pytest.approx(theirs(places, items, n_neighbors=k), abs=1e-12)
    found = trustworthiness(items, places)
    assert found.low < found.value < found.high
    assert found.n == 120


def test_a_faithful_map_scores_one_and_a_shuffled_one_a_half(cloud):
    items, _ = cloud
    assert trustworthiness(items, 3 * items + 1).value == 1
    assert continuity(items, items).value == 1
    shuffled = trustworthiness(items, np.random.default_rng(1).permutation(items))
    assert shuffled.value == pytest.approx(0.5, abs=0.06)
    with pytest.raises(ValueError, match="need more than"):
        intrusion(items[:20], items[:20], 10)


def test_knn_accuracy_agrees_with_scikit_learn(cloud):
    from sklearn.neighbors import KNeighborsClassifier

    items, places = cloud
    labels = (items[:, 0] > 0).astype(int) + (items[:, 1] > 0.5)
    theirs = KNeighborsClassifier(15).fit(places[:80], labels[:80]).score(places[80:], labels[80:])
    found = knn_accuracy(places[80:], labels[80:], (places[:80], labels[:80]))
    assert found.value == pytest.approx(theirs)
    assert found.low < found.value < found.high
    alone = [
        KNeighborsClassifier(15).fit(np.delete(places, i, 0), np.delete(labels, i)).predict(places[i : i + 1])[0]
        for i in range(len(places))
    ]
    assert knn_accuracy(places, labels).value == pytest.approx(np.mean(np.asarray(alone) == labels))
