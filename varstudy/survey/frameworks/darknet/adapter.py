"""Darknet, a C library: its layers by ctypes on Debian's build, laid out as `darknet.h` of commit 61c9d02e declares.

A layer of Darknet has one shape, so that each call makes a new one and hands it the rolling statistics of the first.
Its epsilon and momentum are constants of the source, and everything is float32.
"""

import ctypes
import os
import subprocess

import numpy as np
from layer_contract import Unsupported, vector

FRAMEWORK = "darknet"
VARIANTS = {
    "batch": {
        "NCHW": "batch_normalize=1 in a convolutional layer (one 1x1 weight 1 a channel) on NCHW",
        "2-D": "batch_normalize=1 in a connected layer (the identity) on (N, C)",
        "batchnorm": "a batchnorm layer on NCHW; the four buffers that it needs on a CPU and never makes are supplied",
    }
}
LINEAR = 3  # of enum ACTIVATION
FLOATS = ctypes.POINTER(ctypes.c_float)


def declared(kind, names):
    return [(name, kind) for name in names.split()]


class CLayer(ctypes.Structure):
    """struct layer."""

    _fields_ = (
        declared(ctypes.c_int, "type activation cost_type")
        + declared(ctypes.c_void_p, "forward backward update forward_gpu backward_gpu update_gpu")
        + declared(
            ctypes.c_int,
            "batch_normalize shortcut batch forced flipped inputs outputs nweights nbiases extra truths h w c out_h"
            " out_w out_c n max_boxes groups size side stride reverse flatten spatial pad sqrt flip index binary xnor"
            " steps hidden truth",
        )
        + declared(ctypes.c_float, "smooth dot angle jitter saturation exposure shift ratio learning_rate_scale clip")
        + declared(
            ctypes.c_int,
            "noloss softmax classes coords background rescore objectness joint noadjust reorg log tanh",
        )
        + declared(ctypes.c_void_p, "mask")
        + declared(ctypes.c_int, "total")
        + declared(ctypes.c_float, "alpha beta kappa coord_scale object_scale noobject_scale mask_scale class_scale")
        + declared(ctypes.c_int, "bias_match random")
        + declared(ctypes.c_float, "ignore_thresh truth_thresh thresh focus")
        + declared(
            ctypes.c_int,
            "classfix absolute onlyforward stopbackward dontload dontsave dontloadscales numload",
        )
        + declared(ctypes.c_float, "temperature probability scale")
        + declared(ctypes.c_void_p, "cweights indexes input_layers input_sizes map counts sums")
        + declared(
            FLOATS,
            "rand cost state prev_state forgot_state forgot_delta state_delta combine_cpu combine_delta_cpu concat"
            " concat_delta binary_weights biases bias_updates scales scale_updates weights weight_updates delta output"
            " loss squared norms spatial_mean mean variance mean_delta variance_delta rolling_mean rolling_variance x"
            " x_norm m v bias_m bias_v scale_m scale_v z_cpu r_cpu h_cpu prev_state_cpu temp_cpu temp2_cpu temp3_cpu"
            " dh_cpu hh_cpu prev_cell_cpu cell_cpu f_cpu i_cpu g_cpu o_cpu c_cpu dc_cpu binary_input",
        )
        + declared(
            ctypes.c_void_p,
            "input_layer self_layer output_layer reset_layer update_layer state_layer input_gate_layer"
            " state_gate_layer input_save_layer state_save_layer input_state_layer state_state_layer input_z_layer"
            " state_z_layer input_r_layer state_r_layer input_h_layer state_h_layer wz uz wr ur wh uh uo wo uf wf ui wi"
            " ug wg softmax_tree",
        )
        + declared(ctypes.c_size_t, "workspace_size")
    )


class Network(ctypes.Structure):
    """struct network."""

    _fields_ = (
        declared(ctypes.c_int, "n batch")
        + declared(ctypes.c_void_p, "seen t")
        + declared(ctypes.c_float, "epoch")
        + declared(ctypes.c_int, "subdivisions")
        + declared(ctypes.c_void_p, "layers output")
        + declared(ctypes.c_int, "policy")
        + declared(ctypes.c_float, "learning_rate momentum decay gamma scale power")
        + declared(ctypes.c_int, "time_steps step max_batches")
        + declared(ctypes.c_void_p, "scales steps")
        + declared(ctypes.c_int, "num_steps burn_in adam")
        + declared(ctypes.c_float, "B1 B2 eps")
        + declared(ctypes.c_int, "inputs outputs truths notruth h w c max_crop min_crop")
        + declared(ctypes.c_float, "max_ratio min_ratio")
        + declared(ctypes.c_int, "center")
        + declared(ctypes.c_float, "angle aspect exposure saturation hue")
        + declared(ctypes.c_int, "random gpu_index")
        + declared(ctypes.c_void_p, "hierarchy")
        + declared(FLOATS, "input truth delta workspace")
        + declared(ctypes.c_int, "train index")
        + declared(FLOATS, "cost")
        + declared(ctypes.c_float, "clip")
    )


