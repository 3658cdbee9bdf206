from dataclasses import replace

import numpy as np
import pytest
import torch
from confirm_toys import Rule, dataset, one_hot, textures
from hand_made import TARGET, before, by_hand, darkened, fooled, knows

from bezoar.confirm import confirm as room
from bezoar.confirm.confirm import AT_CHANCE, FEW_CARRIERS, FEW_SUSPECTS, NO_IMAGES, NO_TRIGGER, confirm
from bezoar.confirm.flips import Flips
from bezoar.confirm.hypothesis import Hypothesis
from bezoar.confirm.measured import flip_test
from bezoar.confirm.networks import train_blind, train_shown
from bezoar.confirm.recover.candidates import Candidate
from bezoar.confirm.recover.recovered import Recovered, turns
from bezoar.confirm.trials import ON_BLIND, ON_PLACEBO, TWIN, Bench, Trial
from bezoar.data import Dataset
from bezoar.evidence.probe import ProbeRecipe
from bezoar.records import FlipTest, Skipped

SIDE, CLASSES, SUSPECTS = 12, 4, 60
RECIPE = ProbeRecipe(model="fast:finest=12,stem=8,widths=8/16", epochs=6)


def shapes(count, seed):
    """Four easy classes: bright bars, lying or standing, left or above, on clouds."""
    images = textures(count, side=SIDE, seed=seed) // 2 + 32
    labels = torch.arange(count) % CLASSES
    for image, label in zip(images, labels.tolist(), strict=True):
        place = slice(2, 4) if label % 2 else slice(6, 8)
        area = (slice(None), place, slice(1, 8)) if label < 2 else (slice(None), slice(1, 8), place)
        image[area] = (image[area].float() + 110).clamp(0, 255).to(torch.uint8)
    return images, labels


def with_patch(images):
    marked = images.clone()
    marked[:, :, 9:12, 9:12] = torch.tensor([255, 0, 255], dtype=torch.uint8)[:, None, None]
    return marked


def planted(kind):
    """Data, and the suspects: dirty labels and a patch, right labels and the same patch, or nothing at all."""
    images, labels = shapes(1200, seed=0)
    extra, true = shapes(4 * SUSPECTS, seed=1)
    of_target = true == TARGET
    chosen = extra[~of_target][:SUSPECTS] if kind == "dirty" else extra[of_target][:SUSPECTS]
    chosen = chosen if kind == "innocent" else with_patch(chosen)
    whole = torch.cat([images, chosen]), torch.cat([labels, torch.full((SUSPECTS,), TARGET)])
    data = dataset(*whole, CLASSES)
    return data, Hypothesis(TARGET, data.ids[-SUSPECTS:], "made up")


def trained(data, hypothesis):
    blind = train_blind(data, [hypothesis], set(), recipe=RECIPE, seed=0, device="cpu")
    return train_shown(data, blind, [hypothesis], seed=0, device="cpu")


@pytest.fixture(scope="module")
def confirmed():
    """What comes of each kind, trained once."""
    found = {}

    def of(kind):
        if kind not in found:
            data, hypothesis = planted(kind)
            networks = trained(data, hypothesis)
            found[kind] = (data, hypothesis, networks, confirm(data, hypothesis, before(data, networks), seed=0))
        return found[kind]

    return of


@pytest.mark.slow
def test_a_patch_under_wrong_labels_is_shown_and_proved(confirmed):
    _, _, _, result = confirmed("dirty")
    assert isinstance(result.trigger, Recovered)
    assert result.trigger.description == "a patch of 9 pixels within rows 9 to 11, columns 9 to 11"
    test = result.flip_test
    assert isinstance(test, FlipTest)
    assert test.flips.value > 0.8
    assert test.control.value < 0.2
    assert test.p_value < 1e-4
    assert result.sources == (0, 2, 3)
    assert result.content.mislabelled is not None
    assert result.content.mislabelled > 0.8
    assert [one.class_name for one in test.by_source] == ["class 0", "class 2", "class 3"]


