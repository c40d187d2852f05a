/**
 * Device functions that printed kernels call, each written where a kernel of the file needs it: what CUDA C++ without
 * headers cannot say is inline PTX. Names → text; functions that others call stand before them.
 */
import type { HalfElement, MatrixShape } from "../../device/device-node.ts";

const inline = "static __device__ __forceinline__";

/** PTX of a product of a warp: operands by number of registers. */
function product(name: string, instruction: string, right: number, sparse: boolean): string {
  const list = (first: number, count: number): string =>
    `{${Array.from({ length: count }, (_, index) => `%${first + index}`).join(", ")}}`;
  const metadata = sparse ? `, %${8 + right}, 0x0` : "";
  const text = `${instruction} ${list(0, 4)}, ${list(4, 4)}, ${list(8, right)}, ${list(0, 4)}${metadata};`;
  const words = (array: string, count: number): string =>
    Array.from({ length: count }, (_, index) => `"r"(${array}[${index}])`).join(", ");
  return [
    `${inline} void ${name}(float* d, const unsigned* a, const unsigned* b${sparse ? ", unsigned metadata" : ""}) {`,
    `  asm volatile("${text}"`,
    '               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])',
    `               : ${words("a", 4)}, ${words("b", right)}${sparse ? ', "r"(metadata)' : ""});`,
    "}",
  ].join("\n");
}

/** Places of kept inputs ascend, which compilers from CUDA 12.5 on want to be told for the full rate of newer chips. */
const sparseOrder = [
  "#ifndef SPARSE_ORDER",
  "#if __CUDACC_VER_MAJOR__ * 100 + __CUDACC_VER_MINOR__ >= 1205",
  '#define SPARSE_ORDER "::ordered_metadata"',
  "#else",
  '#define SPARSE_ORDER ""',
  "#endif",
  "#endif",
].join("\n");

const shapeNames: Readonly<Record<MatrixShape, string>> = {
  m16n8k16: "m16n8k16",
  m16n8k8: "m16n8k8",
  "m16n8k32-sparse": "m16n8k32_sparse",
};

export const productName = (shape: MatrixShape, element: HalfElement | "tf32"): string =>
  `multiply_${shapeNames[shape]}_${element}`;

const conversion = (name: string, lines: readonly string[]): string =>
  `${inline} ${name} {\n  ${lines.join("\n  ")}\n}`;

const copies = ([4, 8, 16] as const).map((bytes) => {
  const cache = bytes === 16 ? "cg" : "ca";
  return [
    `copy_async_${bytes}`,
    [
      `${inline} void copy_async_${bytes}(void* to, const void* from, int valid) {`,
      "  const unsigned address = (unsigned)__cvta_generic_to_shared(to);",
      `  asm volatile("cp.async.${cache}.shared.global [%0], [%1], ${bytes}, %2;" ::"r"(address), "l"(from), "r"(valid)`,
      '               : "memory");',
      "}",
    ].join("\n"),
  ] as const;
});

/** Vector moves for float and unsigned registers: 16, 8 or 4 bytes, read once or again. */
const vectors = (["float", "unsigned"] as const).flatMap((type) => {
  const vector = type === "float" ? "float" : "uint";
  return ([4, 2, 1] as const).flatMap((count) => {
    const fields = ["x", "y", "z", "w"].slice(0, count);
    const words = count === 1 ? type : `${vector}${count}`;
    const take =
      count === 1 ? "to[0] = v;" : fields.map((field, index) => `to[${index}] = v.${field};`).join(" ");
    const list = fields.map((_, index) => `from[${index}]`).join(", ");
    const make = count === 1 ? list : `make_${words}(${list})`;
    const name = `${count * 4}`;
    const suffix = `${name}_${type}`;
    return [
      [
        `load_${suffix}`,
        `${inline} void load_${name}(${type}* to, const void* from) {\n  const ${words} v = *(const ${words}*)from;\n  ${take}\n}`,
      ] as const,
      [
        `load_streamed_${suffix}`,
        `${inline} void load_streamed_${name}(${type}* to, const void* from) {\n  const ${words} v = __ldcs((const ${words}*)from);\n  ${take}\n}`,
      ] as const,
      [
        `store_${suffix}`,
        `${inline} void store_${name}(void* to, const ${type}* from) {\n  *(${words}*)to = ${make};\n}`,
      ] as const,
    ];
  });
});

/** Key → definition, in the order in which they are written. */
export const intrinsics: ReadonlyMap<string, string> = new Map([
  ["low_bf16", conversion("float low_bf16(unsigned pair)", ["return __uint_as_float(pair << 16);"])],
  [
    "high_bf16",
    conversion("float high_bf16(unsigned pair)", ["return __uint_as_float(pair & 0xffff0000u);"]),
  ],
  [
    "low_f16",
    conversion("float low_f16(unsigned pair)", [
      "float value;",
      'asm("{ .reg .b16 l, h; mov.b32 {l, h}, %1; cvt.f32.f16 %0, l; }" : "=f"(value) : "r"(pair));',
      "return value;",
    ]),
  ],
  [
    "high_f16",
    conversion("float high_f16(unsigned pair)", [
      "float value;",
      'asm("{ .reg .b16 l, h; mov.b32 {l, h}, %1; cvt.f32.f16 %0, h; }" : "=f"(value) : "r"(pair));',
      "return value;",
    ]),
  ],
  [
    "pack_bf16",
    conversion("unsigned pack_bf16(float low, float high)", [
      "unsigned pair;",
      'asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));',
      "return pair;",
    ]),
  ],
  [
    "pack_f16",
    conversion("unsigned pack_f16(float low, float high)", [
      "unsigned pair;",
      'asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));',
      "return pair;",
    ]),
  ],
  [
    "round_tf32",
    conversion("unsigned round_tf32(float value)", [
      "unsigned rounded;",
      'asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(value));',
      "return rounded;",
    ]),
  ],
  ...copies,
  [
    "commit_copies",
    conversion("void commit_copies()", ['asm volatile("cp.async.commit_group;" ::: "memory");']),
  ],
  [
    "wait_copies",
    `template <int pending>\n${conversion("void wait_copies()", ['asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");'])}`,
  ],
  ...vectors,
  [
    "load_matrices",
    [
      `${inline} void load_matrices(unsigned* to, const void* from) {`,
      "  const unsigned address = (unsigned)__cvta_generic_to_shared(from);",
      '  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"',
      '               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])',
      '               : "r"(address)',
      '               : "memory");',
      "}",
    ].join("\n"),
  ],
  ...(["bf16", "f16"] as const).flatMap((element) => [
    [
      productName("m16n8k16", element),
      product(
        productName("m16n8k16", element),
        `mma.sync.aligned.m16n8k16.row.col.f32.${element}.${element}.f32`,
        2,
        false,
      ),
    ] as const,
    [
      productName("m16n8k32-sparse", element),
      [
        sparseOrder,
        product(
          productName("m16n8k32-sparse", element),
          `mma.sp" SPARSE_ORDER ".sync.aligned.m16n8k32.row.col.f32.${element}.${element}.f32`,
          4,
          true,
        ),
      ].join("\n"),
    ] as const,
  ]),
  [
    productName("m16n8k8", "tf32"),
    product(productName("m16n8k8", "tf32"), "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", 2, false),
  ],
]);
