"""`halon explain`: what a playbook does, in plain words and as a diagram."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from halon.cli.chosen import chosen
from halon.cli.invocation import settings_of
from halon.cli.options import flag
from halon.cli.output import say_json
from halon.core.library import library_of
from halon.playbook.diagram import mermaid
from halon.playbook.explain import as_json, as_markdown, as_text
from halon.playbook.explain import explain as explanation


class Form(StrEnum):
    """How an explanation is written."""

    TEXT = "text"
    MARKDOWN = "markdown"
    MERMAID = "mermaid"


def explain(
    context: typer.Context,
    playbook: Annotated[str, typer.Argument(metavar="PLAYBOOK", help="Name of the playbook, or its file.")],
    *,
    form: Annotated[
        Form, typer.Option("--format", help="'mermaid' is the diagram alone, 'markdown' has words and diagram.")
    ] = Form.TEXT,
    json: Annotated[bool, flag("--json", help="Write both as JSON.")] = False,
) -> None:
    """Say in plain words what a playbook does: when it acts, what it changes, who is asked, and what is undone.

    Example: halon explain crashloop-rollback --format markdown
    """
    book = chosen(settings_of(context), playbook)
    actions, known = book.installed.actions, book.installed.catalogue.playbooks
    diagram = mermaid(book.playbook, actions)
    found = explanation(book.playbook, library_of(book.playbook, known), actions)
    if json:
        say_json(as_json(found, diagram))
        return
    written = {
        Form.TEXT: lambda: as_text(found),
        Form.MARKDOWN: lambda: as_markdown(found, diagram),
        Form.MERMAID: lambda: diagram,
    }
    sys.stdout.write(written[form]())
