/* Vector types, and the few operations that the compiler's own vectors lack.

   One width per build: the flags of the build (see setup.py) decide it. The
   types carry the alignment of their elements, so that a plain C dereference is
   an unaligned load or store. GCC 12+ and Clang 15+ lower all of it well, also to
   narrower registers than the type is wide. */
#ifndef IMFILT_SIMD_H
#define IMFILT_SIMD_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

typedef float vf32 __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
typedef double vf64 __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));
typedef int32_t vi32 __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
typedef int64_t vi64 __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));
typedef uint32_t vu32 __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
typedef uint64_t vu64 __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));

/* A half-precision number as NumPy stores it; a struct, so that it is no integer type. */
typedef struct {
    uint16_t bits;
} half_t;

static inline vf32 sqrt_f32(vf32 a)
{
#if defined(__AVX512F__)
    return (vf32)_mm512_sqrt_ps((__m512)a);
#elif defined(__AVX__)
    return (vf32)_mm256_sqrt_ps((__m256)a);
#elif defined(__SSE2__)
    return (vf32)_mm_sqrt_ps((__m128)a);
#elif defined(__aarch64__)
    return (vf32)vsqrtq_f32((float32x4_t)a);
#else
    for (size_t i = 0; i < VECTOR_BYTES / sizeof(float); i++) a[i] = sqrtf(a[i]);
    return a;
#endif
}

static inline vf64 sqrt_f64(vf64 a)
{
#if defined(__AVX512F__)
    return (vf64)_mm512_sqrt_pd((__m512d)a);
#elif defined(__AVX__)
    return (vf64)_mm256_sqrt_pd((__m256d)a);
#elif defined(__SSE2__)
    return (vf64)_mm_sqrt_pd((__m128d)a);
#elif defined(__aarch64__)
    return (vf64)vsqrtq_f64((float64x2_t)a);
#else
    for (size_t i = 0; i < VECTOR_BYTES / sizeof(double); i++) a[i] = sqrt(a[i]);
    return a;
#endif
}

/* Squares leave the safe range when their mean is below SQUARE_MIN although a
   component is not zero (digits were lost to underflow) or not below SQUARE_MAX
   (overflow, infinity, NaN). 2**-96 and 2**96 for float, 2**-900 and 2**900 for
   double, as bit patterns, which order like the non-negative numbers they hold.
   unsafe_* answer 1.0 in such lanes and 0.0 elsewhere. */
#define SQUARE_MIN_F32 0x0f800000u
#define SQUARE_MAX_F32 0x6f800000u
#define SQUARE_MIN_F64 0x07b0000000000000ull
#define SQUARE_MAX_F64 0x7830000000000000ull

static inline vf32 unsafe_f32(vf32 square, vf32 a, vf32 b)
{
    vi32 nonzero = (((vi32)a | (vi32)b) << 1) != 0;
    vi32 outside = (vi32)(((vu32)square - SQUARE_MIN_F32) >= SQUARE_MAX_F32 - SQUARE_MIN_F32);
    return (vf32)(nonzero & outside & 0x3f800000);
}

static inline vf64 unsafe_f64(vf64 square, vf64 a, vf64 b)
{
    vi64 nonzero = (((vi64)a | (vi64)b) << 1) != 0;
    vi64 outside = (vi64)(((vu64)square - SQUARE_MIN_F64) >= SQUARE_MAX_F64 - SQUARE_MIN_F64);
    return (vf64)(nonzero & outside & 0x3ff0000000000000);
}

/* Root of a mean square that leaves the safe range: scaled by a power of two,
   which rounds nothing, so that the squares come back into it. */
static inline float norm_scaled_f32(float a, float b)
{
    float big = fabsf(a) > fabsf(b) ? fabsf(a) : fabsf(b);
    float up = big < 1.0f ? 0x1p100f : 0x1p-70f;
    a *= up;
    b *= up;
    return sqrtf((a * a + b * b) * 0.5f) * (big < 1.0f ? 0x1p-100f : 0x1p70f);
}

static inline double norm_scaled_f64(double a, double b)
{
    double big = fabs(a) > fabs(b) ? fabs(a) : fabs(b);
    double up = big < 1.0 ? 0x1p800 : 0x1p-600;
    a *= up;
    b *= up;
    return sqrt((a * a + b * b) * 0.5) * (big < 1.0 ? 0x1p-800 : 0x1p600);
}

/* a * b + c, rounded once where the machine does it in one instruction. Only where the
   contract leaves the last bits free: everything else multiplies, then adds. */
static inline vf32 madd_f32(vf32 a, vf32 b, vf32 c)
{
#if defined(__AVX512F__)
    return (vf32)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__)
    return (vf32)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__aarch64__)
    return (vf32)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    return a * b + c;
#endif
}

static inline vf64 madd_f64(vf64 a, vf64 b, vf64 c)
{
#if defined(__AVX512F__)
    return (vf64)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined(__FMA__)
    return (vf64)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#elif defined(__aarch64__)
    return (vf64)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
#else
    return a * b + c;
#endif
}

/* The first numbers of a vector, `n` bytes of them. Inline: a call would put every sum of a tile into memory. */
static inline void store_part_f32(char *out, vf32 a, ptrdiff_t n)
{
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(out, (__mmask16)((1u << (n / 4)) - 1), (__m512)a);
#elif defined(__AVX2__)
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_maskstore_ps((float *)out, _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(n / 4)), lanes), (__m256)a);
#else
    for (ptrdiff_t i = 0; i < VECTOR_BYTES / 4; i++)
        if (4 * i < n) memcpy(out + 4 * i, (float *)&a + i, 4);
#endif
}

static inline void store_part_f64(char *out, vf64 a, ptrdiff_t n)
{
#if defined(__AVX512F__)
    _mm512_mask_storeu_pd(out, (__mmask8)((1u << (n / 8)) - 1), (__m512d)a);
#elif defined(__AVX2__)
    const __m256i lanes = _mm256_setr_epi64x(0, 1, 2, 3);
    _mm256_maskstore_pd((double *)out, _mm256_cmpgt_epi64(_mm256_set1_epi64x(n / 8), lanes), (__m256d)a);
#else
    for (ptrdiff_t i = 0; i < VECTOR_BYTES / 8; i++)
        if (8 * i < n) memcpy(out + 8 * i, (double *)&a + i, 8);
#endif
}

