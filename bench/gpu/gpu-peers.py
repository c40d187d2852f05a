"""Peers on the device, driven line by line over standard input: {"do": "prepare" | "time", ...} -> one line of JSON.

Each peer runs its copies one after the other in one CUDA graph, as spx does; `time` gives nanoseconds of one call.
"""

import json
import sys


def main():
    try:
        import torch
    except ImportError as error:
        torch, missing = None, str(error)
    state = {}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if torch is None:
                answer = {"error": missing}
            elif request["do"] == "versions":
                answer = versions(torch)
            elif request["do"] == "prepare":
                state.clear()
                torch.cuda.empty_cache()
                answer = prepare(torch, request, state)
            else:
                answer = {"nanoseconds": measure(torch, state[request["peer"]])}
        except Exception as error:  # a peer that cannot run is listed with its reason
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
        print(json.dumps(answer), flush=True)


def versions(torch):
    found = {"torch": torch.__version__, "cuda": torch.version.cuda, "device": torch.cuda.get_device_name(0)}
    for name in ("triton", "peft"):
        try:
            found[name] = __import__(name).__version__
        except Exception as error:
            found[name] = f"not there: {error}"
    return found


def prepare(torch, request, state):
    refused = {}
    torch.manual_seed(0)
    for peer in request["peers"]:
        try:
            calls = [build(torch, peer, request, copy) for copy in range(request["copies"])]
            state[peer] = record(torch, calls, graph=request["pass"] == "forward")
        except Exception as error:
            refused[peer] = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    return {"refused": refused}


def record(torch, calls, graph):
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for call in calls:
            for _ in range(3):
                call()
    torch.cuda.synchronize()
    if not graph:
        def run():
            for call in calls:
                call()
        return run, len(calls)
    recorded = torch.cuda.CUDAGraph()
    with torch.cuda.graph(recorded, stream=stream):
        kept = [call() for call in calls]
    return (lambda: recorded.replay(), len(calls), kept)


def measure(torch, recorded):
    run, copies = recorded[0], recorded[1]
    before, after = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)

    def elapsed(starts):
        before.record()
        for _ in range(starts):
            run()
        after.record()
        torch.cuda.synchronize()
        return before.elapsed_time(after) * 1e6

    elapsed(2)
    starts = max(3, int(20e6 / max(elapsed(3) / 3, 1)) + 1)
    return elapsed(starts) / starts / copies


def build(torch, peer, request, copy):
    out, inputs, batch = request["out"], request["in"], request["batch"]
    dtype = {"bf16": torch.bfloat16, "f32": torch.float32}[request["elements"]]
    numbers = {"r": 16, "keep": 0.1, **request["numbers"]}
    device = "cuda"
    x = torch.randn(batch, inputs, device=device, dtype=dtype)
    weight = torch.randn(out, inputs, device=device, dtype=dtype)
    linear = torch.nn.functional.linear

    if peer in ("cublaslt", "torch eager"):
        y = torch.empty(batch, out, device=device, dtype=dtype)
        if peer == "cublaslt":
            torch.backends.cuda.preferred_blas_library("cublaslt")
            return lambda: torch.mm(x, weight.t(), out=y)
        return lambda: linear(x, weight)
    if peer == "torch compiled":
        compiled = torch.compile(lambda a, w: linear(a, w), mode="max-autotune-no-cudagraphs")
        return lambda: compiled(x, weight)
    if peer in ("cusparselt", "torch 2:4"):
        groups = weight.view(out, inputs // 4, 4)
        smallest = groups.abs().argsort(dim=-1)[..., :2]
        pruned = groups.scatter(-1, smallest, 0).view(out, inputs)
        if peer == "torch 2:4":
            from torch.sparse import SparseSemiStructuredTensor, to_sparse_semi_structured

            SparseSemiStructuredTensor._FORCE_CUTLASS = True
            sparse = to_sparse_semi_structured(pruned)
            return lambda: linear(x, sparse)
        packed = torch._cslt_compress(pruned)
        columns = x.t().contiguous() if batch % 8 == 0 else torch.zeros(inputs, (batch + 7) // 8 * 8, device=device, dtype=dtype)
        algorithm = torch._cslt_sparse_mm_search(packed, columns)
        return lambda: torch._cslt_sparse_mm(packed, columns, alg_id=algorithm)
    if peer == "cusparse csr":
        keep = torch.rand(out, inputs, device=device) < numbers.get("keep", 0.5)
        sparse = (weight * keep).to_sparse_csr()
        columns = x.t().contiguous()
        return lambda: sparse @ columns
    if peer == "torch bsr":
        from torch.sparse._triton_ops import bsr_dense_mm

        kept = (torch.rand(out // 16, inputs // 16, device=device) < numbers["keep"]).to(dtype)
        sparse = (weight * kept.repeat_interleave(16, 0).repeat_interleave(16, 1)).to_sparse_bsr((16, 16))
        columns = x.t().contiguous()
        return lambda: bsr_dense_mm(sparse, columns)
    if peer == "peft lora":
        from peft.tuners.lora import Linear

        base = torch.nn.Linear(inputs, out, bias=False, device=device, dtype=dtype)
        adapted = Linear(base, "default", r=numbers["r"], lora_alpha=16).to(device, dtype).eval()
        forward = torch.inference_mode()(adapted.forward)
        return lambda: forward(x)
    if peer == "triton lora":
        gpu_triton = triton_kernels()

        down = torch.randn(numbers["r"], inputs, device=device, dtype=dtype)
        up = torch.randn(out, numbers["r"], device=device, dtype=dtype)
        return lambda: gpu_triton.lora(x, weight, down, up)
    if peer == "triton monarch":
        gpu_triton = triton_kernels()

        size = int(inputs**0.5)
        left = torch.randn(size, size, size, device=device, dtype=dtype)
        right = torch.randn(size, size, size, device=device, dtype=dtype)
        return lambda: gpu_triton.monarch(x, left, right)
    if peer == "sltrain published":
        return sltrain(torch, x, weight, numbers)
    raise ValueError(f"no peer {peer}")


def triton_kernels():
    import importlib.util
    import pathlib

    place = pathlib.Path(__file__).with_name("gpu-triton.py")
    specification = importlib.util.spec_from_file_location("gpu_triton", place)
    module = importlib.util.module_from_spec(specification)
    sys.modules["gpu_triton"] = module
    specification.loader.exec_module(module)
    return module


def sltrain(torch, x, weight, numbers):
    """As published: the dense weight is formed from B A and S, dW is dense, the gradient of S is gathered from it."""
    out, inputs = weight.shape
    rank, density = numbers.get("r", 128), numbers.get("density", 0.03)
    b = torch.randn(out, rank, device="cuda", dtype=x.dtype)
    a = torch.randn(rank, inputs, device="cuda", dtype=x.dtype)
    count = int(density * out * inputs)
    places = torch.randperm(out * inputs, device="cuda")[:count].sort().values
    values = torch.randn(count, device="cuda", dtype=x.dtype)
    dy = torch.randn(x.shape[0], out, device="cuda", dtype=x.dtype)

    def call():
        dense = torch.mm(b, a)
        dense.view(-1).index_add_(0, places, values)
        y = torch.nn.functional.linear(x, dense)
        dx = torch.mm(dy, dense)
        dense_gradient = torch.mm(dy.t(), x)
        return y, dx, torch.mm(dense_gradient, a.t()), torch.mm(b.t(), dense_gradient), dense_gradient.view(-1)[places]

    return call


main()
