"""The optimizers of the Keras 2.9 legacy namespace, one module each, on TensorFlow's fused kernels."""