/* One number in all lanes: x - 0 is x for every x, and costs nothing. */
static inline vf32 splat_f32(const char *p)
{
    float x;
    memcpy(&x, p, sizeof x);
    return x - (vf32){0};
}

static inline vf64 splat_f64(const char *p)
{
    double x;
    memcpy(&x, p, sizeof x);
    return x - (vf64){0};
}

/* A condition that nearly always holds: its code is laid out without jumps. */
#define expected(condition) __builtin_expect(!!(condition), 1)

/* What fits into the registers: pixels of a channel-mixing tile (times two vectors of
   channels), and of the smaller tile for what is left over; vectors in a row of a dense tile
   of DENSE_ROWS output rows. */
#define DENSE_ROWS 6
#if defined(__AVX512F__)
#define TILE_PIXELS 12
#define SMALL_TILE 4
#define DENSE_VECTORS 4
#else
#define TILE_PIXELS 6
#define SMALL_TILE 2
#define DENSE_VECTORS 2
#endif

/* Copies past the caches: for results so large that they would be evicted before
   anyone reads them, which saves reading each line of the result first. */
static inline void stream_bytes(const char *src, char *dst, ptrdiff_t n)
{
    ptrdiff_t i = 0, head = -(intptr_t)dst & 63;
#if defined(__SSE2__)
    if (n >= 256) {
        memcpy(dst, src, head);
        for (i = head; i + 64 <= n; i += 64) {
#if defined(__AVX512F__)
            _mm512_stream_si512((__m512i *)(dst + i), _mm512_loadu_si512(src + i));
#elif defined(__AVX__)
            _mm256_stream_si256((__m256i *)(dst + i), _mm256_loadu_si256((const __m256i *)(src + i)));
            _mm256_stream_si256((__m256i *)(dst + i + 32), _mm256_loadu_si256((const __m256i *)(src + i + 32)));
#else
            for (int j = 0; j < 64; j += 16)
                _mm_stream_si128((__m128i *)(dst + i + j), _mm_loadu_si128((const __m128i *)(src + i + j)));
#endif
        }
    }
#endif
    (void)head;
    memcpy(dst + i, src + i, n - i);
}

/* The same for one vector, to an address that is a multiple of STREAM_ALIGNMENT, as NumPy's are. Off
   its own alignment a vector goes in quarters, which the processor joins with those of its neighbours. */
#define STREAM_ALIGNMENT 16

static inline void stream_vector(char *dst, const void *src)
{
#if defined(__SSE2__)
#if defined(__AVX512F__)
    if (((uintptr_t)dst & 63) == 0) {
        _mm512_stream_si512((__m512i *)dst, _mm512_loadu_si512(src));
        return;
    }
#elif defined(__AVX__)
    if (((uintptr_t)dst & 31) == 0) {
        _mm256_stream_si256((__m256i *)dst, _mm256_loadu_si256((const __m256i *)src));
        return;
    }
#endif
    for (int j = 0; j < VECTOR_BYTES; j += 16)
        _mm_stream_si128((__m128i *)(dst + j), _mm_loadu_si128((const __m128i *)((const char *)src + j)));
#else
    memcpy(dst, src, VECTOR_BYTES);
#endif
}

static inline void stream_f32(vf32 *dst, vf32 a)
{
    stream_vector((char *)dst, &a);
}

static inline void stream_f64(vf64 *dst, vf64 a)
{
    stream_vector((char *)dst, &a);
}

static inline void prefetch(const char *src)
{
    __builtin_prefetch(src, 0, 3);
}

/* Into the second level, for later. */
static inline void prefetch_later(const char *src)
{
    __builtin_prefetch(src, 0, 2);
}

