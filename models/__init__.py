"""Networks: one module each, with `build(input_shape, n_classes, *, kernel_size, ...) -> keras.Model`."""
