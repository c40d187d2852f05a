"""The Python peers of the benchmark: one process, driven line by line.

Each request is one line of JSON on standard input, each answer one line on standard output:
{"do": "prepare", ...} loads a problem and says which contestants it can offer and why not the others;
{"do": "sample", "name", "calls"} gives seconds; {"do": "output", "name", "file"} writes y; {"do": "release"}.
What only one library prints on standard output would break the protocol, so that stream is kept for answers alone.
"""

import gc
import importlib
import json
import os
import sys
import time

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def answer(value):
    answers.write(json.dumps(value) + "\n")
    answers.flush()


def version_of(name):
    try:
        return getattr(importlib.import_module(name), "__version__", "present")
    except Exception as problem:  # an import can fail in any way; the report shows which
        return f"missing: {type(problem).__name__}: {problem}"


class Problem:
    def __init__(self, request):
        import numpy

        read = lambda name: numpy.fromfile(request["files"][name], dtype=numpy.float32)
        self.out, self.inputs, self.batch = request["out"], request["inputs"], request["batch"]
        self.threads, self.copies = request["threads"], request["copies"]
        self.sparse_copies = request["sparseCopies"]
        self.group, self.compiled = request["group"], request["compiled"]
        self.weight = read("weight").reshape(self.out, self.inputs)
        self.x = read("x").reshape(self.batch, self.inputs)
        self.parts = {name: read(name) for name in request["files"] if name not in ("weight", "x")}
        self.shapes = request.get("shapes", {})

    def part(self, name):
        return self.parts[name].reshape(self.shapes[name])


def torch_contestants(problem):
    import torch
    from torch.nn import functional

    torch.set_num_threads(problem.threads)
    x = torch.from_numpy(problem.x)
    copies = range(problem.copies)
    weights = [torch.from_numpy(problem.weight.copy()) for _ in copies]
    offered = {}

    def offer(name, kind, functions):
        offered[name] = (kind, functions)

    dense = lambda weight: (lambda: functional.linear(x, weight))
    group = problem.group
    if group in ("dense", "sparse", "blocks", "monarch"):
        offer("torch", "dense", [dense(weight) for weight in weights])
        if problem.compiled:
            offer("torch compiled", "dense", [compiled_linear(torch, weight, x) for weight in weights])
    if group in ("sparse", "blocks"):
        matrices = [torch.from_numpy(problem.weight).to_sparse_csr() for _ in range(problem.sparse_copies)]
        turned = x.t().contiguous()
        offer(
            "torch sparse rows",
            "structured",
            [(lambda matrix: lambda: (matrix @ turned).t())(matrix) for matrix in matrices],
        )
    if group == "low-rank":
        base = [torch.from_numpy(problem.part("W").copy()) for _ in copies]
        b, a = torch.from_numpy(problem.part("B")), torch.from_numpy(problem.part("A"))
        offer("torch merged", "dense", [dense(weight) for weight in weights])

        def adapted(weight):
            return lambda: functional.linear(x, weight) + functional.linear(functional.linear(x, a), b)

        if "S" not in problem.parts:
            offer("torch, three products", "structured", [adapted(weight) for weight in base])
    if group == "monarch":
        offer("torch, two batched products", "structured", [two_products(torch, problem, x) for _ in copies])
    if group == "sampled":
        offer_sampled(torch, problem, x, offer)
    if group == "sltrain":
        offer_sltrain(torch, problem, x, offer)
    return offered


def compiled_linear(torch, weight, x):
    import torch._inductor.config

    torch._inductor.config.freezing = True

    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(weight, requires_grad=False)

        def forward(self, given):
            return torch.nn.functional.linear(given, self.weight)

    layer = torch.compile(Layer().eval(), dynamic=False)
    layer(x)
    return lambda: layer(x)


def two_products(torch, problem, x):
    # y = P(b) L P(b)^T R x with R of n / b blocks and L of b blocks: reshape, batched product, transpose, twice.
    b = problem.part("L").shape[0]
    left, right = (torch.from_numpy(problem.part(name).copy()) for name in ("L", "R"))
    n, batch = problem.inputs, problem.batch
    m = n // b

    def apply():
        first = torch.bmm(x.view(batch, m, b).transpose(0, 1), right.transpose(1, 2))
        # first: [m, batch, b], feature k * b + j; P(b)^T reads feature j of block k at j * m + k.
        second = torch.bmm(first.permute(2, 1, 0), left.transpose(1, 2))
        return second.permute(1, 2, 0).reshape(batch, n)

    return apply


def positions(torch, problem):
    return (torch.from_numpy(problem.part(name).astype("int64")) for name in ("rows", "columns"))


def offer_sampled(torch, problem, x, offer):
    dy = torch.from_numpy(problem.part("dy"))
    rows, columns = positions(torch, problem)
    offer("torch, dense gradient and gather", "dense", [lambda: (dy.t() @ x)[rows, columns]])


