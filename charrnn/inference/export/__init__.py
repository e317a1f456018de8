"""A model taken elsewhere: as a page that writes in a browser, as an ONNX graph, as a view in a notebook."""
