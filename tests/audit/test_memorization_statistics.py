"""Each memorization statistic equals a slow transcription of its definition; copies move it, fresh patients do not."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from privbench.audit.measures import memorization as measure
from privbench.audit.measures.measured import Truth
from privbench.audit.measures.memorization_authenticity import AUTHENTICITY
from privbench.audit.measures.memorization_c_t import C_T, c_t, resampled_c_t
from privbench.audit.measures.memorization_dcr import DCR, NNDR, protection, resampled_median
from privbench.audit.measures.memorization_relative import RELATIVE
from privbench.audit.types import ImageSet, MemorizationScores, Ranking, SpaceDistances

from .made_memorization import build, context, named

COMPANIONS = ("dcr_share", "nndr", "relative_knn", "c_t", "authpct")


@pytest.fixture(params=[(0, False, 20), (1, True, 20), (2, False, 40)], ids=["distinct", "ties", "more than ranked"])
def division(request):
    """A world, a random division of its patients, and what the engine makes of it."""
    seed, ties, per_side = request.param
    world = build(seed, leak=0.2, ties=ties, per_side=per_side)
    member = np.random.default_rng(seed + 100).permutation(world.member)
    return world, member, world.space.under(member)


def nearest(distances, columns):
    """For each row the nearest patient's distance, by a loop over patients."""
    return np.array([[row[columns == patient].min() for patient in np.unique(columns)] for row in distances])


def test_the_nearest_of_both_sides_are_those_of_all_distances(division):
    world, member, found = division
    for side, near in ((member, found.member), (~member, found.holdout)):
        rows = side[world.owner]
        by_patient = np.sort(nearest(world.to[:, rows], world.owner[rows]), axis=1)
        assert np.array_equal(near.distance, by_patient[:, 0])
        assert np.array_equal(near.second, by_patient[:, 1])
        assert np.array_equal(world.to[np.arange(len(near.image)), near.image], by_patient[:, 0])
        assert np.array_equal(world.owner[near.image], near.patient)
    for i, patient in enumerate(world.owner):
        alike = member[world.owner] == member[patient]
        others = world.owner != patient
        assert found.same[i] == world.among[i, alike & others].min()
        assert found.opposite[i] == world.among[i, ~alike].min()


def test_dcr_is_the_share_of_images_closer_to_a_member_a_tie_counting_half(division):
    world, member, found = division
    rows = member[world.owner]
    wins = [
        1.0 if row[rows].min() < row[~rows].min() else 0.5 if row[rows].min() == row[~rows].min() else 0.0
        for row in world.to
    ]
    assert DCR.statistic(found) == pytest.approx(np.mean(wins), abs=1e-12)


def test_the_protection_score_is_that_of_sdmetrics():
    assert [protection(share) for share in (0.3, 0.5, 0.75, 1.0)] == [1.0, 1.0, 0.5, 0.0]


def test_nndr_is_the_median_ratio_of_the_two_nearest_patients(division):
    world, member, found = division
    rows = member[world.owner]
    first, second = np.sort(nearest(world.to[:, rows], world.owner[rows]), axis=1)[:, :2].T
    assert NNDR.statistic(found) == pytest.approx(np.median(first / second), abs=1e-12)


def carlini(world, rows):
    """d(s, x1) / (alpha E[d(x1, y)]) < 1 over x1's 50 nearest on its side, one image a patient, no sibling."""
    flags = []
    for row in world.to:
        x1 = np.flatnonzero(rows)[row[rows].argmin()]
        others = rows & (world.owner != world.owner[x1])
        around = np.sort(nearest(world.among[x1, others][None], world.owner[others])[0])[:50]
        flags.append(row[x1] / (0.5 * around.mean()) < 1)
    return np.array(flags)


@pytest.mark.parametrize("per_side", [20, 40, 70])
def test_relative_knn_counts_images_far_closer_than_their_matchs_neighbours(per_side):
    world = build(3, leak=0.2, per_side=per_side, each=2)
    rows = world.member[world.owner]
    if per_side < 70:  # beyond, a ranking of 128 patients may hold fewer than 50 of one side
        expected = carlini(world, rows).mean() - carlini(world, ~rows).mean()
        assert RELATIVE.statistic(world.space.under(world.member)) == pytest.approx(expected, abs=1e-12)
    found = named(measure.measure_memorization(world.scores, world.truth, context()), "relative_knn")
    assert f"its {min(per_side - 1, 50)} nearest" in found.method
    assert found.low <= 0.2 <= found.high