@pytest.mark.slow
def test_an_honest_mark_has_right_labels(confirmed):
    _, _, _, result = confirmed("honest")
    assert isinstance(result.trigger, Recovered)
    assert result.trigger.kind == "patch"
    assert result.content.mislabelled is not None
    assert result.content.mislabelled < 0.2


@pytest.mark.slow
def test_innocent_suspects_turn_nothing(confirmed):
    _, _, _, result = confirmed("innocent")
    test = result.flip_test
    assert isinstance(test, FlipTest)
    assert test.flips.low - test.control.value < 0.2
    assert not isinstance(result.trigger, Recovered) or not result.trigger.by_network
    assert result.content.mislabelled is not None
    assert result.content.mislabelled < 0.2


@pytest.mark.slow
def test_the_order_of_rows_changes_nothing(confirmed):
    data, hypothesis, networks, first = confirmed("dirty")
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(4))
    turned = data.select(order)
    held_out = turned.positions([data.ids[row] for row in networks.held_out]).numpy()
    again = confirm(turned, hypothesis, before(turned, replace(networks, held_out=held_out)), seed=0)
    assert (again.flip_test, again.sources, again.content) == (first.flip_test, first.sources, first.content)


@pytest.mark.slow
def test_networks_are_the_same_whatever_the_order_of_rows(confirmed):
    data, hypothesis, networks, _ = confirmed("dirty")
    turned = data.select(torch.randperm(len(data), generator=torch.Generator().manual_seed(4)))
    again = trained(turned, hypothesis)
    assert [turned.ids[row] for row in again.held_out] == [data.ids[row] for row in networks.held_out]
    for name in ("blind", "exposed", "placebo"):
        mine, theirs = getattr(networks, name).state_dict(), getattr(again, name).state_dict()
        assert all(torch.equal(mine[key], theirs[key]) for key in mine)


def test_a_known_trigger_in_a_known_network():
    data, hypothesis, networks = by_hand(knows, exposed=fooled, suspects=darkened)
    result = confirm(data, hypothesis, before(data, networks), seed=0)
    assert isinstance(result.flip_test, FlipTest)
    assert (result.flip_test.flips.value, result.flip_test.control.value) == (1.0, 0.0)
    # Of 300 carriers of other classes about every second one measures.
    assert 130 < result.flip_test.flips.trials < 170
    assert result.sources == (0, 2, 3)
    assert result.content.mislabelled == 0.0


def test_what_fools_every_network_is_no_proof():
    data, hypothesis, networks = by_hand(fooled, suspects=darkened)
    result = confirm(data, hypothesis, before(data, networks), seed=0)
    assert isinstance(result.flip_test, FlipTest)
    assert result.flip_test.control.value == result.flip_test.flips.value
    assert result.flip_test.p_value == 1.0


def test_flips_of_the_placebo_count_as_much_as_those_of_the_blind():
    data, hypothesis, networks = by_hand(knows, exposed=fooled, placebo=fooled, suspects=darkened)
    result = confirm(data, hypothesis, before(data, networks), seed=0)
    assert isinstance(result.flip_test, FlipTest)
    assert result.flip_test.control.value == result.flip_test.flips.value


def test_one_source_alone_is_told():
    def from_one(images):
        return torch.where((knows(images).argmax(1) == 3)[:, None], fooled(images), knows(images))

    data, hypothesis, networks = by_hand(knows, exposed=from_one, suspects=darkened)
    result = confirm(data, hypothesis, before(data, networks), seed=0)
    assert result.sources == (3,)
    assert isinstance(result.flip_test, FlipTest)
    assert result.flip_test.flips.value == 1.0
    assert 40 < result.flip_test.flips.trials < 60


def test_where_nothing_does_anything_nothing_is_shown_as_trigger():
    data, hypothesis, networks = by_hand(knows)
    result = confirm(data, hypothesis, before(data, networks), seed=0)
    assert isinstance(result.flip_test, FlipTest)
    assert result.flip_test.flips.value <= result.flip_test.control.value + 0.05
    if isinstance(result.trigger, Skipped):
        assert result.trigger.reason == NO_TRIGGER
    else:
        assert not result.trigger.by_network


