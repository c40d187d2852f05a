// The printed CUDA C++: stable, complete in itself, and what nvcc makes of it. Compiling is skipped without nvcc.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { compileCuda, findCudaCompiler } from "../../compiler/backend/cuda/compile-cuda.ts";
import { printCuda } from "../../compiler/backend/cuda/print-cuda.ts";
import type { DeviceProgram } from "../../compiler/device/device-node.ts";
import { emitCuda } from "../../compiler/driver/emit-cuda.ts";
import { StageClock } from "../../compiler/driver/stage-clock.ts";
import type { CudaElements } from "../../runtime/contract/cuda.ts";
import { planForDevice } from "./device-program.ts";

const folder = mkdtempSync(join(tmpdir(), "spx-cuda-source-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const plain = "transform Plain(W: frozen [out, in]) {\n  weight = W\n}\n";

function devicesOf(text: string, elements: readonly CudaElements[]) {
  const file = join(folder, "plain.spx");
  writeFileSync(file, text);
  const [first] = planForDevice(file, elements).values();
  if (first === undefined) throw new Error("no transform");
  return first.devices;
}

describe("the source", () => {
  it.each(["f32", "bf16"] as const)("of %s is the same every time, and reads like this", async (elements) => {
    const forward = () =>
      devicesOf(plain, [elements]).programs.filter(({ name }) => !/_(?:backward|adapters)_/.test(name));
    const text = printCuda("Kernels of plain.spx.", forward());
    expect(text).toBe(printCuda("Kernels of plain.spx.", forward()));
    await expect(text).toMatchFileSnapshot(`expected/plain-${elements}.cu`);
  });

  it("includes nothing, so that NVRTC compiles it without a toolkit", () => {
    const { programs } = devicesOf(plain, ["f32", "bf16", "f16", "tf32"]);
    expect(printCuda("all", programs)).not.toContain("#include");
  });

  it("is all there is where nvcc is not found, and the build says so", async () => {
    const emitted = await emitCuda(devicesOf(plain, ["f32"]), new StageClock(), { name: "plain" }, null);
    if (emitted.kind !== "emitted") throw new Error("refused");
    const { library, files, provider } = emitted;
    expect(library.images).toEqual([]);
    expect(library.compiler).toBeNull();
    expect(files.map(({ name }) => name)).toEqual([library.source.file]);
    expect(library.source.file).toMatch(/^plain-[0-9a-f]{12}\.cu$/);
    expect(provider).toContain("at the first load");
  });
});

const compiler = findCudaCompiler();

const bytes = "transform Bytes(W: [out, in]) {\n  frozen Q: int8 [out, in] block 32 = W\n  weight = Q\n}\n";

/** The widest kernels of a few transforms, each set of formats once, of one number type. */
function variedPrograms(): readonly DeviceProgram[] {
  const files = ["dsee", "nm", "monarch", "lq_lora"];
  const listed = files.map((file) => {
    const [first] = planForDevice(join("stdlib", `${file}.spx`), ["bf16"]).values();
    return first?.devices.programs ?? [];
  });
  const all = [...listed, devicesOf(bytes, ["bf16"]).programs].flatMap((programs) => {
    return programs.filter(
      ({ name, parameters }) =>
        // Of few tokens only what has the most tiles on their way: those found by bitmaps.
        (!/_(?:t1|t8|stream16)$/.test(name) ||
          parameters.some((parameter) => parameter.name.endsWith("masks"))) &&
        (!name.includes("_backward_") || name.includes("gradient")),
    );
  });
  const formats = ({ name: kernel, parameters }: DeviceProgram): string => {
    const buffers = parameters.flatMap(({ kind, name }) =>
      kind === "buffer" ? [name.replace(/^.*_/, "")] : [],
    );
    return [kernel.replace(/^.*_/, ""), ...buffers].join();
  };
  return [...new Map(all.map((program) => [formats(program), program])).values()];
}

describe.skipIf(compiler === null)("nvcc, where it is installed", () => {
  it("makes images for both architectures without spills, stack or local memory", {
    timeout: 240_000,
  }, async () => {
    if (compiler === null) return;
    const programs = variedPrograms();
    for (const buffer of ["masks", "kept", "codes", "indices", "table"])
      expect(programs.some(({ parameters }) => parameters.some(({ name }) => name.endsWith(buffer)))).toBe(
        true,
      );
    const compiled = await compileCuda(printCuda("varied", programs), compiler);
    if (compiled.kind === "failure") throw new Error(compiled.problems[0]?.message);
    expect(compiled.images.map(({ kind, architecture }) => `${architecture}.${kind}`)).toEqual([
      "sm_90a.cubin",
      "sm_80.cubin",
      "sm_80.ptx",
    ]);
    const frames = [
      ...compiled.report.matchAll(
        /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/g,
      ),
    ];
    expect(frames).toHaveLength(2 * programs.length);
    expect(frames.filter((frame) => frame.slice(1).some((bytes) => bytes !== "0"))).toEqual([]);
    expect(compiled.report).not.toMatch(/lmem/);
    const ptx = new TextDecoder().decode(compiled.images.at(-1)?.bytes);
    for (const instruction of [/mma\.sp(::ordered_metadata)?\.sync/, /ldmatrix\.sync/, /cp\.async\.cg/])
      expect(ptx).toMatch(instruction);
  });

  it("refuses what is no CUDA with its own words", { timeout: 60_000 }, async () => {
    if (compiler === null) return;
    const compiled = await compileCuda("this is no program", compiler);
    expect(compiled).toMatchObject({ kind: "failure", problems: [{ code: "SPX7008" }] });
  });
});