def meehan(released, released_cell, holdout, holdout_cell, tau=20):
    """The reference code's C_T (casey-meehan/data-copying), written down again; T is not cut by cell."""
    total, mass = 0.0, 0.0
    for cell in np.unique(holdout_cell):
        q, p = released[released_cell == cell], holdout[holdout_cell == cell]
        m, n = len(q), len(p)
        if m / len(released) <= tau / len(released):
            continue
        u = mannwhitneyu(q, p, alternative="less").statistic
        z = (u - (n * m / 2 - 0.5)) / np.sqrt(n * m * (n + m + 1) / 12)
        total, mass = total + n / len(holdout) * z, mass + n / len(holdout)
    return total / mass


def test_c_t_is_that_of_the_reference_code(division):
    world, member, found = division
    rows = member[world.owner]
    cells = world.scores.spaces[0].cells
    expected = meehan(world.to[:, rows].min(1), cells[0], world.among[~rows][:, rows].min(1), cells[1][~rows])
    assert C_T.statistic(found) == pytest.approx(expected, abs=1e-9)


def test_c_t_leaves_out_cells_with_twenty_released_images_or_fewer():
    rng = np.random.default_rng(0)
    released, holdout = rng.integers(0, 9, 65) / 2, rng.integers(0, 9, 50) / 2
    released_cell = np.repeat([0, 3, 5], [21, 20, 24])
    holdout_cell = rng.integers(0, 6, 50)
    expected = meehan(released, released_cell, holdout, holdout_cell)
    assert c_t(released, released_cell, holdout, holdout_cell) == pytest.approx(expected, abs=1e-9)
    assert np.isnan(c_t(released[:20], released_cell[:20], holdout, holdout_cell))


def test_c_t_and_the_median_of_a_resample_are_those_of_the_images_drawn():
    rng = np.random.default_rng(1)
    released, holdout = rng.integers(0, 30, 80).astype(float), rng.integers(0, 30, 60).astype(float)
    cells = np.arange(80) % 2, np.arange(60) % 2
    drawn = rng.integers(0, 3, (4, 80)), rng.integers(0, 3, (4, 60))
    found = resampled_c_t(released, cells[0], holdout, cells[1])(*drawn)
    medians = resampled_median(released)(drawn[0])
    for row, (w, v) in enumerate(zip(*drawn, strict=True)):
        a, b = np.repeat(np.arange(80), w), np.repeat(np.arange(60), v)
        assert found[row] == pytest.approx(meehan(released[a], cells[0][a], holdout[b], cells[1][b]), abs=1e-9)
        assert medians[row] == np.median(released[a])


def test_authpct_is_the_share_farther_from_a_members_image_than_that_images_own_neighbour(division):
    world, member, found = division
    rows = member[world.owner]
    flags = []
    for row, patient in zip(world.to, found.member.patient, strict=True):
        own = np.flatnonzero(world.owner == patient)
        t = own[row[own].argmin()]  # where several patients tie, the one ranked first
        assert row[t] == row[rows].min()
        flags.append(world.among[t, rows & (world.owner != patient)].min() < row[t])
    assert AUTHENTICITY.statistic(found) == pytest.approx(np.mean(flags), abs=1e-12)


def test_every_statistic_notices_a_release_that_is_mostly_copies():
    world = build(4, leak=0.7)
    found = measure.measure_memorization(world.scores, world.truth, context())
    for name in COMPANIONS:
        estimate = named(found, name)
        assert estimate.p_value <= 0.01, name
        beyond = estimate.value - estimate.null
        assert beyond < 0 if estimate.worse == "lower" else beyond > 0, name
        assert estimate.low <= estimate.value <= estimate.high
        assert "permutations within centres" in estimate.method
    assert named(found, "exposed_patients", "").p_value == 0.001


def test_fresh_patients_are_not_accused_by_any_statistic(monkeypatch):
    for name in ("PERMUTATIONS", "COMPANION_PERMUTATIONS"):
        monkeypatch.setattr(measure, name, 99)
    runs = 60
    p_values = {name: [] for name in (*COMPANIONS, "exposed_patients", "most_copies")}
    for seed in range(runs):
        world = build(1000 + seed, each=2 + seed % 3)
        found = measure.measure_memorization(world.scores, world.truth, context(seed))
        for name, values in p_values.items():
            values.append(named(found, name, "pixels" if name in COMPANIONS else "").p_value)
    for name, values in p_values.items():
        assert (np.array(values) <= 0.05).sum() <= runs // 10 + 1, name
        assert np.mean(values) > 0.4, name


