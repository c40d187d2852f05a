/**
 * Densities that the layers of a model share out by their sizes: Erdős-Rényi, after Mocanu et al., "Scalable training of
 * artificial neural networks with adaptive sparse connectivity inspired by network science", 2018, with the exact total
 * and the dense layers of Evci et al., "Rigging the Lottery: Making All Tickets Winners", 2020.
 */
import type { ArgumentManifest, TransformManifest } from "../contract/manifest.ts";
import { evaluateNumber } from "../contract/number-expression.ts";
import { SpxError } from "../errors.ts";
import type { BoundArguments, GivenNumber } from "./bind-arguments.ts";
import type { PoolMember } from "./pool-cuts.ts";

export interface MatrixSize {
  readonly rows: number;
  readonly columns: number;
}

/**
 * min(1, ε (rows + columns) / (rows · columns)) of each layer, ε such that they keep `density` of all entries together.
 * Small layers may be dense; what they cannot take goes to the others.
 */
export function erdosRenyiDensities(layers: readonly MatrixSize[], density: number): number[] {
  const area = ({ rows, columns }: MatrixSize): number => rows * columns;
  const sides = ({ rows, columns }: MatrixSize): number => rows + columns;
  const total = (of: readonly MatrixSize[], size: (layer: MatrixSize) => number): number =>
    of.reduce((sum, layer) => sum + size(layer), 0);
  const budget = density * total(layers, area);
  const dense = new Set<MatrixSize>();
  for (;;) {
    const others = layers.filter((layer) => !dense.has(layer));
    const scale = (budget - total([...dense], area)) / total(others, sides);
    const full = others.filter((layer) => scale * sides(layer) > area(layer));
    for (const layer of full) dense.add(layer);
    if (full.length === 0 || dense.size === layers.length)
      return layers.map((layer) => (dense.has(layer) ? 1 : (scale * sides(layer)) / area(layer)));
  }
}

/** A layer that is about to be loaded. */
export interface AllottedLayer {
  readonly name: string;
  readonly rule: PoolMember["rule"];
  readonly transform: TransformManifest;
  /** Its number arguments, which get what is allotted. */
  readonly numbers: Map<string, GivenNumber>;
  readonly bind: () => Promise<BoundArguments>;
}

type Allotted = ArgumentManifest & { readonly kind: "number" };

/** Gives every layer its shares. @throws SpxError SPX8503 when layers that share ask for different densities. */
export async function allotDensities(layers: readonly AllottedLayer[]): Promise<void> {
  for (const transform of new Set(layers.map((layer) => layer.transform))) {
    const own = layers.filter((layer) => layer.transform === transform);
    for (const argument of transform.arguments) {
      if (argument.kind !== "number" || argument.allotment === undefined) continue;
      const rules = argument.allotment.scope === "model" ? [null] : [...new Set(own.map(({ rule }) => rule))];
      for (const rule of rules)
        await allotOne(rule === null ? own : own.filter((layer) => layer.rule === rule), argument);
    }
  }
}

async function allotOne(layers: readonly AllottedLayer[], argument: Allotted): Promise<void> {
  const { allotment, name } = argument;
  if (allotment === undefined) return;
  const sizes: MatrixSize[] = [];
  const wanted: number[] = [];
  for (const { bind } of layers) {
    const { symbols } = await bind();
    sizes.push({
      rows: evaluateNumber(allotment.rows, symbols),
      columns: evaluateNumber(allotment.columns, symbols),
    });
    wanted.push(symbols.get(name) ?? Number.NaN);
  }
  const [density = 0] = wanted;
  const other = wanted.findIndex((value) => value !== density);
  if (other !== -1) throw differing(allotment.scope, name, layers, wanted, other);
  const densities = erdosRenyiDensities(sizes, density);
  for (const [index, { numbers }] of layers.entries()) numbers.set(name, densities[index] ?? density);
}

function differing(
  scope: string,
  name: string,
  layers: readonly AllottedLayer[],
  wanted: readonly number[],
  other: number,
): SpxError {
  const [one, another] = [layers[0]?.name ?? "", layers[other]?.name ?? ""];
  const [first, second] = [wanted[0] ?? 0, wanted[other] ?? 0];
  return new SpxError(
    "SPX8503",
    `the ${scope} shares out \`${name}\`, and \`${one}\` asks for ${first}, \`${another}\` for ${second}`,
    {
      facts: { argument: name, layers: [one, another], first, other: second },
      help: "give all its layers the same density, or use `pool: group`",
    },
  );
}
