/** The driver's structure for launches in clusters. Stands by itself, because its layout is that of the driver's headers. */
import { addressOf } from "../../native/foreign-library.ts";
import { driverConstants } from "./driver-functions.ts";

/** CUlaunchConfig with one CUlaunchAttribute, the size of the clusters. */
export function clusterConfiguration(
  sizes: readonly number[],
  cluster: number,
): { readonly configuration: Uint8Array; readonly setStream: (stream: bigint) => void } {
  const attribute = new Uint8Array(72);
  const attributeView = new DataView(attribute.buffer);
  attributeView.setUint32(0, driverConstants.CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION, true);
  [cluster, 1, 1].forEach((size, axis) => void attributeView.setUint32(8 + 4 * axis, size, true));
  const configuration = new Uint8Array(56);
  const view = new DataView(configuration.buffer);
  sizes.forEach((size, index) => void view.setUint32(4 * index, size, true));
  view.setBigUint64(40, addressOf(attribute), true);
  view.setUint32(48, 1, true);
  const setStream = (stream: bigint): void => {
    // The configuration holds the bare address of the attribute, which this function keeps reachable.
    view.setBigUint64(40, addressOf(attribute), true);
    view.setBigUint64(32, stream, true);
  };
  return { configuration, setStream };
}
