"""The camera: frames from the browser, the visitor they belong to, faces sent back."""