/* Makes streamed bytes visible to other threads, as ordinary stores are. */
static inline void stream_end(void)
{
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

static inline int32_t float_bits(float f)
{
    int32_t bits;
    memcpy(&bits, &f, 4);
    return bits;
}

static inline int64_t double_bits(double d)
{
    int64_t bits;
    memcpy(&bits, &d, 8);
    return bits;
}

/* a * b / 2**15, rounded: what one instruction does in each lane of a vector of 16-bit numbers. */
static inline int16_t share(int16_t a, int16_t b)
{
    return (int16_t)(((((int32_t)a * b) >> 14) + 1) >> 1);
}

/* Lane i of the result is number at[i] of a and b, one behind the other. SHUFFLES: whether that is worth
   using, 2 if it is one instruction. */
#if defined(__AVX512F__)
#define SHUFFLES 2
static inline vf32 shuffle_f32(vf32 a, vf32 b, const int32_t *at)
{
    return (vf32)_mm512_permutex2var_ps((__m512)a, _mm512_loadu_si512(at), (__m512)b);
}
#elif defined(__AVX2__)
#define SHUFFLES 1
static inline vf32 shuffle_f32(vf32 a, vf32 b, const int32_t *at)
{
    __m256i i = _mm256_loadu_si256((const __m256i *)at);
    __m256 from_a = _mm256_permutevar8x32_ps((__m256)a, i), from_b = _mm256_permutevar8x32_ps((__m256)b, i);
    return (vf32)_mm256_blendv_ps(from_a, from_b, _mm256_castsi256_ps(_mm256_slli_epi32(i, 28)));
}
#else
#define SHUFFLES 0
static inline vf32 shuffle_f32(vf32 a, vf32 b, const int32_t *at)
{
    (void)b, (void)at;
    return a;
}
#endif

/* From place n on: shuffles two vectors of 32-bit words, one behind the other, n words to the left. */
static const int32_t RAMP[32] __attribute__((aligned(64))) = {
    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
    16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};

/* A vector of whole numbers, widened; the sums of two, or their differences, which are exact either way, and are
   converted once. */
#if defined(__AVX512F__)
#define WHOLE(name, type, widen, load) \
static inline vf32 name##_f32(const type *a) { return (vf32)_mm512_cvtepi32_ps(widen(load(a))); } \
static inline vf32 name##_sum_f32(const type *a, const type *b) \
{ return (vf32)_mm512_cvtepi32_ps(_mm512_add_epi32(widen(load(a)), widen(load(b)))); } \
static inline vf32 name##_difference_f32(const type *a, const type *b) \
{ return (vf32)_mm512_cvtepi32_ps(_mm512_sub_epi32(widen(load(a)), widen(load(b)))); }
#define LOAD_BYTES(p) _mm_loadu_si128((const __m128i *)(p))
#define LOAD_WORDS(p) _mm256_loadu_si256((const __m256i *)(p))
WHOLE(bytes, uint8_t, _mm512_cvtepu8_epi32, LOAD_BYTES)
WHOLE(words, uint16_t, _mm512_cvtepu16_epi32, LOAD_WORDS)
#elif defined(__AVX2__)
#define WHOLE(name, type, widen, load) \
static inline vf32 name##_f32(const type *a) { return (vf32)_mm256_cvtepi32_ps(widen(load(a))); } \
static inline vf32 name##_sum_f32(const type *a, const type *b) \
{ return (vf32)_mm256_cvtepi32_ps(_mm256_add_epi32(widen(load(a)), widen(load(b)))); } \
static inline vf32 name##_difference_f32(const type *a, const type *b) \
{ return (vf32)_mm256_cvtepi32_ps(_mm256_sub_epi32(widen(load(a)), widen(load(b)))); }
#define LOAD_BYTES(p) _mm_loadl_epi64((const __m128i *)(p))
#define LOAD_WORDS(p) _mm_loadu_si128((const __m128i *)(p))
WHOLE(bytes, uint8_t, _mm256_cvtepu8_epi32, LOAD_BYTES)
WHOLE(words, uint16_t, _mm256_cvtepu16_epi32, LOAD_WORDS)
#else
#define WHOLE(name, type) \
static inline vf32 name##_f32(const type *a) \
{ \
    vf32 w; \
    for (size_t i = 0; i < VECTOR_BYTES / sizeof(float); i++) w[i] = a[i]; \
    return w; \
} \
static inline vf32 name##_sum_f32(const type *a, const type *b) { return name##_f32(a) + name##_f32(b); } \
static inline vf32 name##_difference_f32(const type *a, const type *b) { return name##_f32(a) - name##_f32(b); }
WHOLE(bytes, uint8_t)
WHOLE(words, uint16_t)
#endif

static inline vf64 shuffle_f64(vf64 a, vf64 b, const int32_t *at)
{
    return (vf64)shuffle_f32((vf32)a, (vf32)b, at);
}

#if defined(__AVX512BW__)
/* A step of block_sums, of the bytes that are `there`, one bit each. */
static inline __m512i block_step(const uint8_t **rows, ptrdiff_t i, ptrdiff_t tall, ptrdiff_t wide, const int16_t *at,
                                 __mmask64 there)
{
    const __mmask32 first = (__mmask32)there, second = (__mmask32)(there >> 32);
    __m512i a = _mm512_setzero_si512(), b = a, sum = a;
    for (ptrdiff_t t = 0; t < tall; t++) {
        a = _mm512_add_epi16(a, _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(first, rows[t] + i)));
        b = _mm512_add_epi16(b, _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(second, rows[t] + i + 32)));
    }
    for (ptrdiff_t t = 0; t < wide; t++)
        sum = _mm512_add_epi16(sum, _mm512_permutex2var_epi16(a, _mm512_loadu_si512(at + t * 32), b));
    return sum;
}
#endif

/* The same for sixteen-bit numbers, of which a vector has SHORTS, where it is one instruction: sums of n blocks of
   bytes, `tall` rows and `wide` numbers, lane i of tap t from number at[t * SHORTS + i] of two vectors. Steps of
   `lanes` results, of which whole vectors are written; returns 0 where it is not one, and nothing is done. */
static inline ptrdiff_t block_sums(const uint8_t **rows, ptrdiff_t tall, ptrdiff_t wide, ptrdiff_t lanes,
                                   const int16_t *at, uint16_t *out, ptrdiff_t n)
{
#if defined(__AVX512BW__)
    ptrdiff_t i = 0, x = 0;
    for (; i + 64 <= n * wide; i += lanes * wide, x += lanes)
        _mm512_storeu_si512(out + x, block_step(rows, i, tall, wide, at, ~0ull));
    for (; x < n; i += lanes * wide, x += lanes)
        _mm512_storeu_si512(out + x, block_step(rows, i, tall, wide, at, ~0ull >> (64 - (n * wide - i))));
    return n;
#else
    (void)rows, (void)tall, (void)wide, (void)lanes, (void)at, (void)out, (void)n;
    return 0;
#endif
}

/* In a loop over a few numbers: vectors for it would only cost room, a kilobyte with what comes before and after.
   `left_over` stands where narrow_bytes and quotient_bytes did all but a few. */
#define one_by_one() __asm__("")
#if defined(__SSE2__)
#define left_over() one_by_one()
#else
#define left_over() (void)0
#endif

/* Each of n pixels `factor` times; pixels hold `bytes` bytes. Exactly what they hold is read and written. */
#define REPEAT(type, times) for (ptrdiff_t x = 0; x < n; x++) { \
    type value; memcpy(&value, src + x * sizeof value, sizeof value); \
    for (int i = 0; i < times; i++) memcpy(out + (times * x + i) * (ptrdiff_t)sizeof value, &value, sizeof value); }

