"""torch: eager and compiled products, sparse rows, adapters, training steps, quantized products, selections."""

import torch
from torch.nn import functional


def contestants(problem):
    torch.set_num_threads(problem.threads)
    return dict(item for offer in offers.get(problem.group, ()) for item in offer(problem))


def tensor(values):
    return torch.from_numpy(values)


def copies_of(values, count):
    return [tensor(values.copy()) for _ in range(count)]


def dense(problem):
    x = tensor(problem.x)
    weights = copies_of(problem.weight, problem.copies)
    yield "torch", ("dense", [lambda w=w: functional.linear(x, w) for w in weights])
    if problem.compiled:
        yield "torch compiled", ("dense", [compiled_linear(w, x) for w in weights])


def compiled_linear(weight, x):
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


def sparse_rows(problem):
    turned = tensor(problem.x).t().contiguous()
    matrices = [tensor(problem.weight).to_sparse_csr() for _ in range(problem.compact_copies)]
    yield "torch sparse rows", ("structured", [lambda m=m: (m @ turned).t() for m in matrices])


def sparse_blocks(problem):
    # torch multiplies by square tiles alone.
    height, width = int(problem.numbers.get("height", 1)), int(problem.numbers.get("width", 1))
    if height != width or height == 1:
        return
    turned = tensor(problem.x).t().contiguous()
    matrices = [tensor(problem.weight).to_sparse_bsr((height, width)) for _ in range(problem.compact_copies)]
    yield "torch sparse blocks", ("structured", [lambda m=m: (m @ turned).t() for m in matrices])


def adapters(problem):
    x = tensor(problem.x)
    weights = copies_of(problem.weight, problem.copies)
    yield "torch merged", ("dense", [lambda w=w: functional.linear(x, w) for w in weights])
    if problem.has("rows"):
        return
    b, a = tensor(problem.part("B")), tensor(problem.part("A"))
    base = copies_of(problem.part("W"), problem.copies)
    three = lambda w: functional.linear(x, w) + functional.linear(functional.linear(x, a), b)
    yield "torch, three products", ("structured", [lambda w=w: three(w) for w in base])


def monarch(problem):
    # y = P(b) L P(b)^T R x with R of n / b blocks and L of b blocks: reshape, batched product, transpose, twice.
    x = tensor(problem.x)
    b, n, batch = problem.part("L").shape[0], problem.inputs, problem.batch
    m = n // b

    def product():
        left, right = tensor(problem.part("L").copy()), tensor(problem.part("R").copy())

        def apply():
            first = torch.bmm(x.view(batch, m, b).transpose(0, 1), right.transpose(1, 2))
            # first: [m, batch, b], feature k * b + j; P(b)^T reads feature j of block k at j * m + k.
            second = torch.bmm(first.permute(2, 1, 0), left.transpose(1, 2))
            return second.permute(1, 2, 0).reshape(batch, n)

        return apply

    yield "torch, two batched products", ("structured", [product() for _ in range(problem.copies)])


def positions(problem):
    return tensor(problem.part("rows")).long(), tensor(problem.part("columns")).long()


def sampled(problem):
    x, dy = tensor(problem.x), tensor(problem.part("dy"))
    rows, columns = positions(problem)
    yield "torch, dense gradient and gather", ("dense", [lambda: (dy.t() @ x)[rows, columns]])


def sltrain(problem):
    # The published way: form W = B A, add S, multiply; backward forms the dense gradient and gathers.
    x, dy = tensor(problem.x), tensor(problem.part("dy"))
    b, a, s = (tensor(problem.part(name)) for name in ("B", "A", "S"))
    rows, columns = positions(problem)
    flat = rows * problem.inputs + columns

    def step():
        weight = (b @ a).view(-1).scatter_add(0, flat, s).view(problem.out, problem.inputs)
        y = x @ weight.t()
        gradient = dy.t() @ x
        return y, dy @ weight, gradient @ a.t(), b.t() @ gradient, gradient.view(-1)[flat]

    yield "torch, the published method", ("structured", [step])


def half(problem):
    x = tensor(problem.x).bfloat16()
    weights = [tensor(problem.weight).bfloat16() for _ in range(problem.compact_copies)]
    yield "torch bf16", ("structured", [lambda w=w: functional.linear(x, w).float() for w in weights])


def eight_bits(problem):
    x = tensor(problem.x)
    scales = tensor(problem.part("scales"))[:, 0].contiguous()
    codes = copies_of(problem.part("codes"), problem.compact_copies)
    yield (
        "torch int8 weights",
        ("structured", [lambda c=c: torch._weight_int8pack_mm(x, c, scales) for c in codes]),
    )


def four_bits(problem):
    x = tensor(problem.x)
    scales = tensor(problem.part("scales"))
    # Codes from 0 to 15 around 8, packed in pairs; a scale and a zero for each block, [blocks, out, 2].
    codes = tensor(problem.part("codes")).int() + 8
    pairs = torch.stack([scales, torch.zeros_like(scales)], dim=2).transpose(0, 1).contiguous()
    packed = [torch._convert_weight_to_int4pack_for_cpu(codes, 1) for _ in range(problem.compact_copies)]
    product = torch._weight_int4pack_mm_for_cpu
    yield (
        "torch int4 weights",
        ("structured", [lambda p=p: product(x, p, problem.block, pairs) for p in packed]),
    )


def adam(problem):
    count = round(problem.numbers["density"] * problem.out * problem.inputs)

    def step_of(shape, mask):
        parameter = torch.nn.Parameter(torch.zeros(shape))
        parameter.grad = torch.full(shape, 0.01)
        optimizer = torch.optim.AdamW([parameter], lr=1e-3, fused=True)

        def step():
            optimizer.step()
            if mask is not None:
                parameter.data.mul_(mask)
            return parameter.data

        return step

    whole = (problem.out, problem.inputs)
    yield "torch AdamW of the values", ("structured", [step_of((count,), None)])
    yield "torch AdamW under a mask", ("dense", [step_of(whole, torch.ones(whole))])


def largest(problem):
    weight = tensor(problem.weight).view(-1)
    count = round(problem.numbers["keep"] * weight.numel())
    yield "torch.topk", ("structured", [lambda: torch.topk(weight.abs(), count, sorted=False).indices])
    yield "torch.kthvalue", ("structured", [lambda: torch.kthvalue(weight.abs(), weight.numel() - count).values])


def groups(problem):
    n, m = int(problem.numbers["n"]), int(problem.numbers["m"])
    grouped = tensor(problem.weight).view(-1, m)
    yield "torch.topk of groups", ("structured", [lambda: torch.topk(grouped.abs(), n, dim=1).indices])


def factors(problem):
    weight, rank = tensor(problem.weight), int(problem.numbers["r"])
    yield "torch.svd_lowrank", ("structured", [lambda: torch.svd_lowrank(weight, q=rank + 8, niter=2)])


offers = {
    "dense": (dense,),
    "sparse": (dense, sparse_rows),
    "blocks": (dense, sparse_rows, sparse_blocks),
    "low-rank": (adapters,),
    "monarch": (dense, monarch),
    "sampled": (sampled,),
    "sltrain": (sltrain,),
    "bf16": (dense, half),
    "int8": (dense, eight_bits),
    "int4": (dense, four_bits),
    "nf4": (dense,),
    "adam": (adam,),
    "top-k": (largest,),
    "n:m selection": (groups,),
    "svd": (factors,),
}