def opened():
    library = ctypes.CDLL(os.environ.get("DARKNET_LIBRARY", "/usr/lib/darknet/libdarknet.so"))
    for kind, numbers in (("batchnorm", 4), ("connected", 6), ("convolutional", 14)):
        make = getattr(library, "make_%s_layer" % kind)
        make.argtypes, make.restype = [ctypes.c_int] * numbers, CLayer
        for way in ("forward", "backward"):
            call = getattr(library, "%s_%s_layer" % (way, kind))
            call.argtypes, call.restype = [CLayer, Network], None
    check(library.make_batchnorm_layer(2, 3, 4, 5))
    check(library.make_convolutional_layer(2, 4, 3, 5, 5, 1, 1, 1, 0, LINEAR, 1, 0, 0, 0))
    return library


def check(made):
    """Reads a layer's fields back: another build may have another layout."""
    shape = made.batch, made.w, made.h, made.c, made.out_w, made.out_h, made.out_c, made.outputs
    if shape != (2, 3, 4, 5, 3, 4, 5, 60) or made.scales[:5] != [1.0] * 5 or made.workspace_size > 10**6:
        raise ImportError("This build of libdarknet lays out its layers in another way than commit 61c9d02e.")


LIBRARY = opened()


def versions():
    words = ["dpkg-query", "--show", "--showformat=${Version}", "darknet"]
    return {"darknet": subprocess.check_output(words).decode()}


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None, spatial=None):
    if dtype != "float32":
        raise Unsupported("Darknet computes in float32 alone.")
    if epsilon is not None or momentum is not None:
        raise Unsupported("Darknet's epsilon and momentum are constants of its source.")
    return Layer(variant, (1, channels) + tuple(spatial or ()))


class Layer(object):
    arguments = {}

    def __init__(self, variant, shape):
        self.kind = {"NCHW": "convolutional", "2-D": "connected"}.get(variant, variant)
        self.channels = shape[1]
        first = self.make(shape)
        self.mean, self.var = (
            np.ctypeslib.as_array(kept, (self.channels,)) for kept in (first.rolling_mean, first.rolling_variance)
        )

    def make(self, shape):
        batch, c = shape[:2]
        h, w = shape[2:] or (1, 1)
        if self.kind == "batchnorm":
            made = LIBRARY.make_batchnorm_layer(batch, w, h, c)
            made.x, made.x_norm = (zeros(batch * c * h * w) for _ in range(2))
            made.mean_delta, made.variance_delta = (zeros(c) for _ in range(2))
        elif self.kind == "connected":
            made = LIBRARY.make_connected_layer(batch, c, c, LINEAR, 1, 0)
            np.ctypeslib.as_array(made.weights, (c, c))[...] = np.eye(c)
        else:
            made = LIBRARY.make_convolutional_layer(batch, h, w, c, c, c, 1, 1, 0, LINEAR, 1, 0, 0, 0)
            np.ctypeslib.as_array(made.weights, (c,))[...] = 1
        return made

    def forward(self, x, train):
        made, network = self.make(x.shape), Network(train=int(train))
        made.rolling_mean, made.rolling_variance = pointer(self.mean), pointer(self.var)
        network.input, network.delta = pointer(x), zeros(x.size)
        getattr(LIBRARY, "forward_%s_layer" % self.kind)(made, network)
        return made, network

    def train(self, x):
        made, _ = self.forward(x, True)
        return copied(made.output, x.shape)

    def backward(self, x, dy):
        made, network = self.forward(x, True)
        np.ctypeslib.as_array(made.delta, dy.shape)[...] = dy
        getattr(LIBRARY, "backward_%s_layer" % self.kind)(made, network)
        return copied(network.delta, x.shape)

    def evaluate(self, x):
        made, _ = self.forward(x, False)
        return copied(made.output, x.shape)

    def running(self):
        return {"mean": vector(self.mean.copy()), "var": vector(self.var.copy())}

    def set_running(self, mean, var):
        self.mean[...] = mean
        self.var[...] = var


KEPT = []  # arrays that Darknet points at live as long as the process, as those that it makes do


def pointer(array):
    KEPT.append(array)
    return array.ctypes.data_as(FLOATS)


def zeros(count):
    return pointer(np.zeros(count, np.float32))


def copied(floats, shape):
    return np.ctypeslib.as_array(floats, shape).copy()
