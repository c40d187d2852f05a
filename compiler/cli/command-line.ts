/**
 * The commands, their options and what `--help` says. Each command loads its code only when it is called, so that
 * `spxc check` never pays for ts-morph, the foreign-function interface or LLVM.
 */
import { Command, CommanderError, Option } from "commander";
import { packageVersion } from "../driver/package-version.ts";
import { complain, exitCodes } from "./terminal.ts";

const stages = [
  "syntax",
  "checked",
  "algebra",
  "plan",
  "loop",
  "llvm",
  "cuda",
  "module",
  "manifest",
] as const;

/** Runs `spxc` with `parameters` and gives its exit status; only output is left behind, and what the command wrote. */
export async function runCommandLine(parameters: readonly string[]): Promise<number> {
  let status: number = exitCodes.done;
  const ended = (result: number): void => {
    status = result;
  };
  try {
    await commandLine(ended).parseAsync(parameters.map(spelledOut), { from: "user" });
    return status;
  } catch (problem) {
    if (problem instanceof CommanderError) {
      return problem.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    }
    complain(
      `internal error: ${problem instanceof Error ? (problem.stack ?? problem.message) : String(problem)}`,
    );
    complain("This is a fault of spxc, not of your file. The stack above says where.");
    return exitCodes.fault;
  }
}

/** An option whose value may be left out would take the file after it for its value. */
const spelledOut = (parameter: string): string => (parameter === "--fix" ? "--fix=safe" : parameter);

