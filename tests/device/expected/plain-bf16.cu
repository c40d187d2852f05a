// Kernels of plain.spx.

extern "C" __device__ const int spx_abi_version = 6;

static __device__ __forceinline__ float low_bf16(unsigned pair) {
  return __uint_as_float(pair << 16);
}

static __device__ __forceinline__ unsigned pack_bf16(float low, float high) {
  unsigned pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

static __device__ __forceinline__ void copy_async_16(void* to, const void* from, int valid) {
  const unsigned address = (unsigned)__cvta_generic_to_shared(to);
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from), "r"(valid)
               : "memory");
}

static __device__ __forceinline__ void commit_copies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}

template <int pending>
static __device__ __forceinline__ void wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}

static __device__ __forceinline__ void load_16(unsigned* to, const void* from) {
  const uint4 v = *(const uint4*)from;
  to[0] = v.x; to[1] = v.y; to[2] = v.z; to[3] = v.w;
}

static __device__ __forceinline__ void load_streamed_16(unsigned* to, const void* from) {
  const uint4 v = __ldcs((const uint4*)from);
  to[0] = v.x; to[1] = v.y; to[2] = v.z; to[3] = v.w;
}

static __device__ __forceinline__ void multiply_m16n8k16_bf16(float* d, const unsigned* a, const unsigned* b) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// y = W_panels_bf16 · x
// 1 to 16 tokens
extern "C" __global__ void __launch_bounds__(256, 1)
Plain_separate_1_y_bf16_stream16(unsigned short* __restrict__ y,
    const int out,
    const int in,
    const unsigned short* __restrict__ x,
    const int batch,
    const unsigned short* __restrict__ W_panels_bf16_values) {
  __shared__ __align__(128) float partial[2048];
  const int lane = (int)threadIdx.x % 32;
  const int warp = (int)threadIdx.x / 32;
  const int row_groups = (out + 15) / 16;
  const int first_tile = (int)blockIdx.x % row_groups;
  const int first_token = (int)blockIdx.x / row_groups * 16;
  const int last_token = batch - 1;
  float sums[8] = {};
  const int tiles_across = (in + 31) / 32;
  const int last_tile = (out + 15) / 16 - 1;
  const bool aligned = in % 8 == 0 && 0 == 0;
  const int lane_token = lane / 4;
  for (int k = warp; k < tiles_across; k += 32) {
    unsigned a[32] = {};
    unsigned b[32] = {};
    #pragma unroll
    for (int u = 0; u < 4; u++) {
      const int tile = k + u * 8;
      if (tile < tiles_across) {
        const long long tile_start = ((long long)min(first_tile, last_tile) * (long long)tiles_across + (long long)tile) * 512ll;
        #pragma unroll
        for (int s = 0; s < 2; s++) {
          load_streamed_16(a + u * 8 + s * 4, &W_panels_bf16_values[tile_start + (long long)((s * 32 + lane) * 8)]);
        }
        #pragma unroll
        for (int n = 0; n < 2; n++) {
          const int token = min(first_token + n * 8 + lane_token, last_token);
          const int input = tile * 32 + lane % 4 * 8;
          const long long start = (long long)token * (long long)in + (long long)input;
          if (aligned && input + 8 <= in) {
            load_16(b + (u * 2 + n) * 4, &x[start]);
          } else {
            #pragma unroll
            for (int i = 0; i < 4; i++) {
              const float x_2 = input + i * 2 < in ? low_bf16(x[start + (long long)(i * 2)]) : 0.0f;
              const float x_3 = input + (i * 2 + 1) < in ? low_bf16(x[start + (long long)(i * 2 + 1)]) : 0.0f;
              b[(u * 2 + n) * 4 + i] = pack_bf16(x_2, x_3);
            }
          }
        }
      }
    }
    #pragma unroll
    for (int u_2 = 0; u_2 < 4; u_2++) {
      #pragma unroll
      for (int n_2 = 0; n_2 < 2; n_2++) {
        #pragma unroll
        for (int s_2 = 0; s_2 < 2; s_2++) {
          multiply_m16n8k16_bf16(sums + n_2 * 4, a + u_2 * 8 + s_2 * 4, b + (u_2 * 2 + n_2) * 4 + s_2 * 2);
        }
      }
    }
  }
  #pragma unroll
  for (int i_2 = 0; i_2 < 8; i_2++) {
    partial[(warp * 8 + i_2) * 32 + lane] = sums[i_2];
  }
  __syncthreads();
  for (int i_3 = warp; i_3 < 8; i_3 += 8) {
    float total = 0.0f;
    #pragma unroll
    for (int w = 0; w < 8; w++) {
      total = total + partial[(w * 8 + i_3) * 32 + lane];
    }
    const int index = i_3 % 4;
    const int eight = i_3 / 4 % 2;
    const int row_tile = first_tile + i_3 / 8;
    const int row = row_tile * 16 + (lane / 4 + index / 2 * 8);
    const int token_2 = first_token + eight * 8 + (lane % 4 * 2 + index % 2);
    if (row < out && token_2 < batch) {
      const long long at = (long long)token_2 * (long long)out + (long long)row;
      y[at] = (unsigned short)pack_bf16(total, 0.0f);
    }
  }
}

