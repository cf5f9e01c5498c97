/* CBLAS calls that Mattock matrix cards compute.
 * Written by `UPDATE_HEADERS=1 cargo test -p mattock-capi --test header`; the sources are Rust. */

#ifndef CBLAS_H
#define CBLAS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

typedef enum CBLAS_ORDER { CblasRowMajor = 101, CblasColMajor = 102 } CBLAS_ORDER;
typedef enum CBLAS_TRANSPOSE { CblasNoTrans = 111, CblasTrans = 112, CblasConjTrans = 113 } CBLAS_TRANSPOSE;
#define CBLAS_LAYOUT CBLAS_ORDER

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Takes the card of a URL for all following CBLAS calls of the process, instead of that of `MATTOCK_CARD`. Gives 0, or a
 * status of `mattock.h`, and no card then.
 *
 * The caller sees to it:
 * `url` is null or a string with a final zero.
 */
int32_t mattock_cblas_open(const char *url);

/**
 * How many CBLAS calls the card has computed, and how many this library itself. Either pointer may be null.
 *
 * The caller sees to it:
 * The pointers are null or writable.
 */
void mattock_cblas_counts(uint64_t *on_card,
                          uint64_t *on_host);

/**
 * `C = alpha * op(A) * op(B) + beta * C` with `float`s.
 *
 * The caller sees to it:
 * As for any BLAS: the matrices have the memory that their dimensions say, and C overlaps neither A nor B.
 */
void cblas_sgemm(int32_t order,
                 int32_t trans_a,
                 int32_t trans_b,
                 int32_t m,
                 int32_t n,
                 int32_t k,
                 float alpha,
                 const float *a,
                 int32_t lda,
                 const float *b,
                 int32_t ldb,
                 float beta,
                 float *c,
                 int32_t ldc);

/**
 * `y = alpha * op(A) * x + beta * y` with `float`s.
 *
 * The caller sees to it:
 * As `cblas_sgemm`.
 */
void cblas_sgemv(int32_t order,
                 int32_t trans,
                 int32_t m,
                 int32_t n,
                 float alpha,
                 const float *a,
                 int32_t lda,
                 const float *x,
                 int32_t incx,
                 float beta,
                 float *y,
                 int32_t incy);

/**
 * `C = alpha * op(A) * op(B) + beta * C` with A and B of `int8_t`, C of `int32_t`, modulo 2^32; in the manner of oneMKL's
 * `cblas_gemm_s8s8s32`, without its offsets. Gives 0 or a status of `mattock.h`.
 *
 * The caller sees to it:
 * As `cblas_sgemm`.
 */
int32_t mattock_cblas_gemm_s8s8s32(int32_t order,
                                   int32_t trans_a,
                                   int32_t trans_b,
                                   int32_t m,
                                   int32_t n,
                                   int32_t k,
                                   int32_t alpha,
                                   const int8_t *a,
                                   int32_t lda,
                                   const int8_t *b,
                                   int32_t ldb,
                                   int32_t beta,
                                   int32_t *c,
                                   int32_t ldc);

/**
 * The same with A of `uint8_t`.
 *
 * The caller sees to it:
 * As `cblas_sgemm`.
 */
int32_t mattock_cblas_gemm_u8s8s32(int32_t order,
                                   int32_t trans_a,
                                   int32_t trans_b,
                                   int32_t m,
                                   int32_t n,
                                   int32_t k,
                                   int32_t alpha,
                                   const uint8_t *a,
                                   int32_t lda,
                                   const int8_t *b,
                                   int32_t ldb,
                                   int32_t beta,
                                   int32_t *c,
                                   int32_t ldc);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* CBLAS_H */
