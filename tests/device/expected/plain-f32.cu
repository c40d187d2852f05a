// Kernels of plain.spx.

extern "C" __device__ const int spx_abi_version = 6;

static __device__ __forceinline__ void load_16(float* to, const void* from) {
  const float4 v = *(const float4*)from;
  to[0] = v.x; to[1] = v.y; to[2] = v.z; to[3] = v.w;
}

// y = W_panels · x
// one token
extern "C" __global__ void __launch_bounds__(256, 1)
Plain_separate_1_y_f32_t1(float* __restrict__ y,
    const int out,
    const int in,
    const float* __restrict__ x,
    const int batch,
    const float* __restrict__ W_panels_values) {
  __shared__ __align__(128) float staged[256];
  __shared__ __align__(128) float partial[256];
  const int lane = (int)threadIdx.x % 32;
  const int warp = (int)threadIdx.x / 32;
  const int column = lane % 16;
  const int panels = (out + 15) / 16;
  const int pairs = (panels + 1) / 2;
  const int wanted = (int)blockIdx.x % pairs * 2 + lane / 16;
  const int first_token = (int)blockIdx.x / pairs;
  const int panel = min(wanted, panels - 1);
  const int first_row = panel * 16;
  const int last_token = batch - 1;
  float sums[1] = {};
  const long long panel_start = (long long)panel * (long long)in * 16ll + (long long)column;
  const int chunks = (in + 31) / 32;
  const int home = warp * 32;
  for (int c = warp; c < chunks; c += 8) {
    const int first = c * 32;
    const int mine = first + lane;
    staged[home + lane] = mine < in ? x[(long long)min(first_token, last_token) * (long long)in + (long long)mine] : 0.0f;
    __syncwarp();
    if (first + 32 <= in) {
      for (int k = 0; k < 32; k += 32) {
        float w[32] = {};
        #pragma unroll
        for (int j = 0; j < 32; j++) {
          w[j] = W_panels_values[panel_start + (long long)((first + k + j) * 16)];
        }
        float xs[4] = {};
        #pragma unroll
        for (int q = 0; q < 8; q++) {
          load_16(xs, &staged[home + k + q * 4]);
          #pragma unroll
          for (int j_2 = 0; j_2 < 4; j_2++) {
            sums[0] = fmaf(w[q * 4 + j_2], xs[j_2], sums[0]);
          }
        }
      }
    } else {
      for (int k_2 = 0; k_2 < in - first; k_2++) {
        const float weight = W_panels_values[panel_start + (long long)((first + k_2) * 16)];
        sums[0] = fmaf(weight, staged[home + k_2], sums[0]);
      }
    }
    __syncwarp();
  }
  partial[warp * 32 + lane] = sums[0];
  __syncthreads();
  const int row = first_row + column;
  const bool is_row = wanted < panels && column < out - first_row;
  for (int t = warp; t < 1; t += 8) {
    const int token = first_token + t;
    if (is_row && token < batch) {
      float total = 0.0f;
      #pragma unroll
      for (int w_2 = 0; w_2 < 8; w_2++) {
        total = total + partial[(w_2 + t) * 32 + lane];
      }
      const long long at = (long long)token * (long long)out + (long long)row;
      y[at] = total;
    }
  }
}

// y = W_panels · x
// 2 to 16 tokens
extern "C" __global__ void __launch_bounds__(256, 1)
Plain_separate_1_y_f32_t8(float* __restrict__ y,
    const int out,
    const int in,
    const float* __restrict__ x,
    const int batch,
    const float* __restrict__ W_panels_values) {
  __shared__ __align__(128) float staged[2048];
  __shared__ __align__(128) float partial[2048];
  const int lane = (int)threadIdx.x % 32;
  const int warp = (int)threadIdx.x / 32;
  const int column = lane % 16;
  const int panels = (out + 15) / 16;
  const int pairs = (panels + 1) / 2;
  const int wanted = (int)blockIdx.x % pairs * 2 + lane / 16;
  const int first_token = (int)blockIdx.x / pairs * 8;
  const int panel = min(wanted, panels - 1);
  const int first_row = panel * 16;
  const int last_token = batch - 1;
  float sums[8] = {};
  const long long panel_start = (long long)panel * (long long)in * 16ll + (long long)column;
  const int chunks = (in + 31) / 32;
  const int home = warp * 256;
  for (int c = warp; c < chunks; c += 8) {
    const int first = c * 32;
    const int mine = first + lane;
    #pragma unroll
    for (int t = 0; t < 8; t++) {
      staged[home + t * 32 + lane] = mine < in ? x[(long long)min(first_token + t, last_token) * (long long)in + (long long)mine] : 0.0f;
    }
    __syncwarp();
    if (first + 32 <= in) {
      for (int k = 0; k < 32; k += 16) {
        float w[16] = {};
        #pragma unroll
        for (int j = 0; j < 16; j++) {
          w[j] = W_panels_values[panel_start + (long long)((first + k + j) * 16)];
        }
        #pragma unroll
        for (int t_2 = 0; t_2 < 8; t_2++) {
          float xs[4] = {};
          #pragma unroll
          for (int q = 0; q < 4; q++) {
            load_16(xs, &staged[home + t_2 * 32 + k + q * 4]);
            #pragma unroll
            for (int j_2 = 0; j_2 < 4; j_2++) {
              sums[t_2] = fmaf(w[q * 4 + j_2], xs[j_2], sums[t_2]);
            }
          }
        }
      }
    } else {
      for (int k_2 = 0; k_2 < in - first; k_2++) {
        const float weight = W_panels_values[panel_start + (long long)((first + k_2) * 16)];
        #pragma unroll
        for (int t_3 = 0; t_3 < 8; t_3++) {
          sums[t_3] = fmaf(weight, staged[home + t_3 * 32 + k_2], sums[t_3]);
        }
      }
    }
    __syncwarp();
  }
  #pragma unroll
  for (int t_4 = 0; t_4 < 8; t_4++) {
    partial[(warp * 8 + t_4) * 32 + lane] = sums[t_4];
  }
  __syncthreads();
  const int row = first_row + column;
  const bool is_row = wanted < panels && column < out - first_row;
  for (int t_5 = warp; t_5 < 8; t_5 += 8) {
    const int token = first_token + t_5;
    if (is_row && token < batch) {
      float total = 0.0f;
      #pragma unroll
      for (int w_2 = 0; w_2 < 8; w_2++) {
        total = total + partial[(w_2 * 8 + t_5) * 32 + lane];
      }
      const long long at = (long long)token * (long long)out + (long long)row;
      y[at] = total;
    }
  }
}

