"""Charts as SVG text: drawn here, once, so that a report needs no script and no network to be read."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import altair as alt
import vl_convert

Data = Sequence[Mapping[str, Any]]

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Told apart by colour-blind readers. Source: Okabe and Ito, Color Universal Design, less the yellow, pale on white."""
WIDTH = 600
"""Of the plotted area, in pixels."""
MAX_PANELS = 12
"""Small multiples beyond these are left to the tables."""


def intervals(data: Data, *, x: str, reference: float | None = None, reference_name: str = "") -> str:
    """Draw `value` with `low` and `high` by `label`, one mark a `model`; a dashed line at `reference`.

    A row whose bounds are NaN has a mark and no line.
    """
    models = _order(data, "model")
    colour = alt.Color("model:N", sort=models, title=None, scale=_scale(models))
    base = alt.Chart(_values(map(_without_nan, data))).encode(
        y=alt.Y("label:N", sort=_order(data, "label"), title=None, axis=alt.Axis(labelLimit=280, ticks=False)),
        yOffset=alt.YOffset("model:N", sort=models),
        color=colour,
    )
    ends = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title=x, scale=alt.Scale(zero=False, nice=True)), x2="high:Q"
    )
    dots = base.mark_point(filled=True, size=64, opacity=1).encode(
        x="value:Q", shape=alt.Shape("model:N", sort=models, title=None, scale=alt.Scale(domain=models))
    )
    layers: list[Any] = [ends, dots]
    if reference is not None:
        line = alt.Chart(_values([{"at": reference, "name": reference_name}]))
        layers.append(line.mark_rule(strokeDash=[4, 3], color="#555").encode(x="at:Q"))
        layers.append(
            line.mark_text(align="left", dx=4, dy=-6, baseline="bottom", color="#555").encode(
                x="at:Q", y=alt.value(0), text="name:N"
            )
        )
    height = max(14 * len(models), 22) + 6
    return _svg(alt.layer(*layers).properties(width=WIDTH - 120, height=alt.Step(height, **{"for": "position"})))


def bars(data: Data, *, x: str) -> str:
    """Draw `value` by `label`, one bar a `series`."""
    series = _order(data, "series")
    chart = (
        alt.Chart(_values(data))
        .mark_bar()
        .encode(
            x=alt.X("value:Q", title=x, axis=alt.Axis(tickCount=6)),
            y=alt.Y("label:N", sort=_order(data, "label"), title=None, axis=alt.Axis(labelLimit=280, ticks=False)),
            yOffset=alt.YOffset("series:N", sort=series),
            color=alt.Color("series:N", sort=series, title=None, scale=_scale(series)),
        )
    )
    return _svg(chart.properties(width=WIDTH - 120, height=alt.Step(13 * len(series) + 8, **{"for": "position"})))


def curve(data: Data, *, x: str, y: str, zero: bool = False) -> str:
    """Draw `y` over `x`, with `smooth` on top where it is given."""
    base = alt.Chart(_values(data)).encode(x=alt.X("x:Q", title=x, axis=alt.Axis(tickMinStep=1)))
    smooth = any("smooth" in row for row in data)
    layers = [
        base.mark_line(color=PALETTE[0], opacity=0.3 if smooth else 1, strokeWidth=1.5).encode(
            y=alt.Y("y:Q", title=y, scale=alt.Scale(zero=zero))
        )
    ]
    if smooth:
        layers.append(base.mark_line(color=PALETTE[0], strokeWidth=2.5).encode(y="smooth:Q"))
    return _svg(alt.layer(*layers).properties(width=WIDTH, height=180))


