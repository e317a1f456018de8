r"""HTML pages, each one file that needs no network and opens from disk.

A page is `templates/base.html` with the style, body and script of a template of its own. Data of the user's is never
markup: it is one JSON object of code points and packed numbers, in which characters with a meaning in HTML are written
as \u003c. The content security policy lets no script run but the page's own.
"""

import base64
from importlib import resources
from typing import Any

from numpy.typing import NDArray

from charrnn.inference.markup import content_hash, embed_json, escape_text


def render_page(name: str, title: str, data: dict[str, Any]) -> bytes:
    """The page of the template `templates/NAME.html`, in ASCII."""
    folder = resources.files("charrnn.inference.inspection").joinpath("templates")
    base, part = (folder.joinpath(f"{file}.html").read_text(encoding="utf-8") for file in ("base", name))
    style, _, rest = part.removeprefix("<style>\n").partition("</style>\n")
    body, _, script = rest.partition("<script>\n")
    page = base.replace("@STYLE@", style).replace("@BODY@", body)
    page = page.replace("@SCRIPT@", script.removesuffix("</script>\n"))
    script_hash = content_hash(page.rpartition("<script>")[2].partition("</script>")[0])
    before, after = page.split("@DATA@")  # before the title and data are filled in, which may hold the word, too
    before = before.replace("@HASH@", script_hash).replace("@TITLE@", escape_text(title))
    return f"{before}{embed_json(data)}{after}".encode("ascii", "xmlcharrefreplace")


def pack(values: NDArray[Any]) -> dict[str, Any]:
    """An array as its type and its bytes in base64; `unpack` in the page reads it."""
    little = values.astype(values.dtype.newbyteorder("<"))
    return {"type": values.dtype.name, "data": base64.b64encode(little.tobytes()).decode()}
