/** What the compiler may ask of the machine it runs on; implemented by the driver, and by a map of texts in tests. */

export interface CompilerHost {
  /** The text of a file, or null when there is none or it cannot be read. */
  readFile(path: string): string | null;
  /** The file that `relative` ("./masks", without extension) means in a file `from`; forward slashes. */
  resolveRelative(from: string, relative: string): string;
  /** The file of a module of the standard library ("std/select", "lora"); it need not exist. */
  resolveStandard(module: string): string;
  /** All modules of the standard library, as imports name them. */
  standardModules(): readonly string[];
}
