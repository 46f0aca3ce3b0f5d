#!/usr/bin/env python3
"""Peer of stylize_bench: our ONNX export of a transform network in ONNX Runtime or OpenVINO, on the CPU.

    build/cpu/apps/import_weights MODEL.h5 --as transform_net -o model.onnx
    PEERS/bin/python benchmarks/onnx_stylize.py --engine openvino --model model.onnx --height 1024 --width 1024

As a careful user would run it: all optimizations, the size fixed before the network is compiled, no copies around it.
The pass alone is measured, floats in, floats out; one size per process. --kernels runs once more with OpenVINO's
profile and adds how many milliseconds each kind of kernel took. Prints one JSON object.
"""
import argparse

import numpy as np

import peer_program


class OnnxRuntime:
    def __init__(self, options, shape):
        import onnxruntime

        self.version = onnxruntime.__version__
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = options.threads
        settings.inter_op_num_threads = 1
        for name, extent in zip("NHW", (shape[0], *shape[2:])):
            settings.add_free_dimension_override_by_name(name, extent)
        self.session = onnxruntime.InferenceSession(options.model, settings, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    def run(self, photo):
        return self.session.run(None, {self.input: photo})[0]


class OpenVino:
    def __init__(self, options, shape):
        import openvino

        self.version = openvino.__version__
        self.tensor = openvino.Tensor
        core = openvino.Core()
        model = core.read_model(options.model)
        model.reshape(list(shape))
        self.compiled = core.compile_model(model, "CPU", {
            "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": options.threads, "PERF_COUNT": options.kernels,
            "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[options.precision]})
        self.request = self.compiled.create_infer_request()

    def run(self, photo):
        self.request.set_input_tensor(self.tensor(photo, shared_memory=True))
        self.request.infer()
        return self.request.get_output_tensor().data

    def kernels(self):
        """{kind of kernel: milliseconds} of the last run."""
        times = {}
        for node in self.request.profiling_info:
            milliseconds = node.real_time.total_seconds() * 1e3
            if milliseconds:
                times[f"{node.node_type} {node.exec_type}"] = times.get(f"{node.node_type} {node.exec_type}", 0) + milliseconds
        return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    peer_program.add_options(parser)
    parser.add_argument("--engine", choices=("onnxruntime", "openvino"), required=True)
    parser.add_argument("--model", required=True, help="ONNX file of import_weights")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--height", type=int, default=512)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--photo", help="the picture, whose size it is then: float32 NCHW (.npy); default: noise")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--kernels", action="store_true", help="times by kind of kernel (OpenVINO)")
    options = parser.parse_args()
    if options.precision == "bf16" and options.engine == "onnxruntime":
        parser.error("ONNX Runtime computes our export in fp32 only")

    shape = (1, 3, options.height, options.width)
    photo = np.load(options.photo) if options.photo else np.random.default_rng(1).random(shape, np.float32) * 255
    engine = {"onnxruntime": OnnxRuntime, "openvino": OpenVino}[options.engine](options, photo.shape)
    loaded = peer_program.resident_mib()
    first = engine.run(photo)
    if options.output:
        np.save(options.output, first)
    seconds = peer_program.measure_each(options, lambda: peer_program.seconds_of(lambda: engine.run(photo)),
                                        options.repetitions)
    more = {"kernels_ms": engine.kernels()} if options.kernels else {}
    peer_program.print_result(options, seconds, program="onnx_stylize", version=engine.version,
                              loaded_rss_mib=loaded, **more)


if __name__ == "__main__":
    main()
