/** The verifier of plans: sentences that must hold for a variant, a step, an operand or the merge. */
import { type FormatName, isCoded } from "../../runtime/contract/operand-format.ts";
import { sameDimension } from "../types/dimension.ts";
import { addsToWritten, memoryOf, overwritesNothing, tilingOf } from "./activation-parts.ts";
import type { Activation, Layout, Operand, Plan, Step, StepTerm, Variant } from "./plan.ts";
import { verifyBackward } from "./verify-backward.ts";

/** Atom and layout → formats its kernel reads. */
const legalFormats: Readonly<Record<StepTerm["atom"], Readonly<Record<Layout, readonly FormatName[]>>>> = {
  dense: {
    "lane-output": ["panel16", "table4-panel16", "int8-panel16", "bf16-panel16"],
    "lane-token": ["panel16", "table4-panel16", "int8-panel16", "bf16-panel16"],
  },
  nm: { "lane-output": ["nm-lanes"], "lane-token": ["nm-rows"] },
  sparse: { "lane-output": ["mixed-ell"], "lane-token": ["csr"] },
  block: { "lane-output": [], "lane-token": ["block-strips"] },
  blockdiag: { "lane-output": ["blockdiag16"], "lane-token": ["blockdiag16"] },
  diag: { "lane-output": ["vector"], "lane-token": ["vector"] },
};

const standAlone: readonly StepTerm["atom"][] = ["blockdiag", "diag"];

interface StepView {
  readonly plan: Plan;
  readonly variant: Variant;
  readonly step: Step;
  readonly before: readonly Step[];
}

const operandIn = (plan: Plan, name: string): Operand | undefined =>
  plan.operands.find((operand) => operand.name === name);
const activationIn = (variant: Variant, name: string): Activation | undefined =>
  variant.activations.find((activation) => activation.name === name);

/** Operands that the merge computes from. */
function readByMerge({ merge, variants }: Plan): readonly string[] {
  if (merge.method === "kernel") {
    return merge.terms.flatMap((term) =>
      term.kind === "operand" ? [term.operand] : [term.left, term.right],
    );
  }
  return variants
    .filter(({ name }) => name === merge.variant)
    .flatMap(({ steps }) => steps.flatMap(({ terms }) => terms.map(({ operand }) => operand)));
}

const stepLaws: readonly { readonly sentence: string; readonly holds: (view: StepView) => boolean }[] = [
  {
    sentence: "has a term, or fills a whole activation with zeros",
    holds: ({ variant, step }) =>
      step.terms.length > 0 || (!step.accumulate && activationIn(variant, step.output)?.part === undefined),
  },
  {
    sentence: "reads operands that exist",
    holds: ({ plan, step }) => step.terms.every(({ operand }) => operandIn(plan, operand) !== undefined),
  },
  {
    sentence: "writes an activation that exists",
    holds: ({ variant, step }) =>
      memoryOf(variant.activations, step.output) !== "x" && activationIn(variant, step.output) !== undefined,
  },
  {
    sentence: "reads x or what an earlier step wrote",
    holds: ({ variant: { activations }, step, before }) =>
      step.terms.every(({ input }) => {
        const memory = memoryOf(activations, input);
        return (
          memory === "x" ||
          (memory !== "y" && before.some(({ output }) => memoryOf(activations, output) === memory))
        );
      }),
  },
  {
    sentence: "adds only to what was written",
    holds: ({ variant: { activations }, step, before }) => addsToWritten(activations, step, before),
  },
  {
    sentence: "overwrites nothing",
    holds: ({ variant: { activations }, step, before }) => overwritesNothing(activations, step, before),
  },
  {
    sentence: "has formats that its atoms read in this layout",
    holds: ({ plan, variant, step }) =>
      step.terms.every(({ atom, operand }) => {
        const format = operandIn(plan, operand)?.format.name;
        return format === undefined || legalFormats[atom][variant.layout].includes(format);
      }),
  },
  {
    sentence: "transposes coded panels with a lane a token only",
    holds: ({ plan, variant, step }) =>
      step.terms.every(({ operand, transposed }) => {
        const format = operandIn(plan, operand)?.format;
        return (
          transposed !== true || (variant.layout === "lane-token" && format !== undefined && isCoded(format))
        );
      }),
  },
  {
    sentence: "leaves block-diagonal and diagonal terms alone",
    holds: ({ step }) =>
      step.terms.length === 1 || step.terms.every(({ atom }) => !standAlone.includes(atom)),
  },
  {
    sentence: "permutes the input of block-diagonal and diagonal terms only",
    holds: ({ step }) =>
      step.terms.every(
        ({ atom, inputPermutation }) => inputPermutation === null || standAlone.includes(atom),
      ),
  },
  {
    sentence: "fits its operands to its activations",
    holds: ({ plan, variant, step }) =>
      step.terms.every(({ operand, transposed, input }) => {
        const [matrix, from, to] = [
          operandIn(plan, operand),
          activationIn(variant, input),
          activationIn(variant, step.output),
        ];
        if (matrix === undefined || from === undefined || to === undefined) return true;
        const [inputs, outputs] =
          transposed === true ? [matrix.rows, matrix.columns] : [matrix.columns, matrix.rows];
        return sameDimension(inputs, from.width) && sameDimension(outputs, to.width);
      }),
  },
  {
    sentence: "permutes whole activations",
    holds: ({ variant, step }) => {
      const fits = (name: string, permutation: Step["outputPermutation"]): boolean => {
        const activation = activationIn(variant, name);
        return (
          permutation === null ||
          activation === undefined ||
          sameDimension(activation.width, permutation.size)
        );
      };
      return (
        fits(step.output, step.outputPermutation) &&
        step.terms.every(({ input, inputPermutation }) => fits(input, inputPermutation))
      );
    },
  },
];

