/** Fixes of phase 5: what is declared and never read, initial values, masks. */
import {
  after,
  callWith,
  type Fix,
  type FixScene,
  fix,
  nodesIn,
  parameterNamed,
  placesOfName,
  removal,
  sameSpan,
  statementNamed,
  textAt,
  transformAround,
} from "./fix-scene.ts";

const notFrozen: Fix = (scene) => {
  const type = parameterNamed(scene, String(scene.problem.facts.name))?.type;
  const word = type === undefined ? undefined : /^frozen\s*/.exec(textAt(scene, type.span))?.[0];
  if (type === undefined || word === undefined) return [];
  const edit = { span: { ...type.span, end: type.span.start + word.length }, replacement: "" };
  return [fix("drop `frozen` when only selections and initial values read it", "safe", edit)];
};

/** Removes a declaration that nothing else in its transform names. */
const unused: Fix = (scene) => {
  const name = String(scene.problem.facts.name);
  const statement = statementNamed(scene, name);
  const isAlone = placesOfName(transformAround(scene), name).length === 1;
  const text = scene.problem.help[0]?.text ?? "remove it";
  return statement === undefined || !isAlone ? [] : [fix(text, "likely", removal(scene, statement.span))];
};

const zeroValue: Fix = (scene) => {
  const name = String(scene.problem.facts.name);
  const statement = statementNamed(scene, name);
  if (statement?.kind !== "param") return [];
  const text = `write \`= 0\` after its type, or \`init ${name} = …\``;
  return [fix(text, "likely", { span: after(statement.type.span), replacement: " = 0" })];
};

const oneValue: Fix = (scene) => {
  const statement = statementNamed(scene, String(scene.problem.facts.name));
  if (statement?.kind !== "param" || statement.value === null) return [];
  const edit = {
    span: { ...statement.span, start: statement.type.span.end, end: statement.value.span.end },
    replacement: "",
  };
  const init = transformAround(scene)?.statements.find(
    (candidate) =>
      candidate.kind === "init" && candidate.names.some(({ span }) => sameSpan(span, scene.span)),
  );
  const isSole = init?.kind === "init" && init.names.length === 1;
  return [
    fix(`keep \`init\`: remove \`= ${textAt(scene, statement.value.span)}\``, "likely", edit),
    ...(isSole ? [fix("keep the other: remove this `init`", "likely", removal(scene, init.span))] : []),
  ];
};

const weightStatement: Fix = (scene) => {
  const transform = transformAround(scene);
  if (transform === undefined || textAt(scene, transform.span).at(-1) !== "}") return [];
  const at = transform.span.end - 1;
  const edit = { span: { ...transform.span, start: at, end: at }, replacement: "  weight = …\n" };
  return [fix("end it with `weight = …`", "sketch", edit)];
};

const secondWeight: Fix = (scene) => [
  ...scene.problem.help,
  fix("or keep the first and remove this one", "likely", removal(scene, scene.span)),
];

function patternAt(scene: FixScene) {
  for (const node of nodesIn(scene.tree))
    if (node.kind === "pattern-type" && sameSpan(node.span, scene.span))
      return node as typeof node & { readonly arguments: readonly { readonly span: FixScene["span"] }[] };
  return undefined;
}

const swappedCounts: Fix = (scene) => {
  const [n, m] = patternAt(scene)?.arguments ?? [];
  const { facts } = scene.problem;
  const isSwapped = Number(facts.m) >= 1 && Number(facts.n) > Number(facts.m);
  if (n === undefined || m === undefined || !isSwapped) return [];
  const [first, second] = [textAt(scene, n.span), textAt(scene, m.span)];
  return [
    fix(
      `\`nm(n, m)\` keeps n of every m: write \`nm(${second}, ${first})\``,
      "likely",
      { span: n.span, replacement: second },
      { span: m.span, replacement: first },
    ),
  ];
};

const keptShare: Fix = (scene) => {
  const { problem, span } = scene;
  const call = callWith(scene, (candidate) => sameSpan(candidate.span, span));
  const last = call?.arguments.at(-1);
  const asksForShare = problem.help.some(({ text }) => text.startsWith("say how much to keep"));
  if (last === undefined || call?.arguments.length !== 1 || !asksForShare) return [];
  const text = `say how much to keep: \`${call.callee.name}(${textAt(scene, last.span)}, 0.5)\``;
  return [fix(text, "sketch", { span: after(last.span), replacement: ", 0.5" })];
};

export const trainingFixes: Readonly<Record<string, Fix>> = {
  SPX5001: notFrozen,
  SPX5003: zeroValue,
  SPX5004: oneValue,
  SPX5006: weightStatement,
  SPX5007: secondWeight,
  SPX5008: unused,
  SPX5101: swappedCounts,
  SPX5102: keptShare,
  SPX5103: unused,
};
