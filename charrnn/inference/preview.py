"""Short texts that a network writes while it is being trained."""

from charrnn.inference.labelled import LabelledModel
from charrnn.inference.loading import build_language_model
from charrnn.model.config import Tensors
from charrnn.model.header import ModelHeader

LENGTH = 300  # characters
TEMPERATURE = 0.7
LABELS = 6  # shown of a labelled model
SEED = 1


def write_preview(header: ModelHeader, tensors: Tensors) -> str:
    """A text by the same code that `charrnn generate` runs; of a labelled model, one for each of its first labels."""
    model = build_language_model(header, tensors)
    if isinstance(model, LabelledModel):
        return "\n".join(
            f"{label}\t{model.generate(label=label, length=LENGTH, temperature=TEMPERATURE, seed=SEED)}"
            for label in model.labels[:LABELS]
        )
    return model.generate(length=LENGTH, temperature=TEMPERATURE, seed=SEED)