static inline void repeat_bytes(const char *src, char *out, ptrdiff_t bytes, ptrdiff_t factor, ptrdiff_t n)
{
    if (factor == 2 && bytes == 1) REPEAT(uint8_t, 2)
    else if (factor == 2 && bytes == 2) REPEAT(uint16_t, 2)
    else if (factor == 2 && bytes == 4) REPEAT(uint32_t, 2)
    else if (factor == 2 && bytes == 8) REPEAT(uint64_t, 2)
    else if (factor == 4 && bytes == 1) REPEAT(uint8_t, 4)
    else if (factor == 4 && bytes == 2) REPEAT(uint16_t, 4)
    else if (factor == 4 && bytes == 4) REPEAT(uint32_t, 4)
    else {
        ptrdiff_t x = 0;
        /* Sixteen bytes at a time: what is too much is written over by the next pixel. */
        for (ptrdiff_t last = bytes <= 16 ? n - 16 / bytes - 1 : 0; x < last; x++)
            for (ptrdiff_t i = 0; i < factor; i++) memcpy(out + (factor * x + i) * bytes, src + x * bytes, 16);
        for (; x < n; x++)
            for (ptrdiff_t i = 0; i < factor; i++) memcpy(out + (factor * x + i) * bytes, src + x * bytes, bytes);
    }
}

/* Means of two by two bytes, or words of 16 bits, of n pairs in each of two rows; halves go to even. */
#define QUARTERS(name, type, pair, bits) \
static inline void name(const void *above, const void *below, type *out, ptrdiff_t n) \
{ \
    typedef pair pairs __attribute__((aligned(1), may_alias)); \
    const pair low = (pair)((1u << bits) - 1); \
    for (ptrdiff_t x = 0; x < n; x++) { \
        pair a = ((const pairs *)above)[x], b = ((const pairs *)below)[x]; \
        pair sum = (pair)((pair)((a & low) + (a >> bits)) + (pair)((b & low) + (b >> bits))); \
        out[x] = (type)((pair)(sum + 1 + ((sum >> 2) & 1)) >> 2); \
    } \
}
QUARTERS(quarter_bytes, uint8_t, uint16_t, 8)
QUARTERS(quarter_words, uint16_t, uint32_t, 16)

/* Sums from the left, apart for each of `step` channels: out[x] is the sum of src[x - step], src[x - 2 * step] ...
   The numbers have 16 bits, or 32 if they are `wide`. Sums wrap, so that differences of two are right as long as they
   fit themselves. `n` numbers are read and n + step written, and up to a vector more behind both. In a vector, numbers
   are added to those a step, two steps, four ... to their right; then comes what the vector before ended with. */
static inline void sums_from_left(const void *numbers, int wide, uint32_t *out, ptrdiff_t step, ptrdiff_t n)
{
    const uint16_t *src = (const uint16_t *)numbers;
    const uint32_t *src32 = (const uint32_t *)numbers;
    memset(out, 0, step * sizeof *out);
#if defined(__AVX512F__) || defined(__AVX2__)
    enum { LANES = VECTOR_BYTES / 4 };
    if (step < LANES) {
        int32_t lane[LANES], last[LANES];
        int levels = 0, shift = (int)step;
        for (int i = 0, c = 0; i < LANES; i++, c = c + 1 < step ? c + 1 : 0) {
            lane[i] = i;
            last[i] = (int32_t)(LANES - step + c);
        }
#if defined(__AVX512F__)
        __m512i carry = _mm512_setzero_si512(), end = _mm512_loadu_si512(last), all = _mm512_loadu_si512(lane), v, at[4];
        __mmask16 kept[4] = {0};
        for (int k = 0; k < 4; k++, shift *= 2) {
            levels += shift < LANES;
            at[k] = _mm512_sub_epi32(all, _mm512_set1_epi32(shift));
            kept[k] = _mm512_cmpge_epi32_mask(all, _mm512_set1_epi32(shift));
        }
        for (ptrdiff_t x = 0; x < n; x += LANES) {
            v = wide ? _mm512_loadu_si512(src32 + x)
                     : _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(src + x)));
            for (int k = 0; k < 4; k++)
                if (k < levels) v = _mm512_add_epi32(v, _mm512_maskz_permutexvar_epi32(kept[k], at[k], v));
            v = _mm512_add_epi32(v, carry);
            carry = _mm512_permutexvar_epi32(end, v);
            _mm512_storeu_si512(out + step + x, v);
        }
#else
        __m256i carry = _mm256_setzero_si256(), end = _mm256_loadu_si256((const __m256i *)last);
        __m256i all = _mm256_loadu_si256((const __m256i *)lane), v, at[4], kept[4];
        for (int k = 0; k < 4; k++, shift *= 2) {
            levels += shift < LANES;
            at[k] = _mm256_sub_epi32(all, _mm256_set1_epi32(shift));
            kept[k] = _mm256_cmpgt_epi32(all, _mm256_set1_epi32(shift - 1));
        }
        for (ptrdiff_t x = 0; x < n; x += LANES) {
            v = wide ? _mm256_loadu_si256((const __m256i *)(src32 + x))
                     : _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(src + x)));
            for (int k = 0; k < 4; k++)
                if (k < levels)
                    v = _mm256_add_epi32(v, _mm256_and_si256(kept[k], _mm256_permutevar8x32_epi32(v, at[k])));
            v = _mm256_add_epi32(v, carry);
            carry = _mm256_permutevar8x32_epi32(v, end);
            _mm256_storeu_si256((__m256i *)(out + step + x), v);
        }
#endif
        return;
    }
#endif
    for (ptrdiff_t x = 0; x < n; x += step) /* numbers of one pixel do not wait for each other */
        for (ptrdiff_t i = x; i < n && i < x + step; i++) out[i + step] = out[i] + (wide ? src32[i] : src[i]);
}

/* Numbers to bytes: rounded half to even, saturated, NaN to 0. The conversion makes what no integer
   can hold the most negative one, which saturates to 0, as NaN should; larger numbers than 255 must
   therefore go first. The minimum of the constant and x, in this order, is x for NaN. Returns how many
   were done: the rest is left to the caller. */