// y = W_panels_bf16 · x
// 17 to 64 tokens
extern "C" __global__ void __launch_bounds__(256, 1)
Plain_separate_1_y_bf16_stream64(unsigned short* __restrict__ y,
    const int out,
    const int in,
    const unsigned short* __restrict__ x,
    const int batch,
    const unsigned short* __restrict__ W_panels_bf16_values) {
  extern __shared__ __align__(128) unsigned char on_chip[];
  float* const partial = (float*)(on_chip + 0);
  const int lane = (int)threadIdx.x % 32;
  const int warp = (int)threadIdx.x / 32;
  const int row_groups = (out + 31) / 32;
  const int first_tile = (int)blockIdx.x % row_groups * 2;
  const int first_token = (int)blockIdx.x / row_groups * 64;
  const int last_token = batch - 1;
  float sums[64] = {};
  const int tiles_across = (in + 31) / 32;
  const int last_tile = (out + 15) / 16 - 1;
  const bool aligned = in % 8 == 0 && 0 == 0;
  const int lane_token = lane / 4;
  for (int k = warp; k < tiles_across; k += 8) {
    unsigned a[16] = {};
    unsigned b[32] = {};
    if (k < tiles_across) {
      #pragma unroll
      for (int m = 0; m < 2; m++) {
        const long long tile_start = ((long long)min(first_tile + m, last_tile) * (long long)tiles_across + (long long)k) * 512ll;
        #pragma unroll
        for (int s = 0; s < 2; s++) {
          load_streamed_16(a + m * 8 + s * 4, &W_panels_bf16_values[tile_start + (long long)((s * 32 + lane) * 8)]);
        }
      }
      #pragma unroll
      for (int n = 0; n < 8; n++) {
        const int token = min(first_token + n * 8 + lane_token, last_token);
        const int input = k * 32 + lane % 4 * 8;
        const long long start = (long long)token * (long long)in + (long long)input;
        if (aligned && input + 8 <= in) {
          load_16(b + n * 4, &x[start]);
        } else {
          #pragma unroll
          for (int i = 0; i < 4; i++) {
            const float x_2 = input + i * 2 < in ? low_bf16(x[start + (long long)(i * 2)]) : 0.0f;
            const float x_3 = input + (i * 2 + 1) < in ? low_bf16(x[start + (long long)(i * 2 + 1)]) : 0.0f;
            b[n * 4 + i] = pack_bf16(x_2, x_3);
          }
        }
      }
    }
    #pragma unroll
    for (int m_2 = 0; m_2 < 2; m_2++) {
      #pragma unroll
      for (int n_2 = 0; n_2 < 8; n_2++) {
        #pragma unroll
        for (int s_2 = 0; s_2 < 2; s_2++) {
          multiply_m16n8k16_bf16(sums + (m_2 * 8 + n_2) * 4, a + m_2 * 8 + s_2 * 4, b + n_2 * 4 + s_2 * 2);
        }
      }
    }
  }
  #pragma unroll
  for (int i_2 = 0; i_2 < 64; i_2++) {
    partial[(warp * 64 + i_2) * 32 + lane] = sums[i_2];
  }
  __syncthreads();
  for (int i_3 = warp; i_3 < 64; i_3 += 8) {
    float total = 0.0f;
    #pragma unroll
    for (int w = 0; w < 8; w++) {
      total = total + partial[(w * 64 + i_3) * 32 + lane];
    }
    const int index = i_3 % 4;
    const int eight = i_3 / 4 % 8;
    const int row_tile = first_tile + i_3 / 32;
    const int row = row_tile * 16 + (lane / 4 + index / 2 * 8);
    const int token_2 = first_token + eight * 8 + (lane % 4 * 2 + index % 2);
    if (row < out && token_2 < batch) {
      const long long at = (long long)token_2 * (long long)out + (long long)row;
      y[at] = (unsigned short)pack_bf16(total, 0.0f);
    }
  }
}

