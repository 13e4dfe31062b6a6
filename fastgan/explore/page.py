"""The page of `fastgan explore`, by Gradio, which this machine alone can open."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from fastgan._support.extras import require
from fastgan.explore.explorer import Choice, Explorer, View

__all__ = ["make_page", "open_page"]

_WALK = 4.0  # a slider's range along a direction, in standard deviations
_FULL = 3.0  # the truncation that stands for none; a normal number is beyond it in 3 cases of 1,000


def make_page(explorer: Explorer) -> Any:
    """The page of controls and pictures, a Gradio `Blocks` that is not served yet.

    Args:
        explorer: draws what the controls are set to.

    Raises:
        MissingExtraError: without Gradio.
    """
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read at its import
    gradio = require("gradio", "explore")
    run = explorer.run

    def show(
        seed: float, label: str | None, truncation: float, other: float, share: float, *walk: float
    ) -> tuple[Any, str, Any]:
        choice = Choice(
            seed=int(seed or 0),
            label=names.index(label) if label is not None else 0,
            truncation=None if truncation >= _FULL else truncation,
            other_seed=int(other or 0),
            share=share,
            walk=tuple(walk),
        )
        view: View = explorer.view(choice)
        return view.image, f"{view.logit:.3f}", view.heat

    names = [f"class {name}" for name in run.class_names[: run.classes]]
    with gradio.Blocks(title=f"fastgan explore: {run.path.resolve().name}", analytics_enabled=False) as page:
        gradio.Markdown(f"## {run.path.resolve().name}\nRecipe `{run.config.recipe}`, step {run.step:,}")
        with gradio.Row():
            with gradio.Column(scale=1, min_width=280):
                seed = gradio.Number(0, label="Seed", precision=0, minimum=0, maximum=2**63 - 1)
                label = gradio.Dropdown(names, value=names[0] if names else None, label="Class", visible=bool(names))
                truncation = gradio.Slider(0.1, _FULL, _FULL, step=0.05, label="Truncation (3: none)")
                other = gradio.Number(1, label="Other seed", precision=0, minimum=0, maximum=2**63 - 1)
                share = gradio.Slider(0, 1, 0, step=0.02, label="Way to the other seed")
                with gradio.Accordion("Latent directions", open=True):
                    walk = [
                        gradio.Slider(-_WALK, _WALK, 0, step=0.1, label=f"Direction {i + 1}")
                        for i in range(explorer.directions)
                    ]
            with gradio.Column(scale=2, min_width=300):
                drawn, said, seen = show(0, names[0] if names else None, _FULL, 1, 0)
                with gradio.Row():
                    shown = {"format": "png", "interactive": False, "buttons": ["download", "fullscreen"]}
                    image = gradio.Image(drawn, label="Sample", elem_id="sample", **shown)
                    heat = gradio.Image(
                        seen, label="What D looks at", elem_id="heat", visible=seen is not None, **shown
                    )
                if seen is not None:
                    gradio.Markdown("Red speaks for a real sample, blue for a generated one (integrated gradients).")
                logit = gradio.Textbox(said, label="D's logit (above 0: real)", interactive=False, elem_id="logit")
        controls = [seed, label, truncation, other, share, *walk]
        for control in controls:
            control.change(
                show, controls, [image, logit, heat], show_progress="hidden", trigger_mode="always_last", queue=False
            )
    return page


def open_page(run: str | Path, port: int, browser: bool) -> None:
    """Serve the page of the run folder `run` on 127.0.0.1 until Ctrl-C.

    Args:
        run: the run folder.
        port: of the address.
        browser: open the page in the system's browser.

    Raises:
        MissingExtraError: without Gradio.
        RunFolderError: for a folder that is not a run folder.
        ValueError: for a run of data other than images.
        OSError: if the port is in use.
    """
    page = make_page(Explorer(run))
    theme = require("gradio", "explore").themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"])
    try:
        page.launch(
            server_name="127.0.0.1",
            server_port=port,
            inbrowser=browser,
            share=False,
            quiet=True,
            theme=theme,
            prevent_thread_lock=True,
        )
    except OSError as error:
        raise OSError(f"explore: expected a free --port, got {port}, which is in use") from error
    print(f"exploring {run} at http://127.0.0.1:{port}; Ctrl-C ends it", flush=True)
    try:
        page.block_thread()
    finally:
        page.close()