def test_the_null_of_c_t_and_authpct_is_not_the_textbooks_where_images_cluster_by_patient():
    """Siblings make members' images lie close together; so what permuting gives is reported, not 0 or 50%."""
    found = [
        measure.measure_memorization(world.scores, world.truth, context())
        for world in (build(seed, each=6, per_side=15) for seed in range(4))
    ]
    assert np.mean([named(one, "authpct").null for one in found]) > 0.55
    assert all(abs(named(one, "c_t").null) > 0.01 for one in found)


def few(per_side, *, cells=True, constant=False):
    world = build(5, per_side=per_side, leak=0.3)
    space = world.scores.spaces[0]
    if constant:
        names = world.truth.candidates.patient
        to, among = np.ones_like(world.to), np.ones_like(world.among)
        rankings = Ranking.of(to, names), Ranking.of(among, names, names)
        space = SpaceDistances("pixels", space.patients, *rankings, space.cells)
    if not cells:
        space = SpaceDistances(space.space, space.patients, space.samples, space.candidates)
    return measure.measure_memorization(MemorizationScores((space,)), world.truth, context())


def test_with_too_few_patients_a_statistic_says_so_and_the_others_stand():
    found = few(4)
    missing = named(found, "relative_knn")
    assert missing.value is None
    assert missing.note == "needs 6 patients a side, there are 4"
    assert all(named(found, name).value is not None for name in ("dcr_share", "nndr", "c_t", "authpct"))
    alone = few(1)
    assert [named(alone, name).value for name in ("nndr", "relative_knn", "authpct")] == [None] * 3
    assert named(alone, "dcr_share").value is not None
    assert named(alone, "copied_share", "").value is not None


def test_a_space_without_cells_has_no_c_t_and_where_none_has_any_that_is_said():
    found = few(10, cells=False)
    assert "c_t" not in {e.name for e in found.estimates}
    assert any("C_T" in note for note in found.notes)
    assert named(found, "authpct").value is not None
    assert not any("C_T" in note for note in few(10).notes)


def test_without_enough_released_images_in_any_cell_c_t_says_so():
    world = build(5, released=24, leak=0.3)
    found = measure.measure_memorization(world.scores, world.truth, context())
    assert named(found, "c_t").value is None
    assert "more than 20 released images" in named(found, "c_t").note


def test_equal_distances_are_no_share_of_copies():
    found = few(10, constant=True)
    for name in ("copied_share", *COMPANIONS):
        assert named(found, name).value is None
    assert named(found, "copied_share", "").value is None
    assert "equally far" in named(found, "copied_share", "").note
    assert named(found, "exact_copies", "").value == 0
    assert found.flagged is None


def test_a_space_of_equal_distances_does_not_silence_the_others():
    world = build(6, leak=0.4)
    names = world.truth.candidates.patient
    space = world.scores.spaces[0]
    to, among = np.ones_like(world.to), np.ones_like(world.among)
    flat = SpaceDistances("flat", space.patients, Ranking.of(to, names), Ranking.of(among, names, names))
    alone, both = (
        measure.measure_memorization(MemorizationScores(spaces), world.truth, context())
        for spaces in ((space,), (flat, space))
    )
    assert named(both, "copied_share", "") == named(alone, "copied_share", "")
    assert named(both, "copied_share", "flat").value is None


def test_no_estimate_or_plot_names_a_patient():
    world = build(7, leak=0.4)
    found = measure.measure_memorization(world.scores, world.truth, context())
    said = " ".join(one.model_dump_json() for one in (*found.estimates, *found.plots))
    assert not any(name in said for name in world.scores.spaces[0].patients)


def test_the_same_seed_gives_the_same_numbers():
    world = build(8, leak=0.1)
    samples = ImageSet(world.truth.samples.pixels, world.truth.samples.patient)
    truth = Truth(world.truth.candidates, world.truth.member, world.truth.patient, samples)
    one, other = (measure.measure_memorization(world.scores, t, context(3)) for t in (world.truth, truth))
    assert one.estimates == other.estimates
    assert one.plots == other.plots
