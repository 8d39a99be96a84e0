"""ONNX export: float32 and int8 files from weights, compared with the network they come from."""
