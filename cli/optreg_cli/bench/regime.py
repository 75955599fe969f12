"""Options of ``optreg bench run`` that say what is trained: tasks, seeds, length, learning rates."""

from __future__ import annotations

from typing import Annotated

import typer

Tasks = Annotated[
    list[str] | None,
    typer.Option("--task", help="Learning task, such as digits or cancer; those of the suite by default. Repeatable."),
]
Seeds = Annotated[
    int | None,
    typer.Option(min=1, show_default="5", help="Training runs of each optimizer, paired: same start, same batches."),
]
Epochs = Annotated[
    int | None, typer.Option(min=1, help="Passes over the training data; as each task plans by default.")
]
Schedule = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        show_default="constant",
        help="Learning rate over each training run: constant, linear or cosine. The last two warm up and come down to "
        "zero where the run ends.",
    ),
]
Warmup = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        show_default="0.05; 0 for constant",
        help="Share of the steps of a run in which the learning rate rises.",
    ),
]
Trials = Annotated[
    int | None, typer.Option(min=0, help="Learning rates to try for each optimizer and task; none by default.")
]
Rates = Annotated[str, typer.Option("--lr-grid", metavar="RATES", help="Try exactly these: 0.001,0.01,0.1.")]
Split = Annotated[
    bool, typer.Option("--split", help="Time forward, backward and update of a training step apart, too.")
]
