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

packages = ("torch", "onnxruntime", "openvino", "MNN", "scipy", "sklearn", "numpy", "onnx")
products = ("dense", "sparse", "blocks", "monarch", "bf16", "int8", "int4", "nf4")


def answer(value):
    answers.write(json.dumps(value) + "\n")
    answers.flush()


def version_of(name):
    try:
        module = importlib.import_module(name)
        return getattr(module, "__version__", None) or module.version()
    except Exception as problem:  # an import can fail in any way; the report shows which
        return f"missing: {type(problem).__name__}: {problem}"


def makers_of(problem):
    """Who may offer something, each imported only when it is asked."""
    group = problem.group
    yield "torch", "pytorch", "contestants"
    # These two take the widest instructions that the CPU has, whatever they are told.
    if group in products and not problem.held_down:
        yield "onnxruntime", "inference", "onnx_contestants"
        yield "OpenVINO", "inference", "openvino_contestants"
    if group in ("sparse", "blocks") and problem.batch > 1 and not problem.held_down:
        yield "MNN", "sparse", "contestants"
    if group in ("sparse", "blocks") and problem.threads == 1:
        yield "scipy", "science", "sparse_rows"
    if group == "top-k":
        yield "numpy", "science", "largest"
    if group == "svd":
        yield "sklearn", "science", "factors"


def prepare(request, kept):
    from problem import Problem

    if request["cores"]:
        os.sched_setaffinity(0, request["cores"])
    problem = Problem(request, kept)
    contestants, refused = {}, []
    for library, module, maker in makers_of(problem):
        try:
            contestants.update(getattr(importlib.import_module(module), maker)(problem))
        except Exception as failure:  # one library's failure is no reason to lose the others
            refused.append(f"{library}: {type(failure).__name__}: {failure}")
    return problem, contestants, refused


def main():
    contestants, turns, problem = {}, {}, None
    for line in sys.stdin:
        request = json.loads(line)
        wanted = request["do"]
        try:
            if wanted == "versions":
                answer({name: version_of(name) for name in packages})
            elif wanted == "prepare":
                turns = {}
                problem, contestants, refused = prepare(request, problem)
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
                result = result[0] if isinstance(result, tuple) else result
                numpy.ascontiguousarray(numpy.asarray(result), dtype=numpy.float32).tofile(request["file"])
                answer({"written": True})
            elif wanted == "release":
                contestants, turns = {}, {}
                gc.collect()
                answer({"released": True})
            else:
                answer({"error": f"unknown request {wanted}"})
        except Exception as failure:
            answer({"error": f"{type(failure).__name__}: {failure}"})


main()
