// How the tests run: one process for each file (kernels are native code, and a crash must take one file only), two at a
// time, because that is the smallest machine the suite is meant for. In CI no expected file is ever written.

import { defineConfig } from "vitest/config";

const inCi = process.env.CI !== undefined && process.env.CI !== "false";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    exclude: ["**/node_modules/**", "dist/**", "build/**"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    update: inCi ? "none" : "new",
    allowOnly: !inCi,
    passWithNoTests: false,
  },
});