const variantLaws: readonly {
  readonly sentence: string;
  readonly holds: (variant: Variant, plan: Plan) => boolean;
}[] = [
  {
    sentence: "reads nothing but the merged weight when it is merged",
    holds: ({ merged, steps }, plan) =>
      !merged ||
      steps.every(({ terms }) =>
        terms.every(({ operand }) => operandIn(plan, operand)?.production === "merge"),
      ),
  },
  {
    sentence: "ends by writing y",
    holds: ({ activations, steps }) => memoryOf(activations, steps.at(-1)?.output ?? "") === "y",
  },
  {
    sentence: "writes y without adding exactly once",
    holds: ({ activations, steps }) => {
      const outputs = steps.filter(({ accumulate }) => !accumulate).map(({ output }) => output);
      const ranges = activations.flatMap(({ name, width, part }) =>
        part?.of === "y" && outputs.includes(name) ? [{ offset: part.offset, width }] : [],
      );
      const size = activations.find(({ name }) => name === "y")?.width;
      const whole = outputs.filter((output) => output === "y").length;
      if (ranges.length === 0) return whole === 1;
      return whole === 0 && size !== undefined && tilingOf(ranges, size)?.length === ranges.length;
    },
  },
  {
    sentence: "has x and y as wide as the weight",
    holds: (variant, plan) => {
      const [x, y] = [activationIn(variant, "x"), activationIn(variant, "y")];
      return (
        x !== undefined &&
        y !== undefined &&
        sameDimension(x.width, plan.columns) &&
        sameDimension(y.width, plan.rows)
      );
    },
  },
  {
    sentence: "names its activations apart",
    holds: ({ activations }) => new Set(activations.map(({ name }) => name)).size === activations.length,
  },
  {
    sentence: "names its steps apart",
    holds: ({ steps }) => new Set(steps.map(({ name }) => name)).size === steps.length,
  },
  {
    sentence: "reads every intermediate activation",
    holds: ({ activations, steps }) =>
      activations.every(
        ({ name, part }) =>
          name === "x" ||
          name === "y" ||
          part !== undefined ||
          steps.some(({ terms }) => terms.some(({ input }) => memoryOf(activations, input) === name)),
      ),
  },
];

const planLaws: readonly { readonly sentence: string; readonly holds: (plan: Plan) => boolean }[] = [
  { sentence: "has a variant", holds: ({ variants }) => variants.length > 0 },
  {
    sentence: "names its variants apart",
    holds: ({ variants }) => new Set(variants.map(({ name }) => name)).size === variants.length,
  },
  {
    sentence: "names its operands apart",
    holds: ({ operands }) => new Set(operands.map(({ name }) => name)).size === operands.length,
  },
  {
    sentence:
      "forms at most one operand by merging: the panels of the whole weight, which the merge does not read",
    holds: (plan) => {
      const formed = plan.operands.filter(({ production }) => production === "merge");
      const read = readByMerge(plan);
      return (
        formed.length <= 1 &&
        formed.every(
          ({ name, format, stage, rows, columns }) =>
            format.name === "panel16" &&
            stage === "step" &&
            sameDimension(rows, plan.rows) &&
            sameDimension(columns, plan.columns) &&
            !read.includes(name),
        )
      );
    },
  },
  {
    sentence: "merges operands that exist, products of panels, or through a lane-output variant",
    holds: ({ merge, operands, variants }) => {
      if (merge.method === "identity") {
        return variants.some(
          ({ name, layout, merged }) => name === merge.variant && layout === "lane-output" && !merged,
        );
      }
      const format = (name: string): FormatName | undefined =>
        operands.find((operand) => operand.name === name)?.format.name;
      return merge.terms.every((term) => {
        if (term.kind === "product")
          return format(term.left) === "panel16" && format(term.right) === "panel16";
        const found = format(term.operand);
        return found !== undefined && legalFormats[term.atom]["lane-output"].includes(found);
      });
    },
  },
];

/** Broken laws as sentences; empty when all hold. */
export function verifyPlan(plan: Plan): readonly string[] {
  const broken = (owner: string, sentence: string): string =>
    `${plan.transform}: ${owner} breaks "${sentence}"`;
  const ofPlan = planLaws.filter((law) => !law.holds(plan)).map((law) => broken("the plan", law.sentence));
  const ofVariants = plan.variants.flatMap((variant) => [
    ...variantLaws
      .filter((law) => !law.holds(variant, plan))
      .map((law) => broken(variant.name, law.sentence)),
    ...variant.steps.flatMap((step, index) => {
      const view: StepView = { plan, variant, step, before: variant.steps.slice(0, index) };
      return stepLaws
        .filter((law) => !law.holds(view))
        .map((law) => broken(`${variant.name}, step ${step.name}`, law.sentence));
    }),
  ]);
  return [
    ...ofPlan,
    ...ofVariants,
    ...verifyBackward(plan).map((sentence) => broken("the backward pass", sentence)),
  ];
}
