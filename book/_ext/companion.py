"""Page furniture: the profile a page was made with, both notebooks to download, no script from a network, printed values."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst.states import Inliner
from sphinx.application import Sphinx
from sphinx.util import logging

from jtcse.core.errors import UserError
from jtcse.paper.printed import printed_text

CLEAN = "clean-notebooks"  # folder under _static; jtcse/pipeline/book.py fills it


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the two settings that ``jtcse/pipeline/book.py`` fills, the page hook, and the role for printed values."""
    app.add_config_value("companion_profile", "", "html", str)
    app.add_config_value("companion_promise", "", "html", str)
    # The theme adds its buttons at priority 501; they must be there before this looks at them.
    app.connect("html-page-context", furnish, priority=900)
    app.add_role("printed", printed_value)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def furnish(app: Sphinx, page: str, _template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Change one page's context just before it is written."""
    _drop_thebe(context)
    if doctree is None:
        return
    context["body"] = _banner(app) + context["body"]
    _offer_downloads(app, page, context)


def _drop_thebe(context: dict[str, Any]) -> None:
    """sphinx-thebe, which we do not use, declares a constant twice on each page: browsers report an error."""
    context["script_files"] = [script for script in context.get("script_files", []) if not _is_thebe(script)]


def _is_thebe(script: Any) -> bool:
    body = (getattr(script, "attributes", None) or {}).get("body") or ""
    return "THEBE_JS_URL" in body or "sphinx-thebe" in str(getattr(script, "filename", script))


def _banner(app: Sphinx) -> str:
    profile, promise = escape(app.config.companion_profile), escape(app.config.companion_promise)
    return f'<aside class="companion-banner" role="note"><strong>Profile {profile}.</strong> {promise}</aside>\n'


def _offer_downloads(app: Sphinx, page: str, context: dict[str, Any]) -> None:
    """Name the theme's download button by what it gives, the executed copy, and add the clean notebook."""
    group = next((b for b in context["header_buttons"] if b.get("label") == "download-buttons"), None)
    if group is None or not (Path(app.srcdir) / "assets" / CLEAN / f"{page}.ipynb").is_file():
        return
    for button in group["buttons"]:
        if button.get("label") == "download-source-button":
            button.update(text="executed .ipynb", tooltip="Download the notebook as it ran, with its outputs")
    address = f"{context['pathto']('_static', 1)}/{CLEAN}/{page}.ipynb"
    clean = {
        "type": "link",
        "url": address,
        "text": "clean .ipynb",
        "icon": "fas fa-file-code",
        "tooltip": "Download the notebook without outputs",
        "label": "download-clean-button",
    }
    group["buttons"].insert(0, clean)


def printed_value(
    _name: str, rawtext: str, id: str, line: int, inliner: Inliner, _options: Any = None, _content: Any = None
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """The role ``{printed}`table10/none` ``: a value as the paper prints it, with its id as a tooltip.

    An id that the paper's data does not have is a warning of the build, and the id stands in the text.
    """
    try:
        text = printed_text(id)
    except UserError as error:
        source = getattr(inliner.document, "current_source", None)
        logging.getLogger(__name__).warning("%s", error, location=f"{source}:{line}")
        return [nodes.literal(rawtext, id)], []
    return [nodes.abbreviation(rawtext, text, explanation=f"printed in the paper: {id}")], []
