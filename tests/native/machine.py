"""Functions written for tests, compiled for this processor."""

from ctypes import CFUNCTYPE
from typing import Any

from charrnn.native.processor import Processor


class Function:
    """A public function of a module, callable; `kinds` are ctypes: the result's, then the arguments'."""

    def __init__(self, module: Any, name: str, *kinds: Any) -> None:
        processor = Processor()
        addresses, self._alive = processor.load(processor.compile(module), [name])
        self._call = CFUNCTYPE(*kinds)(addresses[name])

    def __call__(self, *arguments: Any) -> Any:
        return self._call(*arguments)