static inline ptrdiff_t narrow_bytes(const float *src, uint8_t *dst, ptrdiff_t n)
{
    ptrdiff_t i = 0;
#if defined(__AVX512BW__)
    const __m512 most = _mm512_set1_ps(255);
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    for (; i + 64 <= n; i += 64) {
        __m512i a = _mm512_cvtps_epi32(_mm512_min_ps(most, _mm512_loadu_ps(src + i)));
        __m512i b = _mm512_cvtps_epi32(_mm512_min_ps(most, _mm512_loadu_ps(src + i + 16)));
        __m512i c = _mm512_cvtps_epi32(_mm512_min_ps(most, _mm512_loadu_ps(src + i + 32)));
        __m512i d = _mm512_cvtps_epi32(_mm512_min_ps(most, _mm512_loadu_ps(src + i + 48)));
        a = _mm512_packus_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
        _mm512_storeu_si512(dst + i, _mm512_permutexvar_epi32(order, a));
    }
#elif defined(__AVX2__)
    const __m256 most = _mm256_set1_ps(255);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    for (; i + 32 <= n; i += 32) {
        __m256i a = _mm256_cvtps_epi32(_mm256_min_ps(most, _mm256_loadu_ps(src + i)));
        __m256i b = _mm256_cvtps_epi32(_mm256_min_ps(most, _mm256_loadu_ps(src + i + 8)));
        __m256i c = _mm256_cvtps_epi32(_mm256_min_ps(most, _mm256_loadu_ps(src + i + 16)));
        __m256i d = _mm256_cvtps_epi32(_mm256_min_ps(most, _mm256_loadu_ps(src + i + 24)));
        a = _mm256_packus_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
        _mm256_storeu_si256((__m256i *)(dst + i), _mm256_permutevar8x32_epi32(a, order));
    }
#elif defined(__SSE2__)
    const __m128 most = _mm_set1_ps(255);
    for (; i + 16 <= n; i += 16) {
        __m128i a = _mm_cvtps_epi32(_mm_min_ps(most, _mm_loadu_ps(src + i)));
        __m128i b = _mm_cvtps_epi32(_mm_min_ps(most, _mm_loadu_ps(src + i + 4)));
        __m128i c = _mm_cvtps_epi32(_mm_min_ps(most, _mm_loadu_ps(src + i + 8)));
        __m128i d = _mm_cvtps_epi32(_mm_min_ps(most, _mm_loadu_ps(src + i + 12)));
        a = _mm_packus_epi16(_mm_packs_epi32(a, b), _mm_packs_epi32(c, d));
        _mm_storeu_si128((__m128i *)(dst + i), a);
    }
#endif
    (void)src, (void)dst, (void)n;
    return i;
}

/* The same for sixteen-bit numbers. */
static inline ptrdiff_t narrow_words(const float *src, uint16_t *dst, ptrdiff_t n)
{
    ptrdiff_t i = 0;
#if defined(__AVX512BW__)
    const __m512 most = _mm512_set1_ps(65535);
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    for (; i + 32 <= n; i += 32) {
        __m512i a = _mm512_cvtps_epi32(_mm512_min_ps(most, _mm512_loadu_ps(src + i)));
        __m512i b = _mm512_cvtps_epi32(_mm512_min_ps(most, _mm512_loadu_ps(src + i + 16)));
        _mm512_storeu_si512(dst + i, _mm512_permutexvar_epi64(order, _mm512_packus_epi32(a, b)));
    }
#elif defined(__AVX2__)
    const __m256 most = _mm256_set1_ps(65535);
    for (; i + 16 <= n; i += 16) {
        __m256i a = _mm256_cvtps_epi32(_mm256_min_ps(most, _mm256_loadu_ps(src + i)));
        __m256i b = _mm256_cvtps_epi32(_mm256_min_ps(most, _mm256_loadu_ps(src + i + 8)));
        _mm256_storeu_si256((__m256i *)(dst + i), _mm256_permute4x64_epi64(_mm256_packus_epi32(a, b), 0xd8));
    }
#else
    (void)src, (void)dst, (void)n;
#endif
    return i;
}

/* sums / divisor, rounded half to even, which must be bytes: with h = divisor / 2, (sums + h) * multiplier >> (16 +
   shift) is the quotient, and one too many where it is odd and was half way between two. Returns how many were done. */
