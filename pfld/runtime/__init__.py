"""From pictures and videos to landmarks; with an ONNX backend, without torch."""
