"""MNN: a layer as a 1x1 convolution over tokens, whose weight its converter stores sparse, in tiles where there are some."""

import os
import tempfile

import numpy


class Result:
    """y, copied out of MNN's layout only when somebody looks at it."""

    def __init__(self, tensor, shape):
        self.tensor, self.shape = tensor, shape

    def __array__(self, dtype=None, copy=None):
        import MNN

        batch, out = self.shape
        host = MNN.Tensor((1, out, 1, batch), MNN.Halide_Type_Float, MNN.Tensor_DimensionType_Caffe)
        self.tensor.copyToHostTensor(host)
        return numpy.array(host.getData(), dtype=dtype).reshape(out, batch).T


def contestants(problem):
    import MNN

    with tempfile.TemporaryDirectory() as folder:
        file = converted(problem, folder)
        runs = [session(MNN, file, problem) for _ in range(problem.compact_copies)]
    return {"MNN sparse": ("structured", runs)}


def converted(problem, folder):
    import _tools
    from onnx import TensorProto, helper, numpy_helper, save

    weight = problem.weight.reshape(problem.out, problem.inputs, 1, 1)
    shapes = {"x": [1, problem.inputs, 1, problem.batch], "y": [1, problem.out, 1, problem.batch]}
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name])
    node = helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[1, 1])
    graph = helper.make_graph([node], "layer", [value("x")], [value("y")], [numpy_helper.from_array(weight, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    source, target = os.path.join(folder, "layer.onnx"), os.path.join(folder, "layer.mnn")
    save(model, source)
    settings = ["-f", "ONNX", "--modelFile", source, "--MNNModel", target, "--bizCode", "spx"]
    _tools.mnnconvert(["mnnconvert", *settings, "--detectSparseSpeedUp", "1"])
    return target


def session(MNN, file, problem):
    interpreter = MNN.Interpreter(file)
    made = interpreter.createSession({"backend": "CPU", "numThread": problem.threads, "precision": "high"})
    given = interpreter.getSessionInput(made)
    turned = numpy.ascontiguousarray(problem.x.T).reshape(1, problem.inputs, 1, problem.batch)
    shape = (1, problem.inputs, 1, problem.batch)
    tokens = MNN.Tensor(shape, MNN.Halide_Type_Float, turned, MNN.Tensor_DimensionType_Caffe)
    result = Result(interpreter.getSessionOutput(made), (problem.batch, problem.out))

    def run():
        # A run writes over its tokens, so that each begins with a copy of them: a few percent of its time.
        given.copyFrom(tokens)
        interpreter.runSession(made)
        return result

    return run