static inline ptrdiff_t quotient_bytes(const uint16_t *sums, uint16_t divisor, uint16_t multiplier, int shift,
                                       uint8_t *dst, ptrdiff_t n)
{
    ptrdiff_t i = 0;
    const uint16_t half = divisor / 2, even = divisor % 2 ? 0 : 1;
#if defined(__AVX512BW__)
    const __m512i h = _mm512_set1_epi16((short)half), m = _mm512_set1_epi16((short)multiplier);
    const __m512i d = _mm512_set1_epi16((short)divisor), one = _mm512_set1_epi16((short)even);
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    const __m128i s = _mm_cvtsi32_si128(shift);
    for (ptrdiff_t left; (left = n - i) > 0; i += 64) {
        const __mmask64 there = left < 64 ? ~0ull >> (64 - left) : ~0ull;
        __m512i a, b;
        if (left >= 64) {
            a = _mm512_loadu_si512(sums + i), b = _mm512_loadu_si512(sums + i + 32);
        } else {
            a = _mm512_maskz_loadu_epi16((__mmask32)there, sums + i);
            b = _mm512_maskz_loadu_epi16((__mmask32)(there >> 32), sums + i + 32);
        }
        a = _mm512_add_epi16(a, h), b = _mm512_add_epi16(b, h);
        __m512i p = _mm512_srl_epi16(_mm512_mulhi_epu16(a, m), s), q = _mm512_srl_epi16(_mm512_mulhi_epu16(b, m), s);
        p = _mm512_mask_sub_epi16(p, _mm512_cmpeq_epi16_mask(_mm512_mullo_epi16(p, d), a), p, _mm512_and_si512(p, one));
        q = _mm512_mask_sub_epi16(q, _mm512_cmpeq_epi16_mask(_mm512_mullo_epi16(q, d), b), q, _mm512_and_si512(q, one));
        p = _mm512_permutexvar_epi64(order, _mm512_packus_epi16(p, q));
        if (left >= 64)
            _mm512_storeu_si512(dst + i, p);
        else
            _mm512_mask_storeu_epi8(dst + i, there, p);
    }
    i = n;
#elif defined(__AVX2__)
    const __m256i h = _mm256_set1_epi16((short)half), m = _mm256_set1_epi16((short)multiplier);
    const __m256i d = _mm256_set1_epi16((short)divisor), one = _mm256_set1_epi16((short)even);
    const __m128i s = _mm_cvtsi32_si128(shift);
    for (; i + 32 <= n; i += 32) {
        __m256i a = _mm256_add_epi16(_mm256_loadu_si256((const __m256i *)(sums + i)), h);
        __m256i b = _mm256_add_epi16(_mm256_loadu_si256((const __m256i *)(sums + i + 16)), h);
        __m256i p = _mm256_srl_epi16(_mm256_mulhi_epu16(a, m), s), q = _mm256_srl_epi16(_mm256_mulhi_epu16(b, m), s);
        __m256i tie = _mm256_and_si256(_mm256_cmpeq_epi16(_mm256_mullo_epi16(p, d), a), one);
        p = _mm256_sub_epi16(p, _mm256_and_si256(p, tie));
        tie = _mm256_and_si256(_mm256_cmpeq_epi16(_mm256_mullo_epi16(q, d), b), one);
        q = _mm256_sub_epi16(q, _mm256_and_si256(q, tie));
        _mm256_storeu_si256((__m256i *)(dst + i), _mm256_permute4x64_epi64(_mm256_packus_epi16(p, q), 0xd8));
    }
#elif defined(__SSE2__)
    const __m128i h = _mm_set1_epi16((short)half), m = _mm_set1_epi16((short)multiplier);
    const __m128i d = _mm_set1_epi16((short)divisor), one = _mm_set1_epi16((short)even);
    const __m128i s = _mm_cvtsi32_si128(shift);
    for (; i + 16 <= n; i += 16) {
        __m128i a = _mm_add_epi16(_mm_loadu_si128((const __m128i *)(sums + i)), h);
        __m128i b = _mm_add_epi16(_mm_loadu_si128((const __m128i *)(sums + i + 8)), h);
        __m128i p = _mm_srl_epi16(_mm_mulhi_epu16(a, m), s), q = _mm_srl_epi16(_mm_mulhi_epu16(b, m), s);
        __m128i tie = _mm_and_si128(_mm_cmpeq_epi16(_mm_mullo_epi16(p, d), a), one);
        p = _mm_sub_epi16(p, _mm_and_si128(p, tie));
        tie = _mm_and_si128(_mm_cmpeq_epi16(_mm_mullo_epi16(q, d), b), one);
        q = _mm_sub_epi16(q, _mm_and_si128(q, tie));
        _mm_storeu_si128((__m128i *)(dst + i), _mm_packus_epi16(p, q));
    }
#endif
    (void)sums, (void)half, (void)even, (void)multiplier, (void)shift, (void)dst, (void)n;
    return i;
}

/* quotient_bytes of the sums of `count` numbers `step` apart. With pairs of neighbours added, all other distances are
   whole words of 32 bits, by which one instruction shuffles two vectors: loads across lines of cache take as long as
   two. Reads up to 96 + step numbers from the last result on. */
#if defined(__AVX512BW__)
#define constants_inside static inline __attribute__((always_inline)) /* whose callers give constants */

constants_inside __m512i window_sum(const __m512i *single, const __m512i *pair, ptrdiff_t count, ptrdiff_t step)
{
    __m512i sum = pair[0];
    for (ptrdiff_t t = 1; t < count / 2; t++)
        sum = _mm512_add_epi16(sum, _mm512_permutex2var_epi32(pair[0], _mm512_loadu_si512(RAMP + t * step), pair[1]));
    if (count % 2)
        sum = _mm512_add_epi16(sum, _mm512_permutex2var_epi32(single[0], _mm512_loadu_si512(RAMP + count / 2 * step),
                                                              single[1]));
    return sum;
}

constants_inside ptrdiff_t window_bytes(const uint16_t *columns, ptrdiff_t count, ptrdiff_t step, uint16_t divisor,
                                        uint16_t multiplier, int shift, uint8_t *dst, ptrdiff_t n)
{
    uint16_t sums[64];
    __m512i single[3], pair[3];
    if (n < 64) return 0;
    single[0] = _mm512_loadu_si512(columns);
    pair[0] = _mm512_add_epi16(single[0], _mm512_loadu_si512(columns + step));
    for (ptrdiff_t i = 0;;) {
        for (int v = 1; v < 3; v++) {
            single[v] = _mm512_loadu_si512(columns + i + 32 * v);
            pair[v] = _mm512_add_epi16(single[v], _mm512_loadu_si512(columns + i + 32 * v + step));
        }
        _mm512_storeu_si512(sums, window_sum(single, pair, count, step));
        _mm512_storeu_si512(sums + 32, window_sum(single + 1, pair + 1, count, step));
        quotient_bytes(sums, divisor, multiplier, shift, dst + i, 64);
        i += 64;
        single[0] = single[2];
        pair[0] = pair[2];
        if (i == n) return n;
        if (i > n - 64) { /* the last ones, some of them twice */
            i = n - 64;
            single[0] = _mm512_loadu_si512(columns + i);
            pair[0] = _mm512_add_epi16(single[0], _mm512_loadu_si512(columns + i + step));
        }
    }
}
#endif

static inline ptrdiff_t window_quotients(const uint16_t *columns, ptrdiff_t count, ptrdiff_t step, uint16_t divisor,
                                         uint16_t multiplier, int shift, uint8_t *dst, ptrdiff_t n)
{
#if defined(__AVX512BW__)
    if (count / 2 * step > 16)
        return 0;
    if (count == 3) /* constants, so that the compiler unrolls */
        return window_bytes(columns, 3, step, divisor, multiplier, shift, dst, n);
    if (count == 5)
        return window_bytes(columns, 5, step, divisor, multiplier, shift, dst, n);
    if (count > 1)
        return window_bytes(columns, count, step, divisor, multiplier, shift, dst, n);
#endif
    (void)columns, (void)count, (void)step, (void)divisor, (void)multiplier, (void)shift, (void)dst, (void)n;
    return 0;
}

