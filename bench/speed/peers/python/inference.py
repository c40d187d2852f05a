"""onnxruntime and OpenVINO: products with constant weights, which both pack when they load."""

import numpy


def onnx_contestants(problem):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = problem.threads
    options.inter_op_num_threads = 1
    # Threads that wait for the next call may spin inside a sample, and not on the core of whoever is timed next.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    offered = {}
    for name, kind, copies, model in onnx_models(problem):
        serialized = model.SerializeToString()
        runs = [onnx_run(onnxruntime, serialized, options, problem) for _ in range(copies)]
        offered[name] = (kind, runs)
    return offered


def onnx_run(onnxruntime, serialized, options, problem):
    session = onnxruntime.InferenceSession(serialized, options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_cpu_input("x", problem.x)
    y = numpy.empty((problem.batch, problem.out), numpy.float32)
    value = onnxruntime.OrtValue.ortvalue_from_numpy(y)
    binding.bind_ortvalue_output("y", value)

    def run():
        session.run_with_iobinding(binding)
        return value.numpy()

    return run


def onnx_model(problem, node, constants, opsets):
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [node],
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [problem.batch, problem.inputs])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [problem.batch, problem.out])],
        [numpy_helper.from_array(numpy.ascontiguousarray(values), name) for name, values in constants.items()],
    )
    ids = [helper.make_opsetid(domain, version) for domain, version in opsets]
    return helper.make_model(graph, opset_imports=ids, ir_version=9)


def onnx_models(problem):
    from onnx import helper

    plain = helper.make_node("MatMul", ["x", "w"], ["y"])
    dense = onnx_model(problem, plain, {"w": problem.weight.T}, [("", 17)])
    yield "onnxruntime", "dense", problem.copies, dense
    if problem.group in ("int8", "int4"):
        bits = {"int8": 8, "int4": 4}[problem.group]
        for level, suffix in ((1, ""), (4, ", int8 activations")):
            model = onnx_model(problem, *codes_node(problem, bits, level), [("", 17), ("com.microsoft", 1)])
            yield f"onnxruntime int{bits} weights{suffix}", "structured", problem.compact_copies, model
    if problem.group == "nf4":
        model = onnx_model(problem, *levels_node(problem), [("", 17), ("com.microsoft", 1)])
        yield "onnxruntime nf4 weights", "structured", problem.compact_copies, model


def pairs_of(codes):
    """Codes 0 to 15 in pairs, the first in the low half."""
    flat = codes.astype(numpy.uint8).reshape(-1, 2)
    return flat[:, 0] | (flat[:, 1] << 4)


def codes_node(problem, bits, level):
    from onnx import helper

    # One scale a row is one scale for each of its blocks.
    block = problem.block if problem.block < problem.inputs else 128
    blocks = problem.inputs // block
    scales = numpy.repeat(problem.part("scales"), blocks // problem.part("scales").shape[1], axis=1)
    codes = problem.part("codes").astype(numpy.int16) + (8 if bits == 4 else 128)
    packed = pairs_of(codes) if bits == 4 else codes.astype(numpy.uint8)
    constants = {
        "w": packed.reshape(problem.out, blocks, block * bits // 8),
        "s": scales.astype(numpy.float32).reshape(-1),
    }
    settings = {"K": problem.inputs, "N": problem.out, "bits": bits, "block_size": block}
    node = helper.make_node(
        "MatMulNBits", ["x", "w", "s"], ["y"], domain="com.microsoft", accuracy_level=level, **settings
    )
    return node, constants


def levels_node(problem):
    from onnx import helper

    codes = problem.part("codes").astype(numpy.uint8).reshape(-1, 2)
    constants = {
        # Here the first of a pair is in the high half.
        "w": ((codes[:, 0] << 4) | codes[:, 1]),
        "s": problem.part("scales").astype(numpy.float32).reshape(-1),
    }
    settings = {"K": problem.inputs, "N": problem.out, "block_size": problem.block, "quant_type": 1}
    node = helper.make_node("MatMulBnb4", ["x", "w", "s"], ["y"], domain="com.microsoft", **settings)
    return node, constants


def openvino_contestants(problem):
    import openvino
    from openvino import opset13

    core = openvino.Core()
    x = opset13.parameter([problem.batch, problem.inputs], numpy.float32)
    offered = {}
    for name, kind, copies, weight, precision in openvino_weights(problem):
        model = openvino.Model([opset13.matmul(x, weight, False, True)], [x])
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
            "INFERENCE_NUM_THREADS": str(problem.threads),
            "INFERENCE_PRECISION_HINT": precision,
            "ENABLE_CPU_PINNING": "NO",
        }
        offered[name] = (kind, [openvino_run(core, model, settings, problem) for _ in range(copies)])
    return offered


def openvino_run(core, model, settings, problem):
    import openvino

    request = core.compile_model(model, "CPU", settings).create_infer_request()
    request.set_input_tensor(openvino.Tensor(problem.x, shared_memory=True))

    def run():
        request.infer()
        return request.get_output_tensor().data

    return run


def openvino_weights(problem):
    from openvino import opset13

    dense = opset13.constant(problem.weight)
    yield "OpenVINO", "dense", problem.copies, dense, "f32"
    if problem.group == "bf16":
        yield "OpenVINO bf16", "structured", problem.compact_copies, dense, "bf16"
    if problem.group in ("int8", "int4", "nf4"):
        name = f"OpenVINO {problem.group} weights"
        yield name, "structured", problem.compact_copies, compressed_weight(problem), "f32"


def compressed_weight(problem):
    """Codes, made real numbers and scaled block by block: the graph that OpenVINO takes for a compressed weight."""
    import openvino
    from openvino import opset13

    scales = problem.part("scales")
    blocks = scales.shape[1]
    grid = [problem.out, blocks, problem.inputs // blocks]
    if problem.group == "int8":
        constant = opset13.constant(problem.part("codes").reshape(grid))
    else:
        kind = {"int4": openvino.Type.i4, "nf4": openvino.Type.nf4}[problem.group]
        tensor = openvino.Tensor(kind, openvino.Shape(grid))
        tensor.data.reshape(-1)[:] = pairs_of(problem.part("codes").astype(numpy.int8) & 15).view(tensor.data.dtype)
        constant = opset13.constant(tensor)
    scale = opset13.constant(scales.astype(numpy.float32).reshape(problem.out, blocks, 1))
    scaled = opset13.multiply(opset13.convert(constant, "f32"), scale)
    whole = opset13.constant(numpy.array([problem.out, problem.inputs], dtype=numpy.int64))
    return opset13.reshape(scaled, whole, False)
