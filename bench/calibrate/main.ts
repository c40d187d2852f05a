/**
 * `npm run calibrate:rates`: builds every candidate of the calibration programs, measures each alone, and prints
 * the times beside those that compiler/targets/cpu-rates.ts predicts. Arguments: names of transforms (all when none
 * is given), `--rounds N`, `--threads N` (the rates are for two), `--json FILE`.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { renderDiagnostics } from "../../compiler/diagnostics/render-terminal.ts";
import { compileFile } from "../../compiler/driver/compile.ts";
import { nodeHost } from "../../compiler/driver/node-host.ts";
import { writeArtefact } from "../../compiler/emit/artefact-writer.ts";
import type { Manifest } from "../../runtime/contract/manifest.ts";
import { calibrationBatches, calibrationCases, calibrationSource } from "./calibration-programs.ts";
import { printCalibration } from "./calibration-table.ts";
import { type MeasuredVariant, measureVariants } from "./measure-variants.ts";

async function buildCalibration(folder: string): Promise<Manifest> {
  const entry = join(folder, "calibration.spx");
  writeFileSync(entry, calibrationSource);
  const options = {
    name: "calibration",
    runtime: "spx/runtime",
    keepIr: false,
    variants: "covering",
  } as const;
  const { compilation, artefact } = await compileFile(entry, nodeHost(), options);
  if (artefact === null) throw new Error(renderDiagnostics(compilation.diagnostics, compilation.sources));
  if (artefact.kind === "problem")
    throw new Error(artefact.problems.map(({ message }) => message).join("\n"));
  writeArtefact(folder, artefact.files, artefact.replaces);
  return artefact.manifest;
}

async function calibrate(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: "string", default: "15" },
      threads: { type: "string", default: "2" },
      json: { type: "string" },
    },
  });
  const folder = mkdtempSync(join(tmpdir(), "spx-calibration-"));
  try {
    const manifest = await buildCalibration(folder);
    const [rounds, threads] = [Number(values.rounds), Number(values.threads)];
    const options = { folder, manifest, batches: calibrationBatches, rounds, threads };
    const rows: MeasuredVariant[] = [];
    for (const { transform, numbers, sizes } of calibrationCases) {
      if (positionals.length > 0 && !positionals.includes(transform)) continue;
      for (const size of sizes) rows.push(...(await measureVariants(options, transform, numbers, size)));
    }
    if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(rows));
    console.log(printCalibration(rows));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await calibrate();