/* Sixteen-bit numbers in vectors, where two products can be added to a sum of 32 bits in one instruction.
   Halves are those of an interleaving, within each 16 bytes, which packing undoes. */
#if defined(__AVX512BW__)
#define PAIRS 32
typedef __m512i vi16;
#define LOAD(p) _mm512_loadu_si512(p)
#define ADD16 _mm512_add_epi16
#define LOW16 _mm512_unpacklo_epi16
#define HIGH16 _mm512_unpackhi_epi16
#define PRODUCTS _mm512_madd_epi16
#define ADD32 _mm512_add_epi32
#define FILL32 _mm512_set1_epi32
#define SHIFT32 _mm512_sra_epi32
#define PACK32 _mm512_packs_epi32
#define WIDEN8(p) _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)(p)))
#define MUL16 _mm512_mullo_epi16
#define AND16 _mm512_and_si512
#define SHIFT16 _mm512_sra_epi16
#define FILL16 _mm512_set1_epi16
#elif defined(__AVX2__)
#define PAIRS 16
typedef __m256i vi16;
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(p))
#define ADD16 _mm256_add_epi16
#define LOW16 _mm256_unpacklo_epi16
#define HIGH16 _mm256_unpackhi_epi16
#define PRODUCTS _mm256_madd_epi16
#define ADD32 _mm256_add_epi32
#define FILL32 _mm256_set1_epi32
#define SHIFT32 _mm256_sra_epi32
#define PACK32 _mm256_packs_epi32
#define WIDEN8(p) _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(p)))
#define MUL16 _mm256_mullo_epi16
#define AND16 _mm256_and_si256
#define SHIFT16 _mm256_sra_epi16
#define FILL16 _mm256_set1_epi16
#elif defined(__SSE2__)
#define PAIRS 8
typedef __m128i vi16;
#define LOAD(p) _mm_loadu_si128((const __m128i *)(p))
#define ADD16 _mm_add_epi16
#define LOW16 _mm_unpacklo_epi16
#define HIGH16 _mm_unpackhi_epi16
#define PRODUCTS _mm_madd_epi16
#define ADD32 _mm_add_epi32
#define FILL32 _mm_set1_epi32
#define SHIFT32 _mm_sra_epi32
#define PACK32 _mm_packs_epi32
#define WIDEN8(p) _mm_unpacklo_epi8(_mm_loadl_epi64((const __m128i *)(p)), _mm_setzero_si128())
#define MUL16 _mm_mullo_epi16
#define AND16 _mm_and_si128
#define SHIFT16 _mm_sra_epi16
#define FILL16 _mm_set1_epi16
#endif

/* The sum of rows[0] ... rows[2 * radius] at x, under even weights; those of the rows from the outside in, two by two
   in 32 bits. Rows that belong together are added first: they must leave room for that. (sum + bias) >> shift. */
#if defined(PAIRS)
static inline vi16 even_sums(const char **rows, ptrdiff_t x, const int32_t *weights, ptrdiff_t radius, int32_t bias,
                             int shift)
{
    const __m128i by = _mm_cvtsi32_si128(shift);
    vi16 low = FILL32(bias), high = low, a, b, w;
    ptrdiff_t t = 0;
    for (; t + 1 < radius; t += 2) {
        a = ADD16(LOAD(rows[t] + x), LOAD(rows[2 * radius - t] + x));
        b = ADD16(LOAD(rows[t + 1] + x), LOAD(rows[2 * radius - t - 1] + x));
        w = FILL32(weights[t / 2]);
        low = ADD32(low, PRODUCTS(LOW16(a, b), w));
        high = ADD32(high, PRODUCTS(HIGH16(a, b), w));
    }
    b = LOAD(rows[radius] + x);
    a = t < radius ? ADD16(LOAD(rows[t] + x), LOAD(rows[2 * radius - t] + x)) : b;
    w = FILL32(weights[t / 2]);
    low = ADD32(low, PRODUCTS(LOW16(a, b), w));
    high = ADD32(high, PRODUCTS(HIGH16(a, b), w));
    return PACK32(SHIFT32(low, by), SHIFT32(high, by));
}
#endif

static inline void even_rows(const char **rows, const int32_t *weights, ptrdiff_t radius, int32_t bias, int shift,
                             int16_t *out, ptrdiff_t n)
{
    ptrdiff_t x = 0;
#if defined(PAIRS)
    for (; x < n; x += PAIRS) { /* up to a vector more is read and written */
        vi16 sum = even_sums(rows, 2 * x, weights, radius, bias, shift);
        memcpy(out + x, &sum, sizeof sum);
    }
#endif
    for (; x < n; x++) {
        int32_t sum = bias;
        for (ptrdiff_t t = 0; t <= 2 * radius; t++) {
            ptrdiff_t i = t < radius ? t : 2 * radius - t;
            int16_t w = (int16_t)((i == radius || i & 1) ? weights[i / 2] >> 16 : weights[i / 2]);
            sum += ((const int16_t *)rows[t])[x] * w;
        }
        out[x] = (int16_t)(sum >> shift);
    }
}

/* In place: derivatives down and along become the angle, arctan2(down, along), and the length times a factor;
   diagonal ones are those to the lower right and to the lower left. With q, the smaller part over the larger one, the
   length is that times sqrt(1 + q * q), which neither overflows nor underflows on the way; the arctangent is
   q + q * q * q * P(q * q) for q from 0 to 1, where P interpolates at Chebyshev's nodes, to 1.1e-8 of the angle with nine
   coefficients and 2.1e-17 with twenty. 0 and -0 have the same angle. */
