"""A model in a notebook: its facts as a table, and its page in a frame."""

from dataclasses import dataclass

from charrnn.inference.export.facts import describe_model
from charrnn.inference.export.page import build_page
from charrnn.inference.markup import escape_text
from charrnn.model.config import Tensors
from charrnn.model.header import ModelHeader


def render_facts(header: ModelHeader) -> str:
    """The facts of a model as an HTML table."""
    rows = (
        f"<tr><th>{escape_text(name)}</th><td>{escape_text(value)}</td></tr>" for name, value in describe_model(header)
    )
    return f"<table>{''.join(rows)}</table>"


@dataclass(frozen=True)
class Frame:
    """A page that a notebook shows in a frame of its own.

    Attributes:
        html: the whole page, which can also be written to a file (UTF-8).
        height: of the frame, in pixels.
    """

    html: str
    height: int

    @classmethod
    def of_model(cls, header: ModelHeader, tensors: Tensors, title: str | None, height: int) -> "Frame":
        """The page of a model; without a title, under the name of its corpus."""
        corpus = header.training.get("corpus")
        name = title or (corpus if isinstance(corpus, str) and corpus else "a model")
        return cls(build_page(name, header, tensors).decode(), height)

    def _repr_html_(self) -> str:
        """The frame; what runs in it cannot reach the notebook."""
        attributes = 'sandbox="allow-scripts allow-downloads" allow="clipboard-write" style="width: 100%; border: 0"'
        return f'<iframe {attributes} height="{self.height:d}" srcdoc="{escape_text(self.html)}"></iframe>'
