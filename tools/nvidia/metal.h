// The part of Metal's language that spirv-cross writes for compute kernels, for clang's CUDA mode without CUDA's headers.
#pragma once

#define __device__ __attribute__((device))
#define __global__ __attribute__((global))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define BOTH __attribute__((device)) __attribute__((host)) __attribute__((always_inline)) inline
#define EACH(N, expression) for (int i = 0; i < N; i++) expression

typedef unsigned int uint;

template <class T, int N> struct Vector;

template <class T> struct alignas(2 * sizeof(T)) Vector<T, 2> {
  T x, y;
  Vector() = default;
  BOTH Vector(T a) : x(a), y(a) {}
  BOTH Vector(T a, T b) : x(a), y(b) {}
  template <class U> BOTH explicit Vector(Vector<U, 2> v) : x((T)v.x), y((T)v.y) {}
  BOTH T &operator[](uint i) { return (&x)[i]; }
  BOTH const T &operator[](uint i) const { return (&x)[i]; }
  template <int... I> BOTH Vector<T, sizeof...(I)> swizzle() const { return {(*this)[I]...}; }
};

template <class T> struct alignas(4 * sizeof(T)) Vector<T, 3> {
  T x, y, z;
  Vector() = default;
  BOTH Vector(T a) : x(a), y(a), z(a) {}
  BOTH Vector(T a, T b, T c) : x(a), y(b), z(c) {}
  template <class U> BOTH explicit Vector(Vector<U, 3> v) : x((T)v.x), y((T)v.y), z((T)v.z) {}
  BOTH T &operator[](uint i) { return (&x)[i]; }
  BOTH const T &operator[](uint i) const { return (&x)[i]; }
  template <int... I> BOTH Vector<T, sizeof...(I)> swizzle() const { return {(*this)[I]...}; }
};

template <class T> struct alignas(4 * sizeof(T)) Vector<T, 4> {
  T x, y, z, w;
  Vector() = default;
  BOTH Vector(T a) : x(a), y(a), z(a), w(a) {}
  BOTH Vector(T a, T b, T c, T d) : x(a), y(b), z(c), w(d) {}
  template <class U> BOTH explicit Vector(Vector<U, 4> v) : x((T)v.x), y((T)v.y), z((T)v.z), w((T)v.w) {}
  BOTH T &operator[](uint i) { return (&x)[i]; }
  BOTH const T &operator[](uint i) const { return (&x)[i]; }
  template <int... I> BOTH Vector<T, sizeof...(I)> swizzle() const { return {(*this)[I]...}; }
};

template <class T> struct Same {
  typedef T type;
};

#define ARITHMETIC(op)                                                                                                \
  template <class T, int N> BOTH Vector<T, N> operator op(Vector<T, N> a, Vector<T, N> b) {                           \
    EACH(N, a[i] = a[i] op b[i]);                                                                                     \
    return a;                                                                                                         \
  }                                                                                                                   \
  template <class T, int N> BOTH Vector<T, N> operator op(Vector<T, N> a, typename Same<T>::type b) {                 \
    return a op Vector<T, N>(b);                                                                                      \
  }                                                                                                                   \
  template <class T, int N> BOTH Vector<T, N> operator op(typename Same<T>::type a, Vector<T, N> b) {                 \
    return Vector<T, N>(a) op b;                                                                                      \
  }                                                                                                                   \
  template <class T, int N> BOTH Vector<T, N> &operator op##=(Vector<T, N> &a, Vector<T, N> b) { return a = a op b; }
ARITHMETIC(+)
ARITHMETIC(-)
ARITHMETIC(*)
ARITHMETIC(/)
ARITHMETIC(%)
ARITHMETIC(&)
ARITHMETIC(|)
ARITHMETIC(^)
ARITHMETIC(<<)
ARITHMETIC(>>)

