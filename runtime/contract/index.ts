/** Public entry `spx/runtime/contract`: the data that artefacts and the runtime agree on. */
export * from "./check-cuda.ts";
export * from "./cuda.ts";
export * from "./manifest.ts";
export * from "./matrix-source.ts";
export * from "./number-expression.ts";
export * from "./operand-format.ts";
export * from "./print-source.ts";
export * from "./quantized-type.ts";
export * from "./recipe.ts";
export * from "./time.ts";