// y = W_panels_bf16 · x
// from 65 tokens on
extern "C" __global__ void __launch_bounds__(128, 2)
Plain_separate_1_y_bf16_tiles(unsigned short* __restrict__ y,
    const int out,
    const int in,
    const unsigned short* __restrict__ x,
    const int batch,
    const unsigned short* __restrict__ W_panels_bf16_values) {
  extern __shared__ __align__(128) unsigned char on_chip[];
  unsigned short* const weights = (unsigned short*)(on_chip + 0);
  unsigned short* const inputs = (unsigned short*)(on_chip + 32768);
  const int lane = (int)threadIdx.x % 32;
  const int warp = (int)threadIdx.x / 32;
  const int warp_rows = warp / 2;
  const int warp_tokens = warp % 2;
  const int blocks_across = (out + 127) / 128;
  const int first_tile = (int)blockIdx.x % blocks_across * 8;
  const int first_token = (int)blockIdx.x / blocks_across * 128;
  const int last_token = batch - 1;
  const int tiles_across = (in + 31) / 32;
  const int last_tile = (out + 15) / 16 - 1;
  const bool aligned = in % 8 == 0 && 0 == 0;
  float sums[128] = {};
  // the first stages are on their way before the first product
  #pragma unroll
  for (int ahead = 0; ahead < 3; ahead++) {
    const int home = ahead % 4 * 4096;
    if (ahead < tiles_across) {
      #pragma unroll
      for (int i = 0; i < 4; i++) {
        const int piece = i * 128 + (int)threadIdx.x;
        const int to = home + piece * 8;
        copy_async_16(&weights[to], &W_panels_bf16_values[((long long)min(first_tile + piece / 64, last_tile) * (long long)tiles_across + (long long)ahead) * 512ll + (long long)(piece % 64 * 8)], 16);
        const int input = ahead * 32 + piece % 4 * 8;
        const long long x_start = (long long)min(first_token + piece / 4, last_token) * (long long)in + (long long)input;
        if (aligned) {
          copy_async_16(&inputs[to], &x[x_start], min(max((in - input) * 2, 0), 16));
        } else {
          #pragma unroll
          for (int j = 0; j < 8; j++) {
            inputs[to + j] = (unsigned short)pack_bf16(input + j < in ? low_bf16(x[x_start + (long long)j]) : 0.0f, 0.0f);
          }
        }
      }
    }
    commit_copies();
  }
  for (int k = 0; k < tiles_across; k++) {
    wait_copies<2>();
    __syncthreads();
    const int next = k + 3;
    const int home_2 = next % 4 * 4096;
    if (next < tiles_across) {
      #pragma unroll
      for (int i_2 = 0; i_2 < 4; i_2++) {
        const int piece_2 = i_2 * 128 + (int)threadIdx.x;
        const int to_2 = home_2 + piece_2 * 8;
        copy_async_16(&weights[to_2], &W_panels_bf16_values[((long long)min(first_tile + piece_2 / 64, last_tile) * (long long)tiles_across + (long long)next) * 512ll + (long long)(piece_2 % 64 * 8)], 16);
        const int input_2 = next * 32 + piece_2 % 4 * 8;
        const long long x_start_2 = (long long)min(first_token + piece_2 / 4, last_token) * (long long)in + (long long)input_2;
        if (aligned) {
          copy_async_16(&inputs[to_2], &x[x_start_2], min(max((in - input_2) * 2, 0), 16));
        } else {
          #pragma unroll
          for (int j_2 = 0; j_2 < 8; j_2++) {
            inputs[to_2 + j_2] = (unsigned short)pack_bf16(input_2 + j_2 < in ? low_bf16(x[x_start_2 + (long long)j_2]) : 0.0f, 0.0f);
          }
        }
      }
    }
    commit_copies();
    const int home_3 = k % 4 * 4096;
    unsigned b[32] = {};
    #pragma unroll
    for (int n = 0; n < 8; n++) {
      load_16(b + n * 4, &inputs[home_3 + ((warp_tokens * 64 + n * 8 + lane / 4) * 4 + lane % 4) * 8]);
    }
    #pragma unroll
    for (int s = 0; s < 2; s++) {
      unsigned a[16] = {};
      #pragma unroll
      for (int m = 0; m < 4; m++) {
        load_16(a + m * 4, &weights[home_3 + (((warp_rows * 4 + m) * 2 + s) * 32 + lane) * 8]);
      }
      #pragma unroll
      for (int m_2 = 0; m_2 < 4; m_2++) {
        #pragma unroll
        for (int n_2 = 0; n_2 < 8; n_2++) {
          multiply_m16n8k16_bf16(sums + (m_2 * 8 + n_2) * 4, a + m_2 * 4, b + n_2 * 4 + s * 2);
        }
      }
    }
  }
  #pragma unroll
  for (int m_3 = 0; m_3 < 4; m_3++) {
    #pragma unroll
    for (int n_3 = 0; n_3 < 8; n_3++) {
      #pragma unroll
      for (int i_3 = 0; i_3 < 4; i_3++) {
        const int row = (first_tile + warp_rows * 4) * 16 + m_3 * 16 + (lane / 4 + i_3 / 2 * 8);
        const int token = first_token + warp_tokens * 64 + n_3 * 8 + (lane % 4 * 2 + i_3 % 2);
        if (row < out && token < batch) {
          const long long at = (long long)token * (long long)out + (long long)row;
          y[at] = (unsigned short)pack_bf16(sums[(m_3 * 8 + n_3) * 4 + i_3], 0.0f);
        }
      }
    }
  }
}
