/** Code → what mends it, for the codes whose fix needs the text around the mistake. */
import type { Fix } from "./fix-scene.ts";
import { nameFixes } from "./name-fixes.ts";
import { shapeFixes } from "./shape-fixes.ts";
import { trainingFixes } from "./training-fixes.ts";
import { typeFixes } from "./type-fixes.ts";

export const fixTable: Readonly<Record<string, Fix>> = {
  ...nameFixes,
  ...typeFixes,
  ...shapeFixes,
  ...trainingFixes,
};
