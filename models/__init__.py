"""Networks: one module each, with `build(input_shape, n_classes, *, kernel_size, ...) -> keras.Model`, uncompiled.

To add a network, add a module: ``tracker run --model NAME`` finds it by its file name. `build` takes images of shape
(n_mels, n_frames, 1) in decibels from −80 to 0 and returns class probabilities. Its keyword-only parameters besides
`kernel_size` become options of ``tracker run`` (``--dropout 0.4``). Each needs an annotation (``int``, ``float``,
``str`` or ``bool``), a default, a range in the docstring, and a `ValueError` where a value is out of it.

A resumed run comes to what the uninterrupted one does if all that a network changes while it is trained is among its
`variables`. Keras' own layers see to that; a layer that draws random numbers needs a `keras.random.SeedGenerator` as an
attribute and passes it as the `seed`.
"""
