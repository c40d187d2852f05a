// What a kernel must not do, planted: the interpreter has to see each of them, and nothing in the kernel without it.
import { describe, expect, it } from "vitest";
import { DeviceFault } from "../../compiler/backend/reference/device-memory.ts";
import { interpretDevice } from "../../compiler/backend/reference/interpret-device.ts";
import type { Code } from "../../compiler/device/device-builder.ts";
import { createCode, loop, put, registers, set, store, when } from "../../compiler/device/device-builder.ts";
import {
  add,
  binary,
  bits,
  blockNumber,
  compare,
  constant,
  convert,
  div,
  int,
  load,
  mul,
  rem,
  sub,
  thread,
} from "../../compiler/device/device-expression.ts";
import type { DeviceProgram } from "../../compiler/device/device-node.ts";

/** 64 threads, one memory on chip, x read and y updated, 256 elements each. */
function program(write: (code: Code) => void): DeviceProgram {
  const code = createCode();
  write(code);
  return {
    name: "planted",
    purpose: [],
    architecture: "sm_80",
    parameters: [
      { kind: "buffer", name: "x", element: "f32", access: "read" },
      { kind: "buffer", name: "y", element: "f32", access: "update" },
    ],
    memories: [{ name: "chip", element: "f32", length: 64 }],
    threads: 64,
    blocksPerProcessor: 1,
    body: code.statements,
  };
}

const x = Float32Array.from({ length: 256 }, (_, index) => index);

function run(write: (code: Code) => void, grid = 1, initialised = true): Float32Array {
  const y = new Float32Array(256);
  const buffers = new Map([
    ["x", { data: x, initialised: true }],
    ["y", { data: y, initialised }],
  ]);
  interpretDevice(program(write), grid, buffers, new Map());
  return y;
}

function faultOf(write: (code: Code) => void, grid = 1, initialised = true): string {
  try {
    run(write, grid, initialised);
  } catch (thrown) {
    if (thrown instanceof DeviceFault) return thrown.fault;
    throw thrown;
  }
  return "none";
}

const barrier = (code: Code): void => put(code, { kind: "barrier" });
const mirror = sub(int(63), thread);
const lane = rem(thread, int(32));
const copy = (code: Code, valid: number | null = null): void =>
  put(code, {
    kind: "copy-async",
    to: "chip",
    toIndex: thread,
    from: "x",
    fromIndex: thread,
    bytes: 4,
    valid: valid === null ? null : int(valid),
  });

describe("exchanges through on-chip memory", () => {
  const exchange = (between: (code: Code) => void) => (code: Code) => {
    store(code, "chip", thread, load("x", thread, "f32"));
    between(code);
    store(code, "y", thread, load("chip", mirror, "f32"));
  };

  it("are right with a barrier", () => {
    expect([...run(exchange(barrier)).subarray(0, 64)]).toEqual(
      Array.from({ length: 64 }, (_, index) => 63 - index),
    );
  });

  it("are a race without it, or with one of the warp alone", () => {
    expect(faultOf(exchange(() => {}))).toBe("race");
    expect(faultOf(exchange((code) => put(code, { kind: "warp-barrier" })))).toBe("race");
  });

  it("inside a warp need no more than its own barrier", () => {
    const inWarp = (between: (code: Code) => void) => (code: Code) => {
      store(code, "chip", thread, load("x", thread, "f32"));
      between(code);
      const other = add(mul(div(thread, int(32)), int(32)), sub(int(31), lane));
      store(code, "y", thread, load("chip", other, "f32"));
    };
    expect(faultOf(inWarp((code) => put(code, { kind: "warp-barrier" })))).toBe("none");
    expect(faultOf(inWarp(() => {}))).toBe("race");
  });

  it("that write again need a second barrier", () => {
    const twice = (second: (code: Code) => void) => (code: Code) =>
      loop(code, "turn", { to: int(2) }, (body) => {
        store(body, "chip", thread, load("x", thread, "f32"));
        barrier(body);
        store(body, "y", thread, load("chip", mirror, "f32"));
        second(body);
      });
    expect(faultOf(twice(() => {}))).toBe("race");
    expect(faultOf(twice(barrier))).toBe("none");
  });

  it("that read what nobody wrote are found", () => {
    expect(faultOf((code) => store(code, "y", thread, load("chip", thread, "f32")))).toBe("uninitialised");
  });
});

