/** The text of one LLVM module while it grows: functions, declarations of intrinsics and numbered metadata. */

export interface IrModule {
  readonly functions: string[];
  /** Each intrinsic is declared once, in order of first use. */
  readonly declarations: Set<string>;
  readonly attributes: Map<string, string>;
  readonly metadata: string[];
  /** References of the nodes that are not distinct, by content: equal ones are written once. */
  readonly knownMetadata: Map<string, string>;
}

export function createIrModule(): IrModule {
  return {
    functions: [],
    declarations: new Set(),
    attributes: new Map(),
    metadata: [],
    knownMetadata: new Map(),
  };
}

/** Adds a node and returns its reference. A `distinct` node may refer to itself as `!self`. */
export function addMetadata(module: IrModule, content: string, distinct = false): string {
  const known = distinct ? undefined : module.knownMetadata.get(content);
  if (known !== undefined) return known;
  const reference = `!${module.metadata.length}`;
  if (!distinct) module.knownMetadata.set(content, reference);
  module.metadata.push(
    `${reference} = ${distinct ? "distinct " : ""}!{${content.replaceAll("!self", reference)}}`,
  );
  return reference;
}

/** Reference of an attribute group; equal groups share one. */
export function attributeGroup(module: IrModule, content: string): string {
  const known = module.attributes.get(content);
  if (known !== undefined) return known;
  const reference = `#${module.attributes.size}`;
  module.attributes.set(content, reference);
  return reference;
}

/** Triple and layout of Linux on x86-64, as LLVM 14 writes them; they must agree with the target machine's. */
export const moduleHeader = `source_filename = "spx"
target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-f80:128-n8:16:32:64-S128"
target triple = "x86_64-pc-linux-gnu"
`;

export function printIrModule(module: IrModule, preamble: string): string {
  const attributes = [...module.attributes].map(
    ([content, reference]) => `attributes ${reference} = { ${content} }`,
  );
  return [
    moduleHeader,
    preamble,
    ...module.functions,
    [...module.declarations].join("\n"),
    attributes.join("\n"),
    module.metadata.join("\n"),
  ]
    .filter((part) => part !== "")
    .join("\n")
    .concat("\n");
}