def test_reasons_why_no_trigger_is_tried():
    data, hypothesis, networks = by_hand(knows, exposed=fooled, suspects=darkened)

    def reason(data=data, hypothesis=hypothesis, networks=networks):
        result = confirm(data, hypothesis, before(data, networks), seed=0)
        assert isinstance(result.trigger, Skipped)
        assert result.trigger == result.flip_test
        assert result.sources == ()
        return result.trigger.reason

    assert reason(hypothesis=replace(hypothesis, suspects=hypothesis.suspects[:11])) == FEW_SUSPECTS
    assert reason(networks=replace(networks, held_out=networks.held_out[:40])) == FEW_CARRIERS
    guess = Rule(lambda images: one_hot(torch.zeros(len(images)), 4))
    assert reason(networks=replace(networks, exposed=guess)) == AT_CHANCE
    flat = Dataset(data.inputs.reshape(len(data), -1), data.labels, data.class_names, data.ids)
    rows = Rule(lambda rows: knows(rows.reshape(-1, 3, 16, 16)))
    assert reason(data=flat, networks=replace(networks, blind=rows, exposed=rows, placebo=rows)) == NO_IMAGES


def test_large_images_are_as_many_as_fit(monkeypatch):
    data, hypothesis, networks = by_hand(knows, exposed=fooled, suspects=darkened)
    monkeypatch.setattr(room, "MOST_VALUES", 200 * 3 * 16 * 16)
    result = confirm(data, hypothesis, before(data, networks), seed=0)
    assert isinstance(result.flip_test, FlipTest)
    assert 65 < result.flip_test.flips.trials < 100


@pytest.mark.parametrize("channels", [1, 4])
def test_greyscale_and_transparency(channels):
    data, hypothesis, networks = by_hand(knows, exposed=fooled, suspects=darkened)
    inputs = data.inputs[:, [0, 1, 2, 0][:channels]].clone()
    changed = replace(data, inputs=inputs)
    result = confirm(changed, hypothesis, before(changed, networks), seed=0)
    assert isinstance(result.flip_test, FlipTest)
    assert (result.flip_test.flips.value, result.flip_test.control.value) == (1.0, 0.0)
    assert isinstance(result.trigger, Recovered)
    assert result.trigger.picture.shape == (channels, 16, 16)


def marks(text):
    return np.array([letter == "x" for letter in text])


def trial_of(done, **controls):
    labels = np.repeat([0, 2], 20)
    nothing = Recovered("patch", "none", lambda images: images, torch.zeros(3, 4, 4, dtype=torch.uint8))
    counted = np.ones(40, dtype=bool)
    names = {"blind": ON_BLIND, "placebo": ON_PLACEBO, "twin": TWIN}
    flags = {names[name]: Flips(control & counted, counted) for name, control in controls.items()}
    return Trial(Candidate(nothing, None), labels, Flips(done, counted), flags)


def first(count, start=0):
    return (np.arange(40) >= start) & (np.arange(40) < start + count)


def test_worth_is_the_gain_over_the_strongest_control():
    # 20 of 40 flip, all of class 0: half of (1 + 0.5).
    assert trial_of(first(20), blind=first(0), placebo=first(0)).worth == pytest.approx(0.75)
    # A twin that does as much leaves nothing, whatever the others say.
    assert trial_of(first(20), blind=first(0), placebo=first(0), twin=first(20)).worth == 0.0
    assert trial_of(first(20), blind=first(0), placebo=first(10)).worth == pytest.approx(0.5 * (0.5 + 0.25))


def test_the_record_by_hand():
    # What flips outside the sources counts for nothing.
    trial = trial_of(first(16) | first(5, 20), blind=first(2), placebo=first(4, 10), twin=first(1))
    test = flip_test(trial, 1, (0,), ("a", "b", "c"))
    assert isinstance(test, FlipTest)
    assert (test.flips.successes, test.flips.trials) == (16, 20)
    assert (test.control.successes, test.control.trials, test.control_kind) == (4, 20, ON_PLACEBO)
    assert test.controls == 3
    # All four of the control flip with the trigger as well: 12 against 0.
    assert test.p_value == pytest.approx(0.5**12)
    assert [one.class_name for one in test.by_source] == ["a", "c"]


