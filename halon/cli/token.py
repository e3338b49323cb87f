"""`halon token new`: a token for the API, and the hash of it that halon.yaml names."""

from typing import Annotated

import typer

from halon.cli.options import flag
from halon.cli.output import say_json, say_whole
from halon.clients.tokens import hash_of, new_token

app = typer.Typer(help="Tokens for the HTTP API.", no_args_is_help=True, rich_markup_mode="markdown")


@app.callback()
def _tokens() -> None:  # pyright: ignore[reportUnusedFunction]  # registered: without it `new` would have no name
    """Tokens for the HTTP API."""


@app.command()
def new(*, json: Annotated[bool, flag("--json", help="Write both as JSON.")] = False) -> None:
    """Make a token for a person, and the hash of it that belongs into halon.yaml.

    The token is shown once and kept nowhere: give it to the person, and put the hash under `people.NAME.tokens`.

    Example: halon token new
    """
    token = new_token()
    if json:
        say_json({"token": token, "hash": hash_of(token)})
        return
    say_whole(f"token  {token}")
    say_whole(f"hash   {hash_of(token)}")
