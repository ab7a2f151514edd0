"""BatchNormalization of Keras 3 and of tf_keras under a MirroredStrategy over logical devices of the CPU.

With synchronized=True, and for comparison without it, in the same strategy.
"""

import multiprocessing

import tensorflow as tf
from sync_shards import CHANNELS, EPSILON, MOMENTUM, SIZES, WORLDS, out, run, write

LAYERS = {"synchronized": True, "not synchronized": False}


def kept(strategy, layer):
    variables = (layer.moving_mean, layer.moving_variance)
    if hasattr(variables[0], "_value"):  # Keras 3 wraps TensorFlow's variable
        variables = [variable._value for variable in variables]
    means, variances = ([one.numpy() for one in strategy.experimental_local_results(v)] for v in variables)
    return [{"mean": mean, "var": var} for mean, var in zip(means, variances, strict=True)]


def step(make, synchronized, world):
    def one(shards):
        strategy = tf.distribute.MirroredStrategy([f"CPU:{number}" for number in range(world)])
        with strategy.scope():
            layer = make(epsilon=EPSILON, momentum=MOMENTUM, synchronized=synchronized)
            layer.build((None, CHANNELS))
        before = kept(strategy, layer)

        def context_value(context):
            return tf.constant(shards[context.replica_id_in_sync_group])

        x = strategy.experimental_distribute_values_from_function(context_value)
        y = strategy.run(lambda x: layer(x, training=True), args=(x,))
        return [one.numpy() for one in strategy.experimental_local_results(y)], before, kept(strategy, layer)

    return one


def observed(make, name, world):
    """Every run with this many replicas."""
    device = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * world)
    runs = []
    for mechanism, synchronized in LAYERS.items():
        what = f"{name}(synchronized={synchronized}) in a MirroredStrategy"
        for sizes in SIZES:
            runs.append(run(mechanism, what, sizes, world, step(make, synchronized, world)))
    return runs


def main(script, make, name):
    """Observe the layer that `make` gives."""
    path = out()
    runs = []
    for world in WORLDS:  # a process for each: TensorFlow's group of devices can't grow
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            runs += pool.apply(observed, (make, name, world))
    write(path, script, runs)