#define COMPARISON(op)                                                                                                \
  template <class T, int N> BOTH Vector<bool, N> operator op(Vector<T, N> a, Vector<T, N> b) {                        \
    Vector<bool, N> c;                                                                                                \
    EACH(N, c[i] = a[i] op b[i]);                                                                                     \
    return c;                                                                                                         \
  }
COMPARISON(<)
COMPARISON(>)
COMPARISON(<=)
COMPARISON(>=)
COMPARISON(==)
COMPARISON(!=)

template <class T, int N> BOTH Vector<T, N> operator-(Vector<T, N> a) { return Vector<T, N>(T(0)) - a; }
template <class T, int N> BOTH Vector<T, N> operator~(Vector<T, N> a) { EACH(N, a[i] = ~a[i]); return a; }
template <int N> BOTH Vector<bool, N> operator!(Vector<bool, N> a) { EACH(N, a[i] = !a[i]); return a; }

// C columns of R rows.
template <int C, int R> struct Matrix {
  typedef Vector<float, R> Column;
  Column columns[C];
  Matrix() = default;
  BOTH Matrix(Column a, Column b) : columns{a, b} {}
  BOTH Matrix(Column a, Column b, Column c) : columns{a, b, c} {}
  BOTH Matrix(Column a, Column b, Column c, Column d) : columns{a, b, c, d} {}
  BOTH Column &operator[](uint i) { return columns[i]; }
  BOTH const Column &operator[](uint i) const { return columns[i]; }
};
template <int C, int R> BOTH Matrix<C, R> operator+(Matrix<C, R> a, Matrix<C, R> b) { EACH(C, a[i] = a[i] + b[i]); return a; }
template <int C, int R> BOTH Vector<float, R> operator*(Matrix<C, R> m, Vector<float, C> v) {
  Vector<float, R> sum = m[0] * v[0];
  for (int i = 1; i < C; i++) sum += m[i] * v[i];
  return sum;
}
template <int C, int R> BOTH Matrix<R, C> transpose(Matrix<C, R> m) {
  Matrix<R, C> t;
  for (int i = 0; i < C; i++) for (int j = 0; j < R; j++) t[j][i] = m[i][j];
  return t;
}

#define VECTORS(T) typedef Vector<T, 2> T##2; typedef Vector<T, 3> T##3; typedef Vector<T, 4> T##4;
VECTORS(float)
VECTORS(int)
VECTORS(uint)
VECTORS(bool)
typedef Matrix<2, 2> float2x2;
typedef Matrix<2, 3> float2x3;
typedef Matrix<2, 4> float2x4;
typedef Matrix<3, 2> float3x2;
typedef Matrix<3, 3> float3x3;
typedef Matrix<3, 4> float3x4;
typedef Matrix<4, 2> float4x2;
typedef Matrix<4, 3> float4x3;
typedef Matrix<4, 4> float4x4;

BOTH int min(int a, int b) { return a < b ? a : b; }
BOTH int max(int a, int b) { return a > b ? a : b; }
BOTH uint min(uint a, uint b) { return a < b ? a : b; }
BOTH uint max(uint a, uint b) { return a > b ? a : b; }
__device__ inline float min(float a, float b) { return __nvvm_fmin_f(a, b); }
__device__ inline float max(float a, float b) { return __nvvm_fmax_f(a, b); }
BOTH float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
__device__ inline float sqrt(float a) { return __nvvm_sqrt_rn_f(a); }
__device__ inline float rsqrt(float a) { return __nvvm_rsqrt_approx_f(a); }
template <class T, int N> BOTH Vector<T, N> min(Vector<T, N> a, Vector<T, N> b) { EACH(N, a[i] = min(a[i], b[i])); return a; }
template <class T, int N> BOTH Vector<T, N> max(Vector<T, N> a, Vector<T, N> b) { EACH(N, a[i] = max(a[i], b[i])); return a; }
template <int N> BOTH Vector<float, N> fma(Vector<float, N> a, Vector<float, N> b, Vector<float, N> c) {
  EACH(N, c[i] = fma(a[i], b[i], c[i]));
  return c;
}
template <class T> BOTH T clamp(T a, T low, T high) { return min(max(a, low), high); }
BOTH float select(float a, float b, bool which) { return which ? b : a; }
template <class T, int N> BOTH Vector<T, N> select(Vector<T, N> a, Vector<T, N> b, Vector<bool, N> which) {
  EACH(N, a[i] = which[i] ? b[i] : a[i]);
  return a;
}
template <int N> BOTH bool all(Vector<bool, N> a) { bool r = true; EACH(N, r = r && a[i]); return r; }
template <int N> BOTH bool any(Vector<bool, N> a) { bool r = false; EACH(N, r = r || a[i]); return r; }
template <int N> BOTH float dot(Vector<float, N> a, Vector<float, N> b) { float s = 0; EACH(N, s += a[i] * b[i]); return s; }
template <class T, class U> BOTH T as_type(U from) { T to; __builtin_memcpy(&to, &from, sizeof to); return to; }