def offer_sltrain(torch, problem, x, offer):
    # The published way: form W = B A, add S, multiply; backward forms the dense gradient and gathers.
    b, a, s = (torch.from_numpy(problem.part(name).copy()) for name in ("B", "A", "S"))
    dy = torch.from_numpy(problem.part("dy"))
    rows, columns = positions(torch, problem)
    flat = rows * problem.inputs + columns

    def step():
        weight = (b @ a).view(-1).scatter_add(0, flat, s).view(problem.out, problem.inputs)
        y = x @ weight.t()
        gradient = dy.t() @ x
        return y, dy @ weight, gradient @ a.t(), b.t() @ gradient, gradient.view(-1)[flat]

    offer("torch, weight formed", "dense", [step])


def onnx_contestants(problem):
    import numpy
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    constant = numpy_helper.from_array(numpy.ascontiguousarray(problem.weight.T), "w")
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph(
        [node],
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [problem.batch, problem.inputs])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [problem.batch, problem.out])],
        [constant],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = problem.threads
    options.inter_op_num_threads = 1
    functions = []
    for _ in range(problem.copies):
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        binding = session.io_binding()
        binding.bind_cpu_input("x", problem.x)
        y = numpy.empty((problem.batch, problem.out), numpy.float32)
        value = onnxruntime.OrtValue.ortvalue_from_numpy(y)
        binding.bind_ortvalue_output("y", value)

        def run(session=session, binding=binding, value=value):
            session.run_with_iobinding(binding)
            return value.numpy()

        functions.append(run)
    return {"onnxruntime": ("dense", functions)}


def openvino_contestants(problem):
    import numpy
    import openvino
    from openvino import opset13

    core = openvino.Core()
    x = opset13.parameter([problem.batch, problem.inputs], numpy.float32)
    product = opset13.matmul(x, opset13.constant(problem.weight), False, True)
    model = openvino.Model([product], [x])
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": str(problem.threads),
        "INFERENCE_PRECISION_HINT": "f32",
        "ENABLE_CPU_PINNING": "NO",
    }
    functions = []
    for _ in range(problem.copies):
        request = core.compile_model(model, "CPU", settings).create_infer_request()
        request.set_input_tensor(openvino.Tensor(problem.x, shared_memory=True))

        def run(request=request):
            request.infer()
            return request.get_output_tensor().data

        functions.append(run)
    return {"OpenVINO": ("dense", functions)}


def scipy_contestants(problem):
    import scipy.sparse

    matrices = [scipy.sparse.csr_matrix(problem.weight) for _ in range(problem.sparse_copies)]
    turned = problem.x.T.copy()
    return {
        "scipy sparse rows": (
            "structured",
            [(lambda matrix: lambda: (matrix @ turned).T)(matrix) for matrix in matrices],
        )
    }


def offers_of(problem):
    makers = [("torch", torch_contestants)]
    if problem.group in ("dense", "sparse", "blocks", "monarch"):
        makers += [("onnxruntime", onnx_contestants), ("openvino", openvino_contestants)]
    if problem.group in ("sparse", "blocks") and problem.threads == 1:
        makers.append(("scipy", scipy_contestants))
    return makers


def main():
    contestants, turns, problem = {}, {}, None
    for line in sys.stdin:
        request = json.loads(line)
        wanted = request["do"]
        try:
            if wanted == "versions":
                names = ("torch", "onnxruntime", "openvino", "scipy", "numpy", "onnx")
                answer({name: version_of(name) for name in names})
            elif wanted == "prepare":
                if request.get("cores"):
                    os.sched_setaffinity(0, request["cores"])
                problem, contestants, turns, refused = Problem(request), {}, {}, []
                for library, maker in offers_of(problem):
                    try:
                        contestants.update(maker(problem))
                    except Exception as failure:  # one library's failure is no reason to lose the others
                        refused.append(f"{library}: {type(failure).__name__}: {failure}")
                kinds = {name: kind for name, (kind, _) in contestants.items()}
                answer({"contestants": kinds, "refused": refused})
            elif wanted == "sample":
                functions = contestants[request["name"]][1]
                turn = turns.get(request["name"], 0)
                start = time.perf_counter()
                for _ in range(request["calls"]):
                    functions[turn % len(functions)]()
                    turn += 1
                seconds = time.perf_counter() - start
                turns[request["name"]] = turn
                answer({"seconds": seconds})
            elif wanted == "output":
                import numpy

                result = contestants[request["name"]][1][0]()
                numpy.ascontiguousarray(numpy.asarray(result), dtype=numpy.float32).tofile(request["file"])
                answer({"written": True})
            elif wanted == "release":
                contestants, turns, problem = {}, {}, None
                gc.collect()
                answer({"released": True})
            else:
                answer({"error": f"unknown request {wanted}"})
        except Exception as failure:
            answer({"error": f"{type(failure).__name__}: {failure}"})


main()