function commandLine(ended: (status: number) => void): Command {
  const program = new Command("spxc")
    .description(
      "Compiles weight parameterizations written as mathematics into fast kernels and typed modules.",
    )
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .version(packageVersion(), "--version", "print the version")
    .addHelpText(
      "after",
      `
Examples:
  $ spxc check stdlib/dsee.spx                        types, dimensions, obligations
  $ spxc explain stdlib/dsee.spx --out 768 --in 768   the plan, on one screen
  $ spxc build stdlib/dsee.spx -o build               build/dsee.js, .d.ts, kernels, manifest
  $ spxc print --stage loop stdlib/lora.spx           any stage of the road as text
  $ spxc doctor                                       what is installed and what is missing

Exit codes: 0 done, 1 problems in the input or the machine, 2 wrong usage, 3 a fault of the compiler.`,
    );

  program
    .command("check")
    .description("Read and check files: names, types, dimensions, obligations.")
    .argument("<files...>", "`.spx` files")
    .option("--json", "diagnostics as JSON on standard output")
    .addOption(
      new Option(
        "--fix <trust>",
        "mend the files: spelling (safe, may be left out), or `likely` fixes too",
      ).choices(["safe", "likely"]),
    )
    .addHelpText(
      "after",
      "\nExamples:\n  $ spxc check dsee.spx lora.spx\n  $ spxc check --json model.spx\n  $ spxc check --fix model.spx\n  $ spxc check --fix=likely model.spx",
    )
    .action(async (files: string[], options: import("./commands/check.ts").CheckOptions) => {
      const { check } = await import("./commands/check.ts");
      ended(check(files, options));
    });

  program
    .command("build")
    .description("Compile a file into a module, its kernels and a manifest.")
    .argument("<file>", "`.spx` file")
    .option("-o, --output <folder>", "where the artefact goes", "build")
    .option("--runtime <specifier>", "what the module imports the runtime from", "spx/runtime")
    .option("--target <targets>", "cpu, or cuda for kernels of NVIDIA devices beside those of the CPU", "cpu")
    .option(
      "--elements <types>",
      "number types: f32, tf32, bf16, f16 on a device (f32,bf16), f32, bf16 on the CPU (f32)",
    )
    .option("--keep-ir", "leave the LLVM text beside the artefact")
    .option("--rates <table>", "what prices are made of: default, machine, or a file", "default")
    .option("--timings", "say how long each stage took")
    .addOption(
      new Option("--locked", "fail unless the plans are those of spx.lock beside the file").conflicts("lock"),
    )
    .option("--lock", "write the plans into spx.lock beside the file")
    .option("--json", "result as JSON on standard output")
    .addHelpText(
      "after",
      "\nExamples:\n  $ spxc build dsee.spx -o build\n  $ spxc build model.spx --timings\n  $ spxc build dsee.spx --target cuda --elements bf16",
    )
    .action(async (file: string, options: import("./commands/build.ts").BuildOptions) => {
      const { build } = await import("./commands/build.ts");
      ended(await build(file, options));
    });

  program
    .command("lock")
    .description(
      "Write the plans of files into spx.lock beside them; `build --locked` holds later builds to it.",
    )
    .argument("<files...>", "`.spx` files")
    .option("--rates <table>", "what prices are made of: default, machine, or a file", "default")
    .addHelpText("after", "\nExamples:\n  $ spxc lock dsee.spx\n  $ spxc build dsee.spx --locked")
    .action(async (files: string[], options: { rates: string }) => {
      const { lock } = await import("./commands/lock.ts");
      ended(await lock(files, options));
    });

  program
    .command("explain")
    .description("Show the plan of a file's transforms, or the page of a diagnostic code.")
    .argument("<subject>", "`.spx` file, or a code such as SPX4001")
    .option("-t, --transform <name>", "only this transform")
    .option("--out <n>", "output features", "768")
    .option("--in <n>", "input features", "768")
    .option(
      "-a, --argument <name=value>",
      "a number argument or dimension, e.g. r=8; may be repeated",
      collect,
    )
    .option("--rates <table>", "what prices are made of: default, machine, or a file", "default")
    .option("--level <suffix>", "instruction-set level to price for", "v4")
    .option("--target <target>", "cpu, or cuda for the plan of an NVIDIA device", "cpu")
    .option(
      "--elements <types>",
      "number types: f32, tf32, bf16, f16 on a device (f32,bf16), f32, bf16 on the CPU (f32)",
    )
    .option("--json", "the explanation as JSON: see docs/explain.md")
    .option("--html", "one page for the browser, with the cost of every variant drawn over the batch")
    .option("--why <term>", "where a tensor, a pattern or a part of the weight went, and why")
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText(
      "after",
      "\nExamples:\n  $ spxc explain dsee.spx --out 4096 --in 4096\n  $ spxc explain dsee.spx --keep 0.2 --r 8\n  $ spxc explain dsee.spx --why 'B @ A'\n  $ spxc explain dsee.spx --html > dsee.html\n  $ spxc explain dsee.spx --target cuda --elements bf16\n  $ spxc explain SPX4001",
    )
    .action(
      async (subject: string, options: import("./commands/explain.ts").ExplainOptions, command: Command) => {
        const { namedArguments } = await import("./explain-sizes.ts");
        const named = namedArguments(command.args.slice(1));
        if (named === null) {
          complain(
            `error: unexpected ${command.args.slice(1).join(" ")}; arguments are given as --name value`,
          );
          ended(exitCodes.usage);
          return;
        }
        const { explain } = await import("./commands/explain.ts");
        ended(await explain(subject, { ...options, argument: [...(options.argument ?? []), ...named] }));
      },
    );

  program
    .command("calibrate")
    .description("Measure what this machine's operations cost, for `--rates machine`.")
    .option("-o, --output <file>", "write the table there instead of into the user's cache")
    .option("--json", "the table as JSON on standard output, without progress")
    .addHelpText(
      "after",
      "\nTakes about two minutes; interrupted, it goes on where it was.\n\nExamples:\n  $ spxc calibrate\n  $ spxc explain dsee.spx --rates machine",
    )
    .action(async (options: import("./commands/calibrate.ts").CalibrateOptions) => {
      const { calibrate } = await import("./commands/calibrate.ts");
      ended(await calibrate(options));
    });

  program
    .command("print")
    .description("Print one stage of the road.")
    .argument("<file>", "`.spx` file")
    .addOption(new Option("-s, --stage <stage>", "which stage").choices([...stages]).default("plan"))
    .option("-t, --transform <name>", "only this transform")
    .option("--variant <name>", "only this variant of the plan, or `merge` (stages loop and llvm)")
    .option("--level <suffix>", "instruction-set level (stages loop and llvm)", "v4")
    .option("--elements <types>", "number types of the device (stage cuda), f32,bf16 unless given")
    .addHelpText(
      "after",
      "\nExamples:\n  $ spxc print --stage algebra dsee.spx\n  $ spxc print --stage loop --variant separate/lane-output dsee.spx",
    )
    .action(async (file: string, options: import("./commands/print.ts").PrintOptions) => {
      const { print } = await import("./commands/print.ts");
      ended(await print(file, options));
    });

  program
    .command("fmt")
    .description("Format files in place.")
    .argument("<files...>", "`.spx` files, or - for standard input")
    .option("--check", "write nothing; exit 1 when a file is not formatted")
    .addHelpText(
      "after",
      "\nExamples:\n  $ spxc fmt *.spx\n  $ spxc fmt --check stdlib/dsee.spx\n  $ cat dsee.spx | spxc fmt -",
    )
    .action(async (files: string[], options: { check?: boolean }) => {
      const { format } = await import("./commands/format.ts");
      ended(await format(files, options));
    });

  program
    .command("doctor")
    .description(
      "Say what is installed, which CPU features and devices were found, and what to do about the rest.",
    )
    .option("--json", "the report as JSON")
    .addHelpText("after", "\nExamples:\n  $ spxc doctor\n  $ spxc doctor --json")
    .action(async (options: { json?: boolean }) => {
      const { doctor } = await import("./commands/doctor.ts");
      ended(await doctor(options));
    });
  return program;
}

const collect = (value: string, earlier: readonly string[] = []): readonly string[] => [...earlier, value];
