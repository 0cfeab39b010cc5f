"""Charts: well-formed, in proportion, and empty rather than wrong."""

import xml.etree.ElementTree as ElementTree

import pytest

from pairsmith.report.svg import bar, deviation, histogram, mirrored, position, whisker


def _rects(svg: str, kind: str) -> list[dict[str, str]]:
    return [node.attrib for node in ElementTree.fromstring(svg).iter("rect") if node.attrib["class"] == kind]


def test_bars_are_in_proportion_to_their_counts() -> None:
    svg = histogram([0, 1, 2, 3], [10, 0, 40], "Three bins")
    tall, small = sorted(_rects(svg, "column"), key=lambda rect: -float(rect["height"]))
    assert float(tall["height"]) == pytest.approx(4 * float(small["height"]))
    assert [small["x"], tall["x"]] == ["0%", "66.667%"]
    assert "0 to 1: 10 pairs" in svg


def test_bins_below_the_threshold_are_weak_and_marks_lie_where_they_belong() -> None:
    svg = histogram([-1, 0, 0.15, 1], [3, 4, 5], "Gap", marks=[(0.15, "threshold")], threshold=0.15)
    assert len(_rects(svg, "column weak")) == 2
    assert len(_rects(svg, "column")) == 1
    lines = [node.attrib for node in ElementTree.fromstring(svg).iter("line")]
    assert [line["x1"] for line in lines if line["class"] == "mark threshold"] == ["66.667%"]


def test_values_are_placed_by_the_edges_around_them() -> None:
    assert [position(value, [0, 1, 10, 100]) for value in (-5, 0, 0.5, 1, 55, 100, 1000)] == pytest.approx(
        [0, 0, 100 / 6, 100 / 3, 250 / 3, 100, 100]
    )


@pytest.mark.parametrize(("edges", "counts"), [([], []), ([0, 1], []), ([0, 1], [1, 2]), ([0, 1, 2], [0, 0])])
def test_data_that_do_not_fit_together_give_no_chart(edges: list[float], counts: list[int]) -> None:
    assert histogram(edges, counts, "Nothing") == ""
    assert mirrored(edges, counts, counts, "Nothing", "answers") == ""


def test_mirrored_bars_share_one_scale() -> None:
    svg = mirrored([0, 10, 20], [8, 2], [4, 6], "Lengths", "answers")
    up = [float(rect["height"]) for rect in _rects(svg, "column chosen")]
    down = [float(rect["height"]) for rect in _rects(svg, "column rejected")]
    assert up[0] == pytest.approx(2 * down[0])
    assert "rejected, 10 to 20: 6 answers" in svg


def test_small_bars_stay_within_their_track() -> None:
    assert _rects(bar(3.0), "fill")[0]["width"] == "100%"
    assert not _rects(bar(0.0), "fill")
    assert _rects(deviation(-0.02, 0.04), "fill")[0] | {"y": "", "height": ""} == {
        "class": "fill",
        "x": "25%",
        "width": "25%",
        "y": "",
        "height": "",
    }
    assert _rects(whisker(-0.3, [-0.5, 0.2]), "reach")[0]["width"] == "20%"


def test_labels_are_escaped() -> None:
    svg = histogram([0, 1], [1], '"><script>x</script>', unit="<b>")
    assert "<script" not in svg
    assert "<b>" not in svg
    ElementTree.fromstring(svg)
