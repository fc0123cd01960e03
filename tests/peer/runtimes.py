"""What else runs a network on the CPU: PyTorch eager and compiled in either layout, ONNX Runtime, OpenVINO.

`peers(network, images, precision, threads, wanted)` gives a call for each, by name; a call makes one pass over `images`.
ONNX Runtime has no bfloat16 kernels on a CPU and is left out there. Needs onnx, onnxscript, onnxruntime, openvino for
what is asked for by those names.
"""

import copy
import os
import tempfile
import warnings

import torch

NAMES = ["eager", "compiled", "onnxruntime", "openvino"]


def in_torch(network, images):
    def call():
        with torch.inference_mode():
            network(images)

    return call


def in_onnxruntime(network, images, threads):
    import onnxruntime

    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "network.onnx")
        torch.onnx.export(network, (images,), path, input_names=["images"], dynamo=True, verbose=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    values = {"images": images.numpy()}
    first = session.get_outputs()[0].name
    return lambda: session.run([first], values)


def in_openvino(network, images, precision, threads):
    import openvino

    model = openvino.convert_model(network, example_input=images, input=list(images.shape))
    hints = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    compiled = openvino.Core().compile_model(model, "CPU", hints)
    values = images.numpy()
    return lambda: compiled(values)


def peers(network, images, precision, threads, wanted):
    """`network` and `images` in float32; each call works at `precision` (f32 or bf16)."""
    warnings.filterwarnings("ignore")
    network = network.float().eval()
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    calls = {}
    for name, order in [("", torch.contiguous_format), (" channels_last", torch.channels_last)]:
        net = copy.deepcopy(network).to(dtype=kind, memory_format=order)
        values = images.to(dtype=kind).contiguous(memory_format=order)
        if "eager" in wanted:
            calls["PyTorch" + name] = in_torch(net, values)
        if "compiled" in wanted:
            calls["PyTorch compiled" + name] = in_torch(torch.compile(net), values)
    with torch.no_grad():
        if "onnxruntime" in wanted and precision == "f32":
            calls["ONNX Runtime"] = in_onnxruntime(network, images, threads)
        if "openvino" in wanted:
            calls["OpenVINO"] = in_openvino(network, images, precision, threads)
    return calls