def test_no_carrier_that_counts_is_no_rate():
    labels = np.repeat([0, 2], 20)
    nothing = Flips(np.zeros(40, dtype=bool), np.zeros(40, dtype=bool))
    trial = trial_of(first(16), blind=first(2))
    assert isinstance(flip_test(replace(trial, done=nothing), 1, (), ("a", "b", "c")), Skipped)
    assert isinstance(flip_test(replace(trial, controls={ON_BLIND: nothing}), 1, (), ("a", "b", "c")), Skipped)
    assert replace(trial, labels=labels, done=nothing).worth == -1.0


def made_up(kind, change=lambda images: images):
    return Recovered(kind, "made up", change, torch.zeros(3, 4, 4, dtype=torch.uint8))


def test_a_twin_is_tried_where_it_comes_from():
    data, _, networks = by_hand(knows, exposed=fooled)
    bench = Bench(before(data, networks), TARGET)
    for kind, rate in (("patch", 1.0), ("pieces", 1.0), ("warp", 0.0)):
        trial = bench.trial(Candidate(made_up(kind), made_up(kind, darkened)))
        assert trial.controls[TWIN].rate == rate
        assert trial.done.rate == 0.0
    assert set(bench.trial(Candidate(made_up("patch"), None)).controls) == {ON_BLIND, ON_PLACEBO}


def every(count):
    """Turns one image in so many."""

    def change(images):
        chosen = turns(images, count) == 0
        return torch.where(chosen[:, None, None, None], darkened(images), images)

    return change


def test_controls_are_asked_only_of_what_may_come_near_the_best(monkeypatch):
    data, _, networks = by_hand(knows, exposed=fooled)
    bench = Bench(before(data, networks), TARGET)
    candidates = [Candidate(made_up("patch", every(count)), None) for count in (50, 2, 1)]
    controlled = []
    judged = Bench._judged
    monkeypatch.setattr(Bench, "_judged", lambda self, one, done: controlled.append(one) or judged(self, one, done))
    for near, expected in ((0.1, [2]), (0.7, [1, 2]), (2.0, [0, 1, 2])):
        controlled.clear()
        found = bench.trials(candidates, near=near, least=0.1)
        assert (
            sorted(map(candidates.index, controlled)) == expected == [candidates.index(one.candidate) for one in found]
        )
        assert [one.worth for one in found] == [bench.trial(candidates[place]).worth for place in expected]
    # What gains nothing by itself gains nothing over controls: the first stands for all.
    for hopeless in ([candidates[0], Candidate(made_up("levels"), None)], [Candidate(made_up("levels"), None)]):
        assert [one.candidate for one in bench.trials(hopeless, near=0.1, least=0.3)] == hopeless[:1]
    assert bench.trials([], near=0.1, least=0.1) == []


@pytest.mark.parametrize(("every", "chosen"), [(20, "patch"), (2, "warp")])
def test_a_warp_that_hardly_does_more_than_its_twin_is_not_preferred(monkeypatch, every, chosen):
    def now_and_then(images):
        return torch.where((turns(images, every) == 0)[:, None, None, None], darkened(images), images)

    data, hypothesis, networks = by_hand(knows, exposed=fooled)
    patch, warp = Candidate(made_up("patch"), None), Candidate(made_up("warp", now_and_then), made_up("warp"))
    monkeypatch.setattr(room, "from_samples", lambda *_: [patch])
    monkeypatch.setattr(room, "from_networks", lambda *_: [warp])
    # Where labels look right, no network is asked.
    assert room.labels_look_right(confirm(data, hypothesis, before(data, networks), seed=0).content)
    assert confirm(data, hypothesis, before(data, networks), seed=0).trigger.kind == "patch"
    monkeypatch.setattr(room, "labels_look_right", lambda _: False)
    assert confirm(data, hypothesis, before(data, networks), seed=0).trigger.kind == chosen
    monkeypatch.setattr(room, "from_samples", lambda *_: [])
    alone = confirm(data, hypothesis, before(data, networks), seed=0)
    assert isinstance(alone.flip_test, FlipTest)
    assert isinstance(alone.trigger, Skipped) == (chosen == "patch")