// y = W_panels · x
// from 17 tokens on
extern "C" __global__ void __launch_bounds__(128, 1)
Plain_separate_1_y_f32_t32(float* __restrict__ y,
    const int out,
    const int in,
    const float* __restrict__ x,
    const int batch,
    const float* __restrict__ W_panels_values) {
  __shared__ __align__(128) float staged[4096];
  __shared__ __align__(128) float partial[4096];
  const int lane = (int)threadIdx.x % 32;
  const int warp = (int)threadIdx.x / 32;
  const int column = lane % 16;
  const int panels = (out + 15) / 16;
  const int pairs = (panels + 1) / 2;
  const int wanted = (int)blockIdx.x % pairs * 2 + lane / 16;
  const int first_token = (int)blockIdx.x / pairs * 32;
  const int panel = min(wanted, panels - 1);
  const int first_row = panel * 16;
  const int last_token = batch - 1;
  float sums[32] = {};
  const long long panel_start = (long long)panel * (long long)in * 16ll + (long long)column;
  const int chunks = (in + 31) / 32;
  const int home = warp * 1024;
  for (int c = warp; c < chunks; c += 4) {
    const int first = c * 32;
    const int mine = first + lane;
    #pragma unroll
    for (int t = 0; t < 32; t++) {
      staged[home + t * 32 + lane] = mine < in ? x[(long long)min(first_token + t, last_token) * (long long)in + (long long)mine] : 0.0f;
    }
    __syncwarp();
    if (first + 32 <= in) {
      for (int k = 0; k < 32; k += 4) {
        float w[4] = {};
        #pragma unroll
        for (int j = 0; j < 4; j++) {
          w[j] = W_panels_values[panel_start + (long long)((first + k + j) * 16)];
        }
        #pragma unroll
        for (int t_2 = 0; t_2 < 32; t_2++) {
          float xs[4] = {};
          load_16(xs, &staged[home + t_2 * 32 + k]);
          #pragma unroll
          for (int j_2 = 0; j_2 < 4; j_2++) {
            sums[t_2] = fmaf(w[j_2], xs[j_2], sums[t_2]);
          }
        }
      }
    } else {
      for (int k_2 = 0; k_2 < in - first; k_2++) {
        const float weight = W_panels_values[panel_start + (long long)((first + k_2) * 16)];
        #pragma unroll
        for (int t_3 = 0; t_3 < 32; t_3++) {
          sums[t_3] = fmaf(weight, staged[home + t_3 * 32 + k_2], sums[t_3]);
        }
      }
    }
    __syncwarp();
  }
  #pragma unroll
  for (int t_4 = 0; t_4 < 32; t_4++) {
    partial[(warp * 32 + t_4) * 32 + lane] = sums[t_4];
  }
  __syncthreads();
  const int row = first_row + column;
  const bool is_row = wanted < panels && column < out - first_row;
  for (int t_5 = warp; t_5 < 32; t_5 += 4) {
    const int token = first_token + t_5;
    if (is_row && token < batch) {
      float total = 0.0f;
      #pragma unroll
      for (int w_2 = 0; w_2 < 4; w_2++) {
        total = total + partial[(w_2 * 32 + t_5) * 32 + lane];
      }
      const long long at = (long long)token * (long long)out + (long long)row;
      y[at] = total;
    }
  }
}
