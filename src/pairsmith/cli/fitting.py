"""`pairsmith fit`: a scorer trained on the votes of this project, with the figures that say what it is worth."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pairsmith.cli.context import settings_of

if TYPE_CHECKING:
    from pairsmith.cli.output import Output

__all__ = ["register"]

_EPILOG = "Example: pairsmith fit helpful --criterion helpfulness --features surface,manner,minilm"
_LEVEL_WORDS = {
    "warn": "WARNING: fewer than 200 decided pairs; good enough to choose what people see next, not to label",
    "usable": "usable: 200 decided pairs and more; 400 would be good",
    "good": "good: 400 decided pairs and more",
}
_VERDICTS = {
    "better": "better than chance and than length alone",
    "no better than chance": "NO BETTER THAN CHANCE on these votes: do not let it label",
    "no better than length": "NO BETTER THAN LENGTH on these votes: it may just prefer the longer or the shorter",
    "not evaluated": "not evaluated",
}


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=_EPILOG)(fit)


def fit(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the scorer; the criterion if empty.")] = "",
    criterion: Annotated[
        str, typer.Option(help="What the votes are about: overall, helpfulness, harmlessness or honesty.")
    ] = "overall",
    features: Annotated[
        str, typer.Option(help="Comma-separated: surface, manner, minilm (extra embed), hidden (extra local).")
    ] = "surface,manner",
    votes: Annotated[str, typer.Option(help="Whose votes count, comma-separated: human, imported.")] = "human",
    measure: Annotated[
        str, typer.Option(metavar="NAME", help="Fit nothing: say what this scorer is worth on the votes.")
    ] = "",
) -> None:
    """Train a scorer on this project's votes, measure it, and write scorers/NAME.json."""
    from pairsmith.cli.output import Output
    from pairsmith.pipeline.fitting import FitOptions, fit_scorer, measure_scorer

    settings = settings_of(context)
    output = Output(settings)
    config = settings.config()
    options = FitOptions(name, criterion, _listed(features), _listed(votes))
    with settings.ledger() as ledger:
        if measure:
            with output.bar("measure") as notify:
                figures = measure_scorer(settings.project, config, ledger, measure, options, notify)
            output.document(figures)
            output.line(f"measure   {measure} on {criterion}, {figures['pairs']:,} decided pairs")
            if figures["trained_on_pairs"]:
                output.line(f"          left out: {figures['trained_on_pairs']:,} pairs of prompts that trained it")
            _show(output, figures, "agreement with people")
            return
        with output.bar("fit") as notify:
            fitted = fit_scorer(settings.project, config, ledger, options, notify)
    file = fitted.file
    shipped = {each: dict(found) if isinstance(found, Mapping) else found for each, found in fitted.shipped.items()}
    output.document(
        {
            "name": file.name,
            "path": str(fitted.path),
            "revision": file.revision,
            "criterion": file.criterion,
            "level": file.level,
            "calibrated": file.calibrated,
            "data": file.data,
            "figures": file.figures,
            "shipped_scorers": shipped,
        }
    )
    blocks = ", ".join(file.head.blocks)
    output.line(
        f"fit       {file.name} on {file.criterion}: {file.figures['pairs']:,} decided pairs, features {blocks}"
    )
    output.line(f"          {_LEVEL_WORDS[file.level]}", style="yellow" if file.level == "warn" else "dim")
    _show(output, file.figures, "agreement with people; every prompt held out")
    _curve(output, file.figures["learning_curve"])
    for each, found in fitted.shipped.items():
        output.line(f"          {each} (a demonstration) on these votes: {_in_words(found)}", style="dim")
    output.line(f"          {'replaced' if fitted.replaced else 'written'}: {fitted.path}")
    use = f"{{kind: fitted, model: {file.name}}}"
    output.line(f"          use it: add {use} to annotate.annotators", style="dim")


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _in_words(found: Mapping[str, Any] | str) -> str:
    if isinstance(found, str):
        return f"not measured, {found}"
    if not found["pairs"]:
        return "not measured, these prompts trained it"
    return f"{_value(found['accuracy'])}, {found['verdict']}"


def _show(output: "Output", figures: Mapping[str, Any], accuracy: str) -> None:
    kept, ece = figures["kept"], figures["ece"]
    from_p = kept["from_p"]
    rows = [
        ("accuracy", figures["accuracy"], accuracy),
        ("length only", figures["length_only"], "prefers the longer, or the shorter"),
        ("random", figures["random"], "a coin"),
        ("gain over length", figures["gain_over_length"], "whole prompts drawn together"),
        ("length-balanced", figures["length_balanced"], "0.5: nothing beyond length"),
        ("calibration error", ece, f"{ece['if_true']:.3f} if every probability were true" if ece["value"] else ""),
        (f"kept from p {from_p}", kept["share"], "share of pairs it does not abstain on"),
        ("accuracy there", kept["accuracy"], ""),
    ]
    columns = ("figure", "value", "95 % interval", "n", "")
    output.table(
        "",
        columns,
        [(name, _value(each), _interval(each), f"{each['n']:,}", each["reason"] or said) for name, each, said in rows],
    )
    style = "" if figures["verdict"] == "better" else "bold red"
    output.line(f"          {_VERDICTS.get(figures['verdict'], figures['verdict'])}", style=style)


def _curve(output: "Output", curve: list[Mapping[str, Any]]) -> None:
    points = "  ".join(f"{each['pairs']}: {_value(each['accuracy'])}" for each in curve)
    output.line(f"          accuracy by pairs trained on  {points}", style="dim")


def _value(figure: Mapping[str, Any]) -> str:
    return "not evaluated" if figure["value"] is None else f"{figure['value']:.3f}"


def _interval(figure: Mapping[str, Any]) -> str:
    return "" if not figure["interval"] else f"{figure['interval'][0]:.3f} to {figure['interval'][1]:.3f}"