describe("matrices from on-chip memory", () => {
  const rows = (index: (of: typeof lane) => ReturnType<typeof add>) => (code: Code) => {
    store(code, "chip", thread, load("x", thread, "f32"));
    barrier(code);
    const words = registers(code, "words", bits(0), 4);
    put(code, { kind: "load-matrices", target: words.span(int(0)), memory: "chip", index: index(lane) });
    store(code, "y", thread, convert(convert(words.read(int(1)), "i32"), "f32"));
  };
  const row = mul(rem(lane, int(16)), int(4));

  it("give lane 4g + t the word t of row g, in register i of matrix i", () => {
    const found = run(rows(() => row));
    // Rows 8 to 15 are matrix 1, its row g the four f32 from 32 + 4g on.
    const word = (value: number): number => new Int32Array(Float32Array.of(value).buffer)[0] ?? 0;
    const expected = Array.from({ length: 32 }, (_, at) => Math.fround(word(32 + at)));
    expect([...found.subarray(0, 32)]).toEqual(expected);
  });

  it("begin on 16 bytes, inside the memory, for all lanes of a warp", () => {
    expect(faultOf(rows(() => add(row, int(2))))).toBe("misaligned");
    expect(faultOf(rows(() => add(row, int(32))))).toBe("out of bounds");
    expect(
      faultOf((code) =>
        when(
          code,
          compare("lt", thread, int(40)),
          rows(() => row),
        ),
      ),
    ).toBe("divergent");
  });
});

describe("global memory", () => {
  it("has bounds", () => {
    expect(faultOf((code) => store(code, "y", add(thread, int(193)), constant("f32", 1)))).toBe(
      "out of bounds",
    );
    expect(faultOf((code) => store(code, "y", thread, load("x", sub(thread, int(1)), "f32")))).toBe(
      "out of bounds",
    );
    expect(faultOf((code) => store(code, "x", thread, constant("f32", 1)))).toBe("read-only");
  });

  it("is not shared between blocks, whatever order they run in", () => {
    expect(faultOf((code) => store(code, "y", thread, constant("f32", 1)), 2)).toBe("race");
    const own = add(mul(blockNumber, int(64)), thread);
    expect(faultOf((code) => store(code, "y", own, constant("f32", 1)), 4)).toBe("none");
    const neighbour = (code: Code): void => {
      store(code, "y", own, constant("f32", 1));
      barrier(code);
      when(code, compare("gt", blockNumber, int(0)), (body) =>
        store(body, "y", own, load("y", sub(own, int(64)), "f32")),
      );
    };
    expect(faultOf(neighbour, 2)).toBe("race");
  });

  it("adds atomically from anywhere, and only atomically", () => {
    const one = constant("f32", 1);
    const sums = run((code) => put(code, { kind: "atomic-add", memory: "y", index: int(0), value: one }), 3);
    expect(sums[0]).toBe(192);
    const mixed = (code: Code): void => {
      put(code, { kind: "atomic-add", memory: "y", index: int(0), value: one });
      when(code, compare("eq", thread, int(5)), (body) => store(body, "y", int(0), one));
    };
    expect(faultOf(mixed)).toBe("race");
  });

  it("may not be read before it is written", () => {
    expect(faultOf((code) => store(code, "y", thread, load("y", thread, "f32")), 1, false)).toBe(
      "uninitialised",
    );
  });

  it("is read in whole vectors", () => {
    const vector = (offset: number) => (code: Code) => {
      const four = registers(code, "four", constant("f32", 0), 4);
      const index = add(mul(thread, int(2)), int(offset));
      put(code, {
        kind: "load-vector",
        target: four.span(int(0)),
        registers: 2,
        memory: "x",
        index,
        streamed: false,
      });
      store(code, "y", thread, four.read(int(1)));
    };
    expect(run(vector(0))[3]).toBe(7);
    expect(faultOf(vector(1))).toBe("misaligned");
  });
});

