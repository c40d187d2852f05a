/** Which code of an artefact a device runs, what is refused, and every call of the driver failing once. */
import { existsSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { openCudaDevice } from "../../../runtime/device/cuda/cuda-device.ts";
import { tensor } from "../../../runtime/tensor/tensor.ts";
import { laterCodeOf } from "../thrown-error.ts";
import { writeSampleArtefact } from "./device-sample.ts";
import {
  checkedEachTest,
  close,
  dense,
  fake,
  folder,
  give,
  inputs,
  load,
  manifest,
  noise,
  out,
  product,
  start,
  transformOf,
  W,
} from "./sample-layer.ts";

checkedEachTest();

test.each([
  [{ major: 8, minor: 6 }, "cubin sm_80"],
  [{ major: 9, minor: 0 }, "cubin sm_90a"],
  [{ major: 12, minor: 0 }, "ptx sm_80"],
])("on %j the image is %s", async (settings, origin) => {
  openCudaDevice().close();
  start(settings);
  const layer = await load();
  give(layer);
  const there = await layer.to("cuda");
  expect(there.plan(1)[0]?.origin).toBe(origin);
  close(there.forward(noise("x", inputs)).data, product(dense(layer), noise("x", inputs)));
  there.dispose();
});

test("too old a device, images of another contract, and files that are not the artefact's", async () => {
  openCudaDevice().close();
  start({ major: 7, minor: 5 });
  const layer = await load();
  await expect(layer.to("cuda")).rejects.toThrow(
    "Fake GPU 0 has compute capability 7.5, the kernels need 8.0 or newer",
  );
  expect(await laterCodeOf(() => layer.to("cuda"))).toBe("SPX8703");
  openCudaDevice().close();
  start();
  expect(
    await laterCodeOf(async () => (await load({}, { ...manifest, abi: manifest.abi + 1 })).to("cuda")),
  ).toBe("SPX8201");
  const damaged = mkdtempSync(join(folder, "damaged-"));
  const other = writeSampleArtefact(damaged, [["cubin", "sm_90a"]]);
  const there = () => transformOf(other, damaged).load({ W, nnz: 9, device: "cuda" });
  writeFileSync(join(damaged, "sample.sm_90a.cubin"), "something else");
  expect(await laterCodeOf(there)).toBe("SPX8103");
  rmSync(join(damaged, "sample.sm_90a.cubin"));
  expect(await laterCodeOf(there)).toBe("SPX8301");
  close(layer.forward(noise("x", inputs)).data, product(dense(layer), noise("x", inputs)));
});

test("a driver that refuses an image says why", async () => {
  fake.fail("cuModuleLoadDataEx", 1, 222);
  const layer = await load();
  expect(await laterCodeOf(() => layer.to("cuda"))).toBe("SPX8704");
  const there = await layer.to("cuda");
  there.dispose();
});

test("source alone is compiled once for each architecture and text, and a damaged copy anew", async () => {
  const place = mkdtempSync(join(folder, "source-"));
  const source = writeSampleArtefact(place, []);
  const layer = await transformOf(source, place).load({ W, nnz: 9 });
  const compiled = (): string[] => fake.log().filter((line) => line.startsWith("nvrtcCompileProgram"));
  const run = async (): Promise<string> => {
    const there = await layer.to("cuda");
    close(there.forward(noise("x", inputs)).data, product(dense(layer), noise("x", inputs)));
    const { origin } = there.plan(1)[0] ?? { origin: "" };
    there.dispose();
    openCudaDevice().close();
    return origin;
  };
  expect(await run()).toBe("compiled for sm_90a");
  expect(compiled()).toEqual(["nvrtcCompileProgram --gpu-architecture=sm_90a --std=c++17"]);
  expect(await run()).toBe("compiled for sm_90a");
  expect(compiled()).toHaveLength(1);
  const cache = join(folder, "cache", "cuda");
  const [entry = ""] = readdirSync(cache);
  truncateSync(join(cache, entry), 100);
  const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
  expect(await run()).toBe("compiled for sm_90a");
  expect(compiled()).toHaveLength(2);
  expect(String(warn.mock.calls[0]?.[0])).toContain("are damaged; they are compiled anew");
  start({ major: 8, minor: 9 });
  expect(await run()).toBe("compiled for sm_89");
  expect(readdirSync(cache)).toHaveLength(2);
  // A cache that cannot be written is said and costs time only.
  process.env.SPX_CACHE = join(place, "sample.cu");
  start();
  expect(await run()).toBe("compiled for sm_90a");
  expect(String(warn.mock.calls[1]?.[0])).toContain("cannot be kept");
  process.env.SPX_CACHE = join(folder, "cache");
  warn.mockRestore();
  start();
});

test("source that does not compile, and no compiler", async () => {
  const place = mkdtempSync(join(folder, "broken-"));
  const broken = writeSampleArtefact(place, [], "#error not today\n");
  const there = () => transformOf(broken, place).load({ W, nnz: 9, device: "cuda" });
  await expect(there()).rejects.toThrow("kernels.cu(1): error: #error directive");
  expect(await laterCodeOf(there)).toBe("SPX8710");
  process.env.SPX_NVRTC = join(place, "libnvrtc.so");
  try {
    expect(await laterCodeOf(there)).toBe("SPX8709");
  } finally {
    process.env.SPX_NVRTC = fake.path;
  }
  expect(existsSync(join(place, "libnvrtc.so"))).toBe(false);
});

test("whatever call fails: an error with a code, the layer on the host goes on, everything is given back", async () => {
  const layer = await load();
  give(layer);
  const [x, dy] = [noise("x", 2 * inputs), noise("dy", 2 * out)];
  const work = async (): Promise<void> => {
    try {
      const there = await layer.to("cuda");
      try {
        close(there.forward(x).data, product(dense(layer), x));
        await there.forwardAsync(x);
        there.backward(x, dy);
        const device = openCudaDevice();
        const given = device.uploadSync(tensor("f32", [2, inputs], x));
        try {
          there.forward(given).dispose();
        } finally {
          given.dispose();
        }
      } finally {
        there.dispose();
      }
    } finally {
      openCudaDevice().close();
    }
  };
  openCudaDevice().close();
  start();
  await work();
  const calls = fake.callCount();
  expect(calls).toBeGreaterThan(80);
  let failures = 0;
  for (const status of [2, 719]) {
    for (let call = 1; call <= calls; call++) {
      start();
      fake.failAt(call, status);
      const code = await laterCodeOf(work);
      if (code !== "nothing was thrown") failures++;
      expect(["nothing was thrown", "SPX8705", "SPX8707"]).toContain(code);
      expect(fake.faults(), `call ${call} gave ${status}`).toBe("");
      const which = fake.log()[call - 1] ?? "";
      fake.heal();
      if (status < 700 && !/Destroy|Free|Release|Unload|SetCurrent none/.test(which))
        expect(fake.alive(), `call ${call} gave ${status}: ${which}`).toBe("");
      close(layer.forward(x).data, product(dense(layer), x));
    }
  }
  expect(failures).toBeGreaterThan(120);
  start();
}, 60_000);
