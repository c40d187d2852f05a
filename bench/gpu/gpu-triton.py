"""LoRA and Monarch in Triton as one would write them today: the low-rank product in the epilogue of the base product,
both Monarch factors in two launches with the permutation in the addresses."""

import torch
import triton
import triton.language as tl


@triton.jit
def shrink_kernel(x, down, t, batch, inputs, RANK: tl.constexpr, ROWS: tl.constexpr, STEP: tl.constexpr):
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    ranks = tl.arange(0, RANK)
    total = tl.zeros((ROWS, RANK), dtype=tl.float32)
    for start in range(0, inputs, STEP):
        k = start + tl.arange(0, STEP)
        a = tl.load(x + rows[:, None] * inputs + k[None, :], mask=(rows[:, None] < batch) & (k[None, :] < inputs), other=0.0)
        b = tl.load(down + ranks[:, None] * inputs + k[None, :], mask=k[None, :] < inputs, other=0.0)
        total += tl.dot(a, tl.trans(b))
    tl.store(t + rows[:, None] * RANK + ranks[None, :], total.to(t.dtype.element_ty), mask=rows[:, None] < batch)


@triton.jit
def expand_kernel(
    x, weight, t, up, y, batch, out, inputs,
    RANK: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, STEP: tl.constexpr,
):
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    columns = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    total = tl.zeros((ROWS, COLUMNS), dtype=tl.float32)
    for start in range(0, inputs, STEP):
        k = start + tl.arange(0, STEP)
        a = tl.load(x + rows[:, None] * inputs + k[None, :], mask=(rows[:, None] < batch) & (k[None, :] < inputs), other=0.0)
        b = tl.load(weight + columns[:, None] * inputs + k[None, :], mask=(columns[:, None] < out) & (k[None, :] < inputs), other=0.0)
        total += tl.dot(a, tl.trans(b))
    ranks = tl.arange(0, RANK)
    thin = tl.load(t + rows[:, None] * RANK + ranks[None, :], mask=rows[:, None] < batch, other=0.0)
    tall = tl.load(up + columns[:, None] * RANK + ranks[None, :], mask=columns[:, None] < out, other=0.0)
    total += tl.dot(thin, tl.trans(tall))
    inside = (rows[:, None] < batch) & (columns[None, :] < out)
    tl.store(y + rows[:, None] * out + columns[None, :], total.to(y.dtype.element_ty), mask=inside)


def lora(x, weight, down, up):
    batch, inputs = x.shape
    out, rank = up.shape
    t = torch.empty(batch, rank, device=x.device, dtype=x.dtype)
    y = torch.empty(batch, out, device=x.device, dtype=x.dtype)
    rows = 16 if batch <= 16 else 64 if batch <= 256 else 128
    shrink_kernel[(triton.cdiv(batch, 16),)](x, down, t, batch, inputs, RANK=rank, ROWS=16, STEP=128)
    grid = (triton.cdiv(batch, rows), triton.cdiv(out, 128))
    expand_kernel[grid](x, weight, t, up, y, batch, out, inputs, RANK=rank, ROWS=rows, COLUMNS=128, STEP=64, num_stages=4, num_warps=8 if rows > 16 else 4)
    return y


@triton.jit
def blocks_kernel(x, blocks, y, batch, SIZE: tl.constexpr, ROWS: tl.constexpr, TURNED: tl.constexpr):
    """y[r, block * SIZE + o] = sum of blocks[block, o, k] x[r, …k], read with a stride of SIZE when TURNED."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    block = tl.program_id(1)
    inner = tl.arange(0, SIZE)
    places = inner * SIZE + block if TURNED else block * SIZE + inner
    a = tl.load(x + rows[:, None] * SIZE * SIZE + places[None, :], mask=rows[:, None] < batch, other=0.0)
    b = tl.load(blocks + block * SIZE * SIZE + inner[:, None] * SIZE + inner[None, :])
    total = tl.dot(a, tl.trans(b))
    tl.store(y + rows[:, None] * SIZE * SIZE + places[None, :], total.to(y.dtype.element_ty), mask=rows[:, None] < batch)


def monarch(x, left, right):
    batch, width = x.shape
    size = left.shape[0]
    between, y = torch.empty_like(x), torch.empty_like(x)
    grid = (triton.cdiv(batch, 16), size)
    blocks_kernel[grid](x, right, between, batch, SIZE=size, ROWS=16, TURNED=False)
    blocks_kernel[grid](between, left, y, batch, SIZE=size, ROWS=16, TURNED=True)
    return y