describe("asynchronous copies", () => {
  const finish = (code: Code): void => put(code, { kind: "commit" }, { kind: "wait", pending: 0 });
  const read = (code: Code, index = mirror): void => store(code, "y", thread, load("chip", index, "f32"));

  it("are there after a wait and a barrier, with zeros where nothing is valid", () => {
    const whole = run((code) => {
      copy(code);
      finish(code);
      barrier(code);
      read(code);
    });
    expect(whole[0]).toBe(63);
    const none = run((code) => {
      copy(code, 0);
      finish(code);
      read(code, thread);
    });
    expect(none[5]).toBe(0);
  });

  it("are unfinished without a wait, and a race without a barrier", () => {
    expect(
      faultOf((code) => {
        copy(code);
        put(code, { kind: "commit" });
        barrier(code);
        read(code);
      }),
    ).toBe("unfinished copy");
    expect(
      faultOf((code) => {
        copy(code);
        put(code, { kind: "commit" }, { kind: "wait", pending: 1 });
        barrier(code);
        read(code);
      }),
    ).toBe("unfinished copy");
    expect(
      faultOf((code) => {
        copy(code);
        finish(code);
        read(code);
      }),
    ).toBe("race");
  });

  it("overwrite only what everybody has read", () => {
    const again = (between: (code: Code) => void) => (code: Code) => {
      copy(code);
      finish(code);
      barrier(code);
      read(code);
      between(code);
      copy(code);
      finish(code);
    };
    expect(faultOf(again(() => {}))).toBe("race");
    expect(faultOf(again(barrier))).toBe("none");
  });
});

describe("what is done together", () => {
  const half = compare("lt", thread, int(32));
  it("needs everybody", () => {
    expect(faultOf((code) => when(code, half, barrier))).toBe("divergent");
    const shuffle = (code: Code): void => {
      const word = registers(code, "word", load("x", thread, "f32"));
      const exchange = (inner: Code): void =>
        put(inner, { kind: "shuffle-xor", target: word.name, value: word.read(), mask: 1 });
      when(code, compare("lt", lane, int(16)), exchange);
    };
    expect(faultOf(shuffle)).toBe("divergent");
    expect(
      faultOf((code) =>
        when(code, half, (body) => {
          const word = registers(body, "word", load("x", thread, "f32"));
          put(body, { kind: "shuffle-xor", target: word.name, value: word.read(), mask: 1 });
        }),
      ),
    ).toBe("none");
  });

  it("indexes registers alike", () => {
    const indexed = (index: ReturnType<typeof int>) => (code: Code) => {
      const four = registers(code, "four", constant("f32", 0), 4);
      set(code, four, constant("f32", 1), index);
    };
    expect(faultOf(indexed(int(3)))).toBe("none");
    expect(faultOf(indexed(rem(thread, int(4))))).toBe("divergent");
    expect(faultOf(indexed(int(4)))).toBe("out of bounds");
  });
});

it("bits are what the hardware makes of them", () => {
  const y = run((code) => {
    const word = convert(thread, "u32");
    const ones = binary("shl", bits(0xffffffff), binary("and", word, bits(31)));
    store(code, "y", thread, convert({ kind: "popcount", value: ones }, "f32"));
  });
  expect([y[0], y[1], y[31], y[32]]).toEqual([32, 31, 1, 32]);
});
