/** Who forms the dense products of formulas: kernels of the artefact where there are any, and loops for the rest. */
import type { ProductKernels } from "../device/cpu/product-kernels.ts";
import type { SelectionPasses } from "../device/cpu/selection-passes.ts";
import type { DenseMatrix } from "../formats/matrix-value.ts";
import { multiply } from "../linalg/jacobi-svd.ts";
import type { RecipeKernels } from "../select/recipe-value.ts";
import { multiplyDense } from "./multiply-dense.ts";
import type { DenseProduct, FormProduct } from "./product-work.ts";

/** What recipes compute with: decompositions multiply, null where the artefact has no kernel for it; selections make passes. */
export const computedBy = (
  device: () => { readonly products: ProductKernels; readonly selections: SelectionPasses },
): RecipeKernels => ({
  multiply() {
    const { products } = device();
    if (!products.has("f64")) return null;
    return (left, right, rows, inner, columns) =>
      products.multiply({ left, right, rows, inner, columns }) ?? multiply(left, right, rows, inner, columns);
  },
  multiplySingle() {
    const { products } = device();
    if (!products.has("f32")) return null;
    return (left, right, rows, inner, columns, sum = new Float32Array(rows * columns)) => {
      products.addTo(sum, { left, right, rows, inner, columns });
      return sum;
    };
  },
  select: () => device().selections,
});

/** By loops, on the calling thread. */
export const formProduct: FormProduct = ({ left, right }) => multiplyDense(left, right);

const factorsOf = ({ left, right }: DenseProduct) => ({
  left: left.values,
  right: right.values,
  rows: left.rows,
  inner: left.columns,
  columns: right.columns,
});

const matrixOf = ({ left, right }: DenseProduct, values: Float32Array): DenseMatrix => ({
  kind: "dense",
  rows: left.rows,
  columns: right.columns,
  values,
});

/** By kernels, which the caller waits for. */
export const formWith =
  (products: ProductKernels): FormProduct =>
  (product) => {
    const values = products.multiply(factorsOf(product));
    return values === null ? formProduct(product) : matrixOf(product, values);
  };

/** By kernels beside the event loop. */
export const formLaterWith =
  (products: ProductKernels) =>
  async (product: DenseProduct): Promise<DenseMatrix> => {
    const values = await products.multiplyLater(factorsOf(product));
    return values === null ? formProduct(product) : matrixOf(product, values);
  };
