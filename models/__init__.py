"""The built-in networks: one module each, with `build(input_shape, n_classes, *, kernel_size, ...) -> keras.Model`.

To add a network, add a module: ``tracker run --model NAME`` finds it by its file name. `build` takes images of shape
(n_mels, n_frames, 1) in decibels from −80 to 0 and returns an uncompiled model that ends in a softmax; a module whose
network needs other images declares them: ``FEATURES = {"sr": 16_000}``. Its keyword-only parameters but `kernel_size`
become options of ``tracker run`` (``--dropout 0.4``). Each needs an annotation (``int``, ``float``, ``str`` or
``bool``), a default, a range in the docstring, and a `ValueError` for other values.

A resumed run ends with the same numbers as an uninterrupted one if everything that a network changes during training is
among its `variables`. Keras' own layers ensure that; a layer that draws random numbers needs a
`keras.random.SeedGenerator` as an attribute and passes it as the `seed`.
"""