#define POLAR(name, real, root, magnitude, pi, polynomial) \
static inline void name(real *restrict down, real *restrict along, ptrdiff_t n, int diagonal, real factor) \
{ \
    for (ptrdiff_t i = 0; i < n; i++) { \
        real y = diagonal ? down[i] + along[i] : down[i], x = diagonal ? down[i] - along[i] : along[i]; \
        real b = magnitude(y), a = magnitude(x), large = b > a ? b : a, small = b > a ? a : b, q = small / large, z, p; \
        q = small == large ? 1 : q; /* infinity over infinity */ \
        q = large + small == 0 ? 0 : q; \
        z = q * q; \
        polynomial \
        p = q + q * z * p; \
        p = b > a ? (real)(pi / 2) - p : p; \
        p = x < 0 ? (real)pi - p : p; \
        down[i] = y < 0 ? -p : p; \
        along[i] = large * root(1 + z) * factor; \
    } \
}
POLAR(polar_f32, float, sqrtf, fabsf, 3.14159265358979323846,
      p = -0.002386997317f; p = p * z + 0.01350777143f; p = p * z - 0.03587153898f; p = p * z + 0.06250169445f;
      p = p * z - 0.0865688043f; p = p * z + 0.1103376412f; p = p * z - 0.1427856875f;
      p = p * z + 0.1999973933f; p = p * z - 0.3333333173f;)
POLAR(polar_f64, double, sqrt, fabs, 3.14159265358979323846,
      p = 0.0000180619546186121522; p = p * z - 0.0001999618937790138206;
      p = p * z + 0.001049603508496851507; p = p * z - 0.00349588597391630952;
      p = p * z + 0.008368931178450162136; p = p * z - 0.01553515247541417613; p = p * z + 0.02369673158004862201;
      p = p * z - 0.03127718906699638479; p = p * z + 0.03749486812535247112; p = p * z - 0.04260356632601652133;
      p = p * z + 0.04737749579527778972; p = p * z - 0.05257973334284110807; p = p * z + 0.05881506877793656067;
      p = p * z - 0.06666564699289104211; p = p * z + 0.07692298971033216917; p = p * z - 0.09090908590891934225;
      p = p * z + 0.111111110934908281; p = p * z - 0.1428571428538413154; p = p * z + 0.199999999999975322;
      p = p * z - 0.3333333333333333025;)

/* Bytes under whole taps, in 16 bits: (bias + the sum of weights[t] * taps[t]) / 2**shift, rounded half to even and
   saturated, for n bytes. Weights are a vector of the widest kind apart. Exactly n bytes of each tap are read. */
static inline void byte_taps(const uint8_t **taps, const int16_t *weights, ptrdiff_t count, int16_t bias, int shift,
                             uint8_t *out, ptrdiff_t n)
{
    const int16_t half = (int16_t)(shift ? (1 << (shift - 1)) - 1 : 0), odd = shift ? 1 : 0;
    ptrdiff_t x = 0;
#if defined(PAIRS)
    const __m128i by = _mm_cvtsi32_si128(shift);
    const vi16 start = FILL16(bias), h = FILL16(half), o = FILL16(odd);
    while (n >= 2 * PAIRS) {
        vi16 a = start, b = start;
        for (ptrdiff_t t = 0; t < count; t++) {
            vi16 w = LOAD(weights + 32 * t);
            a = ADD16(a, MUL16(WIDEN8(taps[t] + x), w));
            b = ADD16(b, MUL16(WIDEN8(taps[t] + x + PAIRS), w));
        }
        a = SHIFT16(ADD16(ADD16(a, h), AND16(SHIFT16(a, by), o)), by);
        b = SHIFT16(ADD16(ADD16(b, h), AND16(SHIFT16(b, by), o)), by);
#if defined(__AVX512BW__)
        a = _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), _mm512_packus_epi16(a, b));
#elif defined(__AVX2__)
        a = _mm256_permute4x64_epi64(_mm256_packus_epi16(a, b), 0xd8);
#else
        a = _mm_packus_epi16(a, b);
#endif
        memcpy(out + x, &a, sizeof a);
        x += 2 * PAIRS;
        if (x == n) return;
        if (x > n - 2 * PAIRS) x = n - 2 * PAIRS; /* some bytes twice */
    }
#endif
    for (; x < n; x++) {
        int sum = bias;
        for (ptrdiff_t t = 0; t < count; t++) sum += weights[32 * t] * taps[t][x];
        sum = (sum + half + ((sum >> shift) & odd)) >> shift;
        out[x] = (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
    }
}

/* binary16 <-> binary32. The exponent is rebased by a multiplication, which
   also makes subnormals right; rounding is to nearest even, as NumPy's. */
static inline float half_to_float(half_t h)
{
    uint32_t bits = (h.bits & 0x7fffu) << 13, sign = (h.bits & 0x8000u) << 16;
    float f;
    memcpy(&f, &bits, 4);
    f *= 0x1p112f;
    memcpy(&bits, &f, 4);
    if (bits >= 0x47800000u) bits |= 0x7f800000u; /* 65536 and up: infinity or NaN */
    bits |= sign;
    memcpy(&f, &bits, 4);
    return f;
}

static inline half_t float_to_half(float f)
{
    uint32_t bits, sign;
    memcpy(&bits, &f, 4);
    sign = (bits >> 16) & 0x8000u;
    bits &= 0x7fffffffu;
    if (bits > 0x7f800000u) return (half_t){sign | 0x7e00u};
    if (bits >= 0x477ff000u) return (half_t){sign | 0x7c00u}; /* rounds past 65504 */
    if (bits < 0x38800000u) { /* subnormal: adding 1/2 leaves multiples of 2**-24 in the low bits */
        float magnitude;
        memcpy(&magnitude, &bits, 4);
        magnitude += 0.5f;
        memcpy(&bits, &magnitude, 4);
        return (half_t){sign | (bits - 0x3f000000u)};
    }
    bits += 0xfffu + ((bits >> 13) & 1u);
    return (half_t){sign | ((bits - 0x38000000u) >> 13)};
}

/* To float by round-to-odd first, so that rounding twice equals rounding once. */
static inline half_t double_to_half(double d)
{
    float f = (float)d;
    uint32_t bits;
    memcpy(&bits, &f, 4);
    if ((double)f != d && d == d && !(bits & 1u) && isfinite(f)) {
        bits += (fabs((double)f) < fabs(d)) ? 1u : -1u;
        memcpy(&f, &bits, 4);
    }
    return float_to_half(f);
}

#endif
