"""Inference: from pictures to faces with landmarks; ONNX backends need no PyTorch."""
