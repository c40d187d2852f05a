/** Mistakes about what follows the clocks of training: schedules, phases, refreshes. Codes SPX52xx. */
import { defineDiagnostic } from "./define-diagnostic.ts";

export const clockOutside = defineDiagnostic<{ name: string }>({
  code: "SPX5201",
  name: "clock-outside",
  severity: "error",
  summary: "a clock is read outside of a schedule, a phase and the condition of a refresh",
  message: ({ name }) => `the clock \`${name}\` can only be read by a schedule or a phase`,
  help: ({ name }) => `declare a schedule and use its name: \`schedule s: real = … ${name} …\``,
});

export const clockNameTaken = defineDiagnostic<{ name: string }>({
  code: "SPX5202",
  name: "clock-name-taken",
  severity: "error",
  summary: "a transform that follows the clocks gives the name of one to something else",
  message: ({ name }) => `\`${name}\` is a clock here and cannot name anything else`,
  help: () => "choose another name; the clocks are `step`, `epoch`, `tokens` and `progress`",
});

export const scheduleMisplaced = defineDiagnostic<{ name: string; place: string }>({
  code: "SPX5203",
  name: "schedule-misplaced",
  severity: "error",
  summary: "a number that changes while a layer is trained stands where one is fixed at load",
  message: ({ name, place }) => `\`${name}\` follows the clocks and cannot be ${place}`,
  help: () => "sizes are fixed when a layer is loaded: use an argument",
});

export const scheduleReadOnce = defineDiagnostic<{ name: string; schedule: string }>({
  code: "SPX5204",
  name: "schedule-read-once",
  severity: "error",
  summary: "a value that is computed once reads a number that follows the clocks",
  message: ({ name, schedule }) =>
    `\`${name}\` is computed once, at load, and would never follow \`${schedule}\``,
});

export const scheduleOutOfRange = defineDiagnostic<{
  name: string;
  value: string;
  when: string;
  expected: string;
}>({
  code: "SPX5205",
  name: "schedule-out-of-range",
  severity: "error",
  summary: "a schedule leaves the range of its type",
  message: ({ name, value, when, expected }) => `\`${name}\` is ${value} at ${when}, expected ${expected}`,
  help: ({ expected }) =>
    expected === "a whole number"
      ? "round it with `round` or `floor`, or change its type"
      : "clamp it with `min` and `max`, or change its type",
});

export const phaseConstant = defineDiagnostic<{ name: string; holds: "always" | "never" }>({
  code: "SPX5206",
  name: "phase-constant",
  severity: "warning",
  summary: "the condition of a phase never holds, or always",
  message: ({ name, holds }) => `the phase \`${name}\` ${holds} holds`,
  help: () => "steps, epochs and tokens count from 0; progress goes from 0 to 1",
});

export const refreshUnknown = defineDiagnostic<{ name: string }>({
  code: "SPX5207",
  name: "refresh-unknown",
  severity: "error",
  summary: "a refresh names something that is not chosen",
  message: ({ name }) => `\`${name}\` is no mask or support, and cannot be chosen again`,
});

export const refreshHeld = defineDiagnostic<{ name: string; reason: string }>({
  code: "SPX5208",
  name: "refresh-held",
  severity: "error",
  summary: "something that cannot move stands on a pattern that is chosen again",
  message: ({ name, reason }) => `\`${name}\` cannot be chosen again: ${reason}`,
  help: () => "leave the refresh out, or give it a pattern on which only params of this layer live",
});

export const clockUnread = defineDiagnostic<{ name: string }>({
  code: "SPX5209",
  name: "clock-unread",
  severity: "warning",
  summary: "a schedule or a phase reads no clock",
  message: ({ name }) => `\`${name}\` reads no clock and never changes`,
  help: () => "write `let`, or read `step`, `epoch`, `tokens` or `progress`",
});

export const patternLeftBehind = defineDiagnostic<{ name: string; from: string }>({
  code: "SPX5210",
  name: "pattern-left-behind",
  severity: "warning",
  summary: "a pattern is made of one that is chosen again, and is not chosen again itself",
  message: ({ name, from }) => `\`${name}\` is made of \`${from}\` at load and does not follow its refreshes`,
  help: ({ name, from }) => `write \`refresh ${name} every …\` after that of \`${from}\``,
});
