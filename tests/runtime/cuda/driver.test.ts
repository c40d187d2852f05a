/** The driver's functions as declared, and what its failures become. */
import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeEach, expect, test } from "vitest";
import { cudaDevices, openCudaDevice } from "../../../runtime/device/cuda/cuda-device.ts";
import { openCudaDriver } from "../../../runtime/device/cuda/cuda-driver.ts";
import { driverConstants, driverFunctions } from "../../../runtime/device/cuda/driver-functions.ts";
import type { SpxError } from "../../../runtime/errors.ts";
import { openLibrary } from "../../../runtime/native/foreign-library.ts";
import { caught } from "../thrown-error.ts";
import { buildFakeCuda } from "./fake-cuda.ts";

const fake = buildFakeCuda();
beforeEach(() => fake.reset());
afterAll(() => fake.remove());

const header = "/usr/local/cuda/include/cuda.h";
const headers = [header, "/usr/local/cuda-13.0/include/cuda.h", "/usr/include/cuda.h"].filter(existsSync);

test.runIf(headers.length > 0)("functions and numbers are those of NVIDIA's header", () => {
  const text = readFileSync(headers[0] ?? "", "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
  for (const [name, { symbol, parameters }] of Object.entries(driverFunctions)) {
    const named = text.match(new RegExp(`CUDAAPI (?:${symbol}|${name})\\(([^)]*)\\)`));
    expect(named, symbol).not.toBeNull();
    const declared = (named?.[1] ?? "").split(",").map((parameter) => foreignTypeOf(parameter.trim()));
    expect(declared, name).toEqual(parameters);
    if (symbol !== name)
      expect(text, symbol).toMatch(new RegExp(`define ${name}\\s+(?:__CUDA_API_PTSZ\\()?${symbol}\\b`));
  }
  for (const [name, value] of Object.entries(driverConstants)) {
    const [, number = ""] = text.match(new RegExp(`\\b${name}\\s*=\\s*(0x[0-9a-f]+|\\d+)`, "i")) ?? [];
    // The header counts on from 1 where it gives no number.
    if (number !== "") expect(Number(number), name).toBe(value);
  }
});

/** How spx declares a parameter of the header. */
function foreignTypeOf(parameter: string): string {
  if (/^const char \*\w+$/.test(parameter)) return "string";
  if (/\*/.test(parameter)) return "pointer";
  const type = parameter.replace(/\s*\w+$/, "").replace(/^const /, "");
  const known: Readonly<Record<string, string>> = {
    "unsigned int": "uint32",
    "unsigned long long": "uint64",
    size_t: "size",
    int: "int32",
    CUdevice: "int32",
    CUresult: "int32",
    CUdeviceptr: "uint64",
  };
  if (known[type] !== undefined) return known[type];
  return /_attribute$|Mode$/.test(type) ? "int32" : "pointer";
}

test("a driver that is not there is an error with a way out, and is looked for again", () => {
  const error = caught(() => openCudaDriver("/nowhere/libcuda.so.1"));
  expect(error.code).toBe("SPX8701");
  expect(error.message).toContain("`/nowhere/libcuda.so.1` does not exist");
  expect(error.help).toContain("SPX_CUDA_DRIVER");
  expect(caught(() => openCudaDriver("/nowhere/libcuda.so.1")).code).toBe("SPX8701");
});

test("a library that is no driver lacks its functions", () => {
  const error = caught(() => openCudaDriver("libm.so.6"));
  expect(error.code).toBe("SPX8704");
  expect(error.facts.symbol).toBe("cuInit");
});

test.each([
  [100, "SPX8702", "no CUDA-capable device"],
  [803, "SPX8701", "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803)"],
  [34, "SPX8701", "a result that the driver does not know (34)"],
] as const)("a driver that does not start with %i", (status, code, text) => {
  const path = fake.fresh();
  openLibrary(path).declare({ name: "fake_fail", result: "void", parameters: ["string", "int64", "int32"] })(
    "cuInit",
    1,
    status,
  );
  const error = caught(() => openCudaDriver(path));
  expect(error.code).toBe(code);
  expect(error.message).toContain(text);
  expect(error.facts).toMatchObject({ call: "cuInit", status });
  // It may start later, as when a module of the kernel is loaded.
  expect(openCudaDriver(path).version).toBe(13000);
});

test("a driver that is too old", () => {
  const path = fake.fresh();
  openLibrary(path).declare({ name: "fake_set", result: "void", parameters: ["string", "int64"] })(
    "version",
    11080,
  );
  const error = caught(() => openCudaDriver(path));
  expect(error.code).toBe("SPX8704");
  expect(error.message).toContain("supports CUDA 11.8, 12.0 is needed");
});

test("devices that are not there", () => {
  fake.set({ devices: 2 });
  expect(cudaDevices({ driver: fake.path })).toEqual(["Fake GPU 0", "Fake GPU 1"]);
  for (const index of [2, -1, 0.5, Number.NaN]) {
    const error = caught(() => openCudaDevice({ driver: fake.path, index }));
    expect(error.code).toBe("SPX8702");
    expect(error.message).toContain("there are 2, counted from 0");
  }
  fake.set({ devices: 0 });
  expect(cudaDevices({ driver: fake.path })).toEqual([]);
  expect(caught(() => openCudaDevice({ driver: fake.path })).message).toContain("there is none");
});

test("a device is opened once, tells what it is, and gives everything back when it is closed", () => {
  const device = openCudaDevice({ driver: fake.path });
  expect(openCudaDevice({ driver: fake.path, index: 0 })).toBe(device);
  expect(device).toMatchObject({ name: "Fake GPU 0", capability: "9.0", driverVersion: "13.0", index: 0 });
  expect(device.memory()).toEqual({ free: 2 ** 30, total: 2 ** 30 });
  device.close();
  device.close();
  expect(fake.alive()).toBe("");
  expect(fake.faults()).toBe("");
  expect(caught(() => device.memory()).code).toBe("SPX8708");
  expect(caught(() => device.empty("f32", [1])).code).toBe("SPX8708");
  const again = openCudaDevice({ driver: fake.path });
  expect(again).not.toBe(device);
  again.close();
  expect(fake.alive()).toBe("");
});

test("whatever call fails while a device is opened, the error names it and nothing is left", () => {
  openCudaDevice({ driver: fake.path }).close();
  const calls = fake.callCount();
  expect(calls).toBeGreaterThan(10);
  let failures = 0;
  for (let call = 1; call <= calls; call++) {
    fake.reset();
    fake.failAt(call, 1);
    try {
      openCudaDevice({ driver: fake.path }).close();
    } catch (thrown) {
      failures++;
      expect((thrown as SpxError).code, fake.log().at(-1)).toBe("SPX8706");
      expect((thrown as SpxError).message).toContain("CUDA_ERROR_INVALID_VALUE (1), invalid argument");
      expect(fake.log().some((line) => line.startsWith(String((thrown as SpxError).facts.call)))).toBe(true);
      fake.heal();
      expect(fake.alive(), `call ${call} failed`).toBe("");
    }
    expect(fake.faults()).toBe("");
  }
  expect(failures).toBeGreaterThan(10);
});