__device__ inline float exp2(float a) { return __nvvm_ex2_approx_f(a); }
__device__ inline float exp(float a) { return __nvvm_ex2_approx_f(a * 1.44269504f); }
__device__ inline float log(float a) { return __nvvm_lg2_approx_f(a) * 0.69314718f; }
BOTH float abs(float a) { return __builtin_fabsf(a); }
BOTH int abs(int a) { return a < 0 ? -a : a; }
BOTH int select(int a, int b, bool which) { return which ? b : a; }
BOTH uint select(uint a, uint b, bool which) { return which ? b : a; }
#define EACH_OF(f) template <int N> __device__ inline Vector<float, N> f(Vector<float, N> a) { EACH(N, a[i] = f(a[i])); return a; }
EACH_OF(sqrt)
EACH_OF(exp)
EACH_OF(log)
EACH_OF(abs)

// Arrays, and what a subgroup's invocations give each other.
template <class T, unsigned long N> struct spvUnsafeArray {
  T elements[N ? N : 1];
  BOTH T &operator[](uint i) { return elements[i]; }
  BOTH const T &operator[](uint i) const { return elements[i]; }
};
__device__ inline float spvSubgroupShuffleXor(float a, uint mask) {
  return __nvvm_shfl_sync_bfly_f32(-1, a, mask, 31);
}
__device__ inline float spvSubgroupBroadcast(float a, uint from) { return __nvvm_shfl_sync_idx_f32(-1, a, from, 31); }
template <int N> __device__ inline Vector<float, N> spvSubgroupShuffleXor(Vector<float, N> a, uint mask) {
  EACH(N, a[i] = spvSubgroupShuffleXor(a[i], mask));
  return a;
}

namespace precise {
using ::exp;
using ::exp2;
using ::log;
using ::clamp;
using ::max;
using ::min;
using ::rsqrt;
using ::sqrt;
}

enum class mem_flags { mem_threadgroup, mem_device };
__device__ inline void threadgroup_barrier(mem_flags) { __syncthreads(); }
__device__ inline uint3 workgroup() {
  return uint3(__nvvm_read_ptx_sreg_ctaid_x(), __nvvm_read_ptx_sreg_ctaid_y(), __nvvm_read_ptx_sreg_ctaid_z());
}
__device__ inline uint3 workgroups() {
  return uint3(__nvvm_read_ptx_sreg_nctaid_x(), __nvvm_read_ptx_sreg_nctaid_y(), __nvvm_read_ptx_sreg_nctaid_z());
}
__device__ inline uint3 local() {
  return uint3(__nvvm_read_ptx_sreg_tid_x(), __nvvm_read_ptx_sreg_tid_y(), __nvvm_read_ptx_sreg_tid_z());
}
__device__ inline uint lane() { return __nvvm_read_ptx_sreg_laneid(); }
__device__ inline uint invocation() { return __nvvm_read_ptx_sreg_tid_x(); }