def panels(data: Data, *, x: str, y: str, steps: bool = False) -> str:
    """Draw `y` over `x` in one small panel a `panel`, on common axes, with a band from `low` to `high` where given.

    A line break in the name of a panel starts the second line of its heading.
    """
    shape: Any = "step-after" if steps else "linear"
    base = alt.Chart(_values(data)).encode(x=alt.X("x:Q", title=x, axis=alt.Axis(tickCount=4, tickMinStep=1)))
    line = base.mark_line(color=PALETTE[0], interpolate=shape, point=alt.OverlayMarkDef(size=16, color=PALETTE[0]))
    layers: list[Any] = [line.encode(y=alt.Y("y:Q", title=y, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4)))]
    if any("low" in row for row in data):
        layers.insert(0, base.mark_area(color=PALETTE[0], opacity=0.18).encode(y=alt.Y("low:Q", title=y), y2="high:Q"))
    names = _order(data, "panel")
    header = alt.Header(
        title=None, labelFontWeight="bold", labelLimit=185, labelAnchor="start", labelExpr="split(datum.label, '\\n')"
    )
    facet = alt.Facet("panel:N", sort=names, header=header)
    chart = alt.layer(*layers).properties(width=165, height=90)
    return _svg(chart.facet(facet=facet, columns=3, spacing=24))


def areas(data: Data, *, x: str, y: str) -> str:
    """Draw `y`, stacked, over `x`, one area a `series`."""
    series = _order(data, "series")
    chart = (
        alt.Chart(_values(data))
        .mark_area(interpolate="step-after", opacity=0.85)
        .encode(
            x=alt.X("x:Q", title=x, scale=alt.Scale(nice=False), axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("y:Q", title=y, stack="zero", axis=alt.Axis(format="%"), scale=alt.Scale(domainMax=1)),
            color=alt.Color("series:N", sort=series, title=None, scale=_scale(series)),
            order=alt.Order("rank:Q"),
        )
    )
    return _svg(chart.properties(width=WIDTH, height=180))


def grid(data: Data, *, x: str, y: str) -> str:
    """Draw `value`, a share, as the shade of a square for each `x` and `y`, in the order in which these come."""
    chart = (
        alt.Chart(_values(data))
        .mark_rect()
        .encode(
            x=alt.X(
                "x:N", title=x, sort=_order(data, "x"), axis=alt.Axis(labelLimit=140, labelAngle=-40, orient="top")
            ),
            y=alt.Y("y:N", title=y, sort=_order(data, "y"), axis=alt.Axis(labelLimit=200)),
            color=alt.Color(
                "value:Q",
                legend=None,  # a legend of shades refers to an id, which a page with several charts cannot keep
                scale=alt.Scale(range=["#f0f0ec", PALETTE[0]], domain=[0, 1], interpolate="rgb"),
            ),
        )
    )
    return _svg(chart.properties(width=alt.Step(28), height=alt.Step(22)))


def _without_nan(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row for JSON, which has no NaN; the mark of a missing value is left out."""
    return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}


def _values(data: Iterable[Mapping[str, Any]]) -> alt.InlineData:
    return alt.InlineData(values=[dict(row) for row in data])


def _scale(names: Sequence[str]) -> alt.Scale:
    return alt.Scale(domain=list(names), range=[PALETTE[i % len(PALETTE)] for i in range(len(names))])


def _order(data: Data, field: str) -> list[str]:
    return list(dict.fromkeys(row[field] for row in data))


def _svg(chart: Any) -> str:
    """Return the chart as SVG that can stand inside a page: no namespace, no fixed size, no id of its own."""
    font = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'Noto Sans CJK SC', 'Microsoft YaHei', sans-serif"
    styled = (
        chart.configure(font=font, background="transparent", padding={"left": 16, "right": 8, "top": 5, "bottom": 5})
        .configure_axis(
            gridColor="#e4e4e0",
            domainColor="#999",
            tickColor="#999",
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
            titlePadding=12,
            labelColor="#222",
            titleColor="#444",
        )
        .configure_legend(orient="top", labelFontSize=12, symbolSize=80)
        .configure_view(stroke=None)
    )
    return _without_ids(vl_convert.vegalite_to_svg(styled.to_dict()))


def _without_ids(svg: str) -> str:
    return _TAG.sub(lambda tag: _CLASHING.sub("", tag[0]), svg)


_TAG = re.compile(r'<(?:[^<>"]|"[^"]*")*>')
_CLASHING = re.compile(r'(?<=\s)(?:xmlns(?::\w+)?|id)="[^"]*"')
"""Attributes that a page with several charts must not repeat; what looks like one in a label is text, not a tag."""