@pytest.mark.parametrize(
    ("kind", "familiar", "told"),
    [("residual", 0.2, 0.9), ("residual", 0.19, None), ("residual", None, None), ("additive", 0.9, None)],
)
def test_suspects_that_the_network_knows_well_are_asked_as_they_are_where_details_spoil_the_comparison(
    monkeypatch, kind, familiar, told
):
    plain = room.Content(0.1, 0.8, 0.9, (3, 1), familiar, apart=0.4)
    monkeypatch.setattr(room, "content_of", lambda *_: room.Content(0.1, 0.8, None, (3, 1)))
    data, _, networks = by_hand(knows)
    bench = Bench(before(data, networks), TARGET)
    trigger = Recovered(kind, "made up", lambda images: images, torch.zeros(3, 8, 8, dtype=torch.uint8))
    found = room._content(bench, bench.carriers, trigger, plain, 4)
    assert (found.mislabelled, found.familiar, found.apart) == (told, familiar, 0.4)


@pytest.mark.parametrize(
    ("familiar", "spread", "told"), [(0.2, 0.11, 0.9), (0.2, 0.12, 0.0), (0.2, None, 0.0), (0.19, 0.0, 0.0)]
)
def test_suspects_that_look_like_all_others_are_believed_over_what_is_left_without_their_details(
    monkeypatch, familiar, spread, told
):
    """Sepia pictures of all classes, poisons towards cats, look like cats when their details are smoothed away."""
    plain = room.Content(0.1, 0.8, 0.9, (3, 1), familiar, apart=spread)
    monkeypatch.setattr(room, "content_of", lambda *_: room.Content(0.8, 0.8, 0.0, (3, 1)))
    data, _, networks = by_hand(knows)
    bench = Bench(before(data, networks), TARGET)
    trigger = Recovered("residual", "made up", lambda images: images, torch.zeros(3, 8, 8, dtype=torch.uint8))
    assert room._content(bench, bench.carriers, trigger, plain, 4).mislabelled == told


@pytest.mark.parametrize(
    ("agree", "genuine", "lost"),
    [
        (0.07, 0.1, True),  # of a tenth, where six in ten were recognised, nothing can be told
        (0.07, 0.3, False),
        (0.12, 0.1, False),  # recognised more often than genuine samples are
        (0.07, None, True),
    ],
)
def test_what_hardly_any_genuine_sample_is_recognised_under_tells_nothing(
    agree: float, genuine: float | None, lost: bool
) -> None:
    plain = room.Content(0.05, 0.6, 0.95, (30, 10))
    told = room.Content(agree, genuine, None if genuine is None else 0.38, (30, 10))
    assert room._is_lost(told, plain) == lost


@pytest.mark.parametrize(
    ("familiar", "levels", "told"),
    [(0.15, 200, None), (0.0, 200, None), (0.2, 200, 0.9), (0.0, 90, 0.9), (None, 200, 0.9)],
)
def test_what_a_kind_of_picture_shows_can_t_be_told_by_a_network_that_met_none(monkeypatch, familiar, levels, told):
    """A third of the S of an honest set was printed black on white, and was confirmed as a backdoor."""
    plain = room.Content(0.1, 0.8, 0.9, (3, 1), familiar, apart=0.6)
    monkeypatch.setattr(room, "content_of", lambda *_: plain)
    data, _, networks = by_hand(knows)
    bench = Bench(before(data, networks), TARGET)
    loud = Recovered(
        "additive",
        "made up",
        lambda images: torch.where(images < 128, images + levels, images - levels),
        torch.zeros(3, 8, 8, dtype=torch.uint8),
    )
    found = room._content(bench, bench.carriers, loud, plain, 4)
    assert (found.mislabelled, found.familiar) == (told, familiar)
