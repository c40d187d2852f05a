import { createRequire } from "node:module";
import { expect, test } from "vitest";
import { openLibrary } from "../../runtime/native/foreign-library.ts";
import { errorOf } from "./safetensors-bytes.ts";

test("where other code has settled small stacks, asynchronous calls are refused, not crashed", async () => {
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi");
  koffi.load(null).func("getpid", "int", [])();
  const processId = openLibrary(null).declare({ name: "getpid", result: "int32", parameters: [] });
  expect(processId()).toBe(process.pid);
  const error = await errorOf(() => processId.async());
  expect(error.code).toBe("SPX8311");
  expect(error.facts).toMatchObject({ expected: 8 << 20, found: 128 << 10 });
});
