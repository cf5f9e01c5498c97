/* Dense and sparse products on Mattock matrix cards.
 * Written by `UPDATE_HEADERS=1 cargo test -p mattock-capi --test header`; the sources are Rust. */

#ifndef MATTOCK_H
#define MATTOCK_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/**
 * All went well.
 */
#define MATTOCK_OK 0

/**
 * An argument makes no sense; the message names its position.
 */
#define MATTOCK_INVALID_ARGUMENT 1

/**
 * The card was not built for this; the message lists what it has.
 */
#define MATTOCK_UNSUPPORTED 2

/**
 * There is no such card.
 */
#define MATTOCK_NOT_FOUND 3

/**
 * Another process has the card.
 */
#define MATTOCK_BUSY 4

/**
 * This user may not open the card, or lock enough memory for it.
 */
#define MATTOCK_PERMISSION 5

/**
 * What answers is not a card this library understands.
 */
#define MATTOCK_NOT_A_CARD 6

/**
 * Card memory, or the budget, does not suffice; results are untouched.
 */
#define MATTOCK_OUT_OF_MEMORY 7

/**
 * The card did not finish in time; it has been reset.
 */
#define MATTOCK_TIMEOUT 8

/**
 * The card no longer answers.
 */
#define MATTOCK_DEVICE_LOST 9

/**
 * The card refused a command or gave it up.
 */
#define MATTOCK_DEVICE_FAULT 10

/**
 * The arrays are no sparse matrix.
 */
#define MATTOCK_BAD_MATRIX 11

/**
 * Anything else; the message tells.
 */
#define MATTOCK_OTHER 12

/**
 * A fault of this library; please report it.
 */
#define MATTOCK_INTERNAL 13

/**
 * Grows when a function changes its meaning or is taken away.
 */
#define MATTOCK_ABI_VERSION 1

/**
 * Rows lie together; the value of CBLAS.
 */
#define MATTOCK_ROW_MAJOR 101

/**
 * Columns lie together.
 */
#define MATTOCK_COL_MAJOR 102

/**
 * As it lies.
 */
#define MATTOCK_NO_TRANS 111

/**
 * Transposed.
 */
#define MATTOCK_TRANS 112

/**
 * To nearest, ties to even.
 */
#define MATTOCK_ROUND_NEAREST_EVEN 0

/**
 * Toward zero.
 */
#define MATTOCK_ROUND_ZERO 1

/**
 * Up.
 */
#define MATTOCK_ROUND_UP 2

/**
 * Down.
 */
#define MATTOCK_ROUND_DOWN 3

/**
 * To nearest, ties away from zero.
 */
#define MATTOCK_ROUND_NEAREST_AWAY 4

/**
 * Values of `int32_t`; sums wrap.
 */
#define MATTOCK_VALUES_I32 0

/**
 * Values of `float`.
 */
#define MATTOCK_VALUES_F32 1

/**
 * Values of `int16_t`, computed with as `int32_t`.
 */
#define MATTOCK_VALUES_I16 2

/**
 * Values of IEEE binary16, computed with as `float`.
 */
#define MATTOCK_VALUES_F16 3

/**
 * Values of `int8_t`, computed with as `int32_t`.
 */
#define MATTOCK_VALUES_I8 4

/**
 * Values of bfloat16, the upper half of a `float`, computed with as `float`.
 */
#define MATTOCK_VALUES_BF16 5

/**
 * Entries of the product where the mask has none, instead of those where it has one.
 */
#define MATTOCK_MASK_COMPLEMENT 1

/**
 * An entry of the mask that is zero counts as none.
 */
#define MATTOCK_MASK_BY_VALUE 2

/**
 * Entries of `mattock_spgemm_onto`'s result that are zero are left out.
 */
#define MATTOCK_PRUNE 4

/**
 * Memory that the card reaches: operands and results that stay there from call to call.
 */
typedef struct MattockBuffer MattockBuffer;

/**
 * An open card with one context.
 */
typedef struct MattockContext MattockContext;

/**
 * Products under way. A result in host memory is there once the event has been waited for.
 */
typedef struct MattockEvent MattockEvent;

/**
 * Structure of a sparse product, kept on the card.
 */
typedef struct MattockPlan MattockPlan;

/**
 * A sparse result. `mattock_product_csr` shows its arrays.
 */
typedef struct MattockProduct MattockProduct;

/**
 * Quantised weights in card memory.
 */
typedef struct MattockWeights MattockWeights;

/**
 * How a context uses its card.
 */
typedef struct MattockOptions {
  /**
   * `sizeof(MattockOptions)`.
   */
  uint32_t struct_size;
  /**
   * Queue of the card; 0.
   */
  uint32_t queue;
  /**
   * Most milliseconds a command may take; 0: many times the estimate.
   */
  uint64_t timeout_ms;
  /**
   * Most bytes of card memory; 0: all there is.
   */
  uint64_t memory_budget;
} MattockOptions;

/**
 * What a card was built with.
 */
typedef struct MattockCaps {
  /**
   * `sizeof(MattockCaps)`, set before the call.
   */
  uint32_t struct_size;
  /**
   * Kilohertz of its clock.
   */
  uint32_t clock_khz;
  /**
   * Rows of the dense array; 0 without one.
   */
  uint32_t gemm_rows;
  /**
   * Its columns.
   */
  uint32_t gemm_cols;
  /**
   * Bytes that addresses and distances of lines in buffers must be multiples of.
   */
  uint32_t gemm_align;
  /**
   * Clusters of the sparse engine; 0 without one.
   */
  uint32_t spgemm_clusters;
  /**
   * Lanes of each.
   */
  uint32_t spgemm_lanes;
} MattockCaps;

/**
 * What dense products cost, by the card's counters.
 */
typedef struct MattockGemmStats {
  /**
   * `sizeof(MattockGemmStats)`, set before the call.
   */
  uint32_t struct_size;
  /**
   * Always 0.
   */
  uint32_t reserved;
  /**
   * Commands the card ran.
   */
  uint64_t commands;
  /**
   * Clock cycles of the commands.
   */
  uint64_t cycles;
  /**
   * Clock cycles from the first operand entering the array to the last result leaving it.
   */
  uint64_t compute_cycles;
  /**
   * Multiply-adds.
   */
  uint64_t macs;
  /**
   * Bytes moved, both directions.
   */
  uint64_t dram_bytes;
  /**
   * Elements the host scaled by alpha or beta.
   */
  uint64_t host_elements;
} MattockGemmStats;

/**
 * How a dense product is computed. All zeros but `struct_size` is what is usual.
 */
typedef struct MattockGemmOptions {
  /**
   * `sizeof(MattockGemmOptions)`.
   */
  uint32_t struct_size;
  /**
   * Not 0: load both operands into the card first.
   */
  int32_t resident;
  /**
   * Not 0: in parts when it does not fit card memory. Such a call returns when it is done.
   */
  int32_t chunked;
  /**
   * `MATTOCK_ROUND_...`, of float results.
   */
  int32_t rounding;
  /**
   * Not 0: infinite float results become the largest finite number.
   */
  int32_t saturate;
} MattockGemmOptions;

/**
 * A dense matrix, in host memory or in a buffer.
 *
 * Elements narrower than a byte lie packed, the first in the low bits; their lines begin on bytes.
 */
typedef struct MattockMatrix {
  /**
   * `sizeof(MattockMatrix)`.
   */
  uint32_t struct_size;
  /**
   * `MATTOCK_ROW_MAJOR` or `MATTOCK_COL_MAJOR`.
   */
  int32_t order;
  /**
   * `MATTOCK_TRANS`: the call takes the transposed matrix. 0 or `MATTOCK_NO_TRANS`: as it lies.
   */
  int32_t trans;
  /**
   * Format of the elements with zeros behind it: `"i8"`, `"u4"`, `"f32"`, `"e4m3"`, ...
   */
  char type_name[8];
  /**
   * Rows as it lies, before it is transposed.
   */
  int64_t rows;
  /**
   * Columns as it lies.
   */
  int64_t cols;
  /**
   * Elements from the start of one row (column) to the next; 0: without gaps.
   */
  int64_t ld;
  /**
   * The first element, in host memory; not looked at when there is a buffer. Only results are written.
   */
  void *data;
  /**
   * The buffer it lies in, or null. Lines in buffers are multiples of the card's `gemm_align` apart.
   */
  const struct MattockBuffer *buffer;
  /**
   * Bytes of the buffer before the first element.
   */
  uint64_t offset;
} MattockMatrix;

/**
 * How a sparse product is computed. All zeros but `struct_size` is what is usual.
 */
typedef struct MattockSpgemmOptions {
  /**
   * `sizeof(MattockSpgemmOptions)`.
   */
  uint32_t struct_size;
  /**
   * Not 0: in blocks of rows when C does not fit card memory.
   */
  int32_t chunked;
  /**
   * Plus and times, or what takes their place: 0 plus_times, 1 min_plus, 2 max_plus, 3 max_times,
   * 4 or_and, 5 plus_pair, 6 plus_first, 7 plus_second, 8 any_pair.
   */
  int32_t semiring;
  /**
   * Not 0: products of an entry are added by rising k, so that sums of floats have the same bits on every card. Cards that were
   * not built for it refuse them; sums of integers are the same in any order.
   */
  int32_t ordered;
  /**
   * Most bytes of card memory for columns and values of C; 0: all there is.
   */
  uint64_t memory_budget;
} MattockSpgemmOptions;

/**
 * A sparse matrix in compressed rows; columns rise within each row.
 */
typedef struct MattockCsr {
  /**
   * `sizeof(MattockCsr)`.
   */
  uint32_t struct_size;
  /**
   * One of `MATTOCK_VALUES_...`; of a product, `MATTOCK_VALUES_I32` or `MATTOCK_VALUES_F32`.
   */
  int32_t value_type;
  /**
   * Rows.
   */
  int64_t rows;
  /**
   * Columns.
   */
  int64_t cols;
  /**
   * Entries.
   */
  int64_t nnz;
  /**
   * `rows + 1` numbers from 0 to `nnz` that never fall.
   */
  const uint64_t *row_ptr;
  /**
   * `nnz` columns.
   */
  const uint32_t *columns;
  /**
   * `nnz` values.
   */
  const void *values;
} MattockCsr;

/**
 * Bounds of a sparse product, from the structure of A and B alone.
 */
typedef struct MattockSpgemmEstimate {
  /**
   * `sizeof(MattockSpgemmEstimate)`, set before the call.
   */
  uint32_t struct_size;
  /**
   * Always 0.
   */
  uint32_t reserved;
  /**
   * Multiply-adds.
   */
  uint64_t products;
  /**
   * C has no more entries than this.
   */
  uint64_t nnz_upper;
  /**
   * Bytes of card memory that are enough.
   */
  uint64_t workspace;
} MattockSpgemmEstimate;

/**
 * What a sparse product cost, by the card's counters.
 */
typedef struct MattockSpgemmStats {
  /**
   * `sizeof(MattockSpgemmStats)`, set before the call.
   */
  uint32_t struct_size;
  /**
   * Always 0.
   */
  uint32_t reserved;
  /**
   * Commands the card ran.
   */
  uint64_t commands;
  /**
   * Clock cycles of the commands.
   */
  uint64_t cycles;
  /**
   * Multiply-adds.
   */
  uint64_t products;
  /**
   * Windows of rows.
   */
  uint64_t windows;
  /**
   * Windows that did not fit the table.
   */
  uint64_t spills;
  /**
   * Cycles that products waited for each other; 0 unless sums are ordered.
   */
  uint64_t hazard_stalls;
  /**
   * Bytes moved, both directions.
   */
  uint64_t dram_bytes;
  /**
   * Elements the host computed.
   */
  uint64_t host_elements;
} MattockSpgemmStats;

/**
 * What a product with quantised weights cost.
 */
typedef struct MattockQuantizedStats {
  /**
   * `sizeof(MattockQuantizedStats)`, set before the call.
   */
  uint32_t struct_size;
  /**
   * 0.
   */
  uint32_t reserved;
  /**
   * Commands of the integer products.
   */
  uint64_t commands;
  /**
   * Their clock cycles.
   */
  uint64_t cycles;
  /**
   * What would do if neither array nor bus ever waited, each code counted by its own bits.
   */
  uint64_t ideal_cycles;
  /**
   * Bytes moved both ways.
   */
  uint64_t dram_bytes;
  /**
   * Clock cycles of the outliers, where a card computes them.
   */
  uint64_t outlier_cycles;
  /**
   * The same as `ideal_cycles` for these.
   */
  uint64_t outlier_ideal_cycles;
} MattockQuantizedStats;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Copies the message of this thread's last error into `buffer`, cut to `bytes` with its final zero; gives the bytes
 * the whole message takes with its final zero.
 *
 * The caller sees to it:
 * `buffer` is null or has room for `bytes`.
 */
size_t mattock_last_error(char *buffer,
                          size_t bytes);

/**
 * The version of this interface that the library has.
 */
uint32_t mattock_abi_version(void);

/**
 * Opens the card of a URL: `pci:0000:03:00.0`, `vfio-user:card.sock` or `uart:/dev/ttyUSB1?baud=3000000`. `options` may be
 * null.
 *
 * The caller sees to it:
 * `url` is a string with a final zero, `options` null or a structure of its `struct_size`, `context` writable.
 */
int32_t mattock_open(const char *url,
                     const struct MattockOptions *options,
                     struct MattockContext **context);

/**
 * Closes a card; null is ignored. Buffers, events and plans that are left keep it open until they are freed.
 *
 * The caller sees to it:
 * `context` comes from `mattock_open` and is not used afterwards.
 */
void mattock_close(struct MattockContext *context);

/**
 * What the card was built with.
 *
 * The caller sees to it:
 * `context` is open; `caps` is a structure of its `struct_size`.
 */
int32_t mattock_caps(const struct MattockContext *context, struct MattockCaps *caps);

/**
 * Copies the types of the dense engine, such as `i8,i8,i32 i4,i4,i32` (A,B,C), into `buffer`, cut to `bytes` with its final zero;
 * gives the bytes the whole list takes with it, 0 for a context that is null.
 *
 * The caller sees to it:
 * `context` is open or null; `buffer` is null or has room for `bytes`.
 */
size_t mattock_types(const struct MattockContext *context,
                     char *buffer,
                     size_t bytes);

/**
 * Ends whatever runs on the card and waits until it is quiet.
 *
 * The caller sees to it:
 * `context` is open.
 */
int32_t mattock_reset(const struct MattockContext *context);

/**
 * Takes `bytes` of card memory. Free it with `mattock_free`.
 *
 * The caller sees to it:
 * `context` is open, `buffer` writable.
 */
int32_t mattock_alloc(const struct MattockContext *context,
                      size_t bytes,
                      struct MattockBuffer **buffer);

/**
 * Gives card memory back, when the calls that use it have ended; null is ignored.
 *
 * The caller sees to it:
 * `buffer` comes from `mattock_alloc` and is not used afterwards.
 */
void mattock_free(struct MattockBuffer *buffer);

/**
 * Shows the whole buffer at `*data`, aligned to 8 bytes at least, when the calls that use it have ended: where it lies, when the
 * card's memory is that of this machine, else a copy. It may be read and written there until `mattock_buffer_unmap`; no call may use
 * the buffer meanwhile.
 *
 * The caller sees to it:
 * `buffer` is not freed; `data` is writable.
 */
int32_t mattock_buffer_map(const struct MattockBuffer *buffer,
                           void **data);

/**
 * Ends what `mattock_buffer_map` began: what was written there is in the buffer, and the pointer is not used any more.
 *
 * The caller sees to it:
 * `buffer` is not freed.
 */
int32_t mattock_buffer_unmap(const struct MattockBuffer *buffer);

/**
 * Copies `bytes` of `data` to the card, from byte `offset` of the buffer on, when the calls that use it have ended.
 *
 * The caller sees to it:
 * `buffer` is not freed; `data` has that many bytes.
 */
int32_t mattock_write(const struct MattockBuffer *buffer,
                      size_t offset,
                      const void *data,
                      size_t bytes);

/**
 * Copies `bytes` of the buffer, from byte `offset` on, to `data`, when the calls that use it have ended.
 *
 * The caller sees to it:
 * `buffer` is not freed; `data` has room for that many bytes.
 */
int32_t mattock_read(const struct MattockBuffer *buffer,
                     size_t offset,
                     void *data,
                     size_t bytes);

/**
 * Waits for the end, gives the status of the products, and frees the event. `stats` may be null.
 *
 * The caller sees to it:
 * `event` comes from a call of this library and is not used afterwards; `stats` is null or a structure of its
 * `struct_size`.
 */
int32_t mattock_event_wait(struct MattockEvent *event,
                           struct MattockGemmStats *stats);

/**
 * Waits at most `milliseconds`, 0: not at all. `*over` becomes 1 when the products are over, well or not, which
 * `mattock_event_wait` then tells, else 0.
 *
 * The caller sees to it:
 * `event` comes from a call of this library and was not waited for or freed; `over` is writable.
 */
int32_t mattock_event_query(const struct MattockEvent *event,
                            uint64_t milliseconds,
                            int32_t *over);

/**
 * A file descriptor that becomes readable when the products are over, well or not, and stays so: for `poll`, `epoll` and
 * event loops. Then `mattock_event_query` tells 1. It belongs to the event, which closes it: nothing is to be read from it.
 *
 * While such events are not over a thread of the library moves the card's queue along.
 *
 * The caller sees to it:
 * `event` comes from a call of this library and was not waited for or freed; `fd` is writable.
 */
int32_t mattock_event_fd(const struct MattockEvent *event,
                         int32_t *fd);

/**
 * Waits for the end, whatever it is, and frees the event; null is ignored.
 *
 * The caller sees to it:
 * As `mattock_event_wait`.
 */
void mattock_event_free(struct MattockEvent *event);

/**
 * `C = alpha * A * B + beta * C` by the rules of BLAS, for matrices of any type the card has. `alpha` and `beta` point to
 * `int32_t` when C is `"i32"`, else to `float`. `options` may be null. A, B and C must not overlap.
 *
 * With `event` null the call waits for the result. Else A and B in host memory have been copied when it returns, C
 * must stay where it is until the event has been waited for, and buffers must not be written meanwhile.
 *
 * The caller sees to it:
 * `context` is open; structures have their `struct_size`; matrices have the memory that they say, and nobody
 * changes it meanwhile; `event` is null or writable.
 */
int32_t mattock_gemm(const struct MattockContext *context,
                     const struct MattockGemmOptions *how,
                     const void *alpha,
                     const struct MattockMatrix *a,
                     const struct MattockMatrix *b,
                     const void *beta,
                     const struct MattockMatrix *c,
                     struct MattockEvent **event);

/**
 * `y = alpha * A * x + beta * y`; x and y are matrices of one column. As `mattock_gemm`.
 *
 * The caller sees to it:
 * As `mattock_gemm`.
 */
int32_t mattock_gemv(const struct MattockContext *context,
                     const struct MattockGemmOptions *options,
                     const void *alpha,
                     const struct MattockMatrix *a,
                     const struct MattockMatrix *x,
                     const void *beta,
                     const struct MattockMatrix *y,
                     struct MattockEvent **event);

/**
 * `mattock_gemm` for `batch` triples of matrices of one shape; `stride_a`, `stride_b` and `stride_c` are elements from one matrix
 * to the next, 0 for an operand that all share. Matrices of C may lie beside each other but not overlap.
 *
 * The caller sees to it:
 * As `mattock_gemm`, for all matrices of the batch.
 */
int32_t mattock_gemm_strided_batched(const struct MattockContext *context,
                                     const struct MattockGemmOptions *how,
                                     const void *alpha,
                                     const struct MattockMatrix *a,
                                     int64_t stride_a,
                                     const struct MattockMatrix *b,
                                     int64_t stride_b,
                                     const void *beta,
                                     const struct MattockMatrix *c,
                                     int64_t stride_c,
                                     int64_t batch,
                                     struct MattockEvent **event);

/**
 * `mattock_gemm` for `batch` triples of matrices, which may lie anywhere and differ in shape: `a`, `b` and `c` are arrays of
 * `batch` pointers. Nothing starts unless all of them are right. Results must not overlap each other or any operand.
 *
 * The caller sees to it:
 * As `mattock_gemm`, for all matrices of the batch; the arrays have `batch` pointers.
 */
int32_t mattock_gemm_batched(const struct MattockContext *context,
                             const struct MattockGemmOptions *how,
                             const void *alpha,
                             const struct MattockMatrix *const *a,
                             const struct MattockMatrix *const *b,
                             const void *beta,
                             const struct MattockMatrix *const *c,
                             int64_t batch,
                             struct MattockEvent **event);

/**
 * `C = A * B`, all three phases at once. `options` may be null. On success `product` is to be freed by
 * `mattock_product_free`.
 *
 * The caller sees to it:
 * `context` is open; structures have their `struct_size`, and matrices arrays as long as they say; `product` is
 * writable.
 */
int32_t mattock_spgemm(const struct MattockContext *context,
                       const struct MattockSpgemmOptions *how,
                       const struct MattockCsr *a,
                       const struct MattockCsr *b,
                       struct MattockProduct **product);

/**
 * First phase: what the product may need. Nothing is sent to the card; values are not looked at.
 *
 * The caller sees to it:
 * As `mattock_spgemm`; `estimate` is a structure of its `struct_size`.
 */
int32_t mattock_spgemm_estimate(const struct MattockContext *context,
                                const struct MattockSpgemmOptions *how,
                                const struct MattockCsr *a,
                                const struct MattockCsr *b,
                                struct MattockSpgemmEstimate *estimate);

/**
 * Second phase: the structure of the product, kept on the card. On success `plan` is to be freed by
 * `mattock_plan_free`; `nnz` becomes the entries of C unless it is null.
 *
 * The caller sees to it:
 * As `mattock_spgemm`; `plan` is writable, `nnz` null or writable.
 */
int32_t mattock_spgemm_symbolic(const struct MattockContext *context,
                                const struct MattockSpgemmOptions *how,
                                const struct MattockCsr *a,
                                const struct MattockCsr *b,
                                uint64_t *nnz,
                                struct MattockPlan **plan);

/**
 * Third phase, as often as values change: C with these values of A and B, in the order of their entries and of the plan's
 * type.
 *
 * The caller sees to it:
 * `plan` is not freed; the arrays have as many values as A and B had entries; `product` is writable.
 */
int32_t mattock_spgemm_numeric(struct MattockPlan *plan,
                               const void *a_values,
                               const void *b_values,
                               struct MattockProduct **product);

/**
 * Frees a plan; null is ignored.
 *
 * The caller sees to it:
 * `plan` comes from `mattock_spgemm_symbolic` and is not used afterwards.
 */
void mattock_plan_free(struct MattockPlan *plan);

/**
 * Shows the arrays of a product, which stay there until it is freed. `stats` may be null.
 *
 * The caller sees to it:
 * `product` is not freed; `csr` and `stats` are structures of their `struct_size`.
 */
int32_t mattock_product_csr(const struct MattockProduct *product,
                            struct MattockCsr *csr,
                            struct MattockSpgemmStats *stats);

/**
 * Frees a product and its arrays; null is ignored.
 *
 * The caller sees to it:
 * `product` comes from this library and is not used afterwards.
 */
void mattock_product_free(struct MattockProduct *product);

/**
 * `Y = alpha * A * X + beta * Y` with a sparse A and a dense X of the same type of values, and a dense Y of the type they are
 * computed in, `"i32"` or `"f32"`; alpha and beta point to values of that. With X and Y of one column this is `spmv`. `options` and `stats` may be null.
 *
 * The caller sees to it:
 * As `mattock_spgemm` and `mattock_gemm`; `stats` is null or a structure of its `struct_size`.
 */
int32_t mattock_spmm(const struct MattockContext *context,
                     const struct MattockSpgemmOptions *how,
                     const void *alpha,
                     const struct MattockCsr *a,
                     const struct MattockMatrix *x,
                     const void *beta,
                     const struct MattockMatrix *y,
                     struct MattockSpgemmStats *stats);

/**
 * Copies the name of a semiring, such as `plus-times` for 0, into `buffer`, cut to `bytes` with its final zero; gives the bytes
 * the whole name takes with it, 0 for a number that is no semiring.
 *
 * The caller sees to it:
 * `buffer` is null or has room for `bytes`.
 */
size_t mattock_semiring_name(int32_t semiring,
                             char *buffer,
                             size_t bytes);

/**
 * `mattock_spgemm` of which only the entries are kept that `mask`, a matrix of the product's shape, wants: those where it has an
 * entry, or as `flags` (`MATTOCK_MASK_...`) say. The mask's values may be of another type than those of A and B, and null without
 * `MATTOCK_MASK_BY_VALUE`.
 *
 * The caller sees to it:
 * As `mattock_spgemm`, for the mask too.
 */
int32_t mattock_spgemm_masked(const struct MattockContext *context,
                              const struct MattockSpgemmOptions *how,
                              const struct MattockCsr *a,
                              const struct MattockCsr *b,
                              const struct MattockCsr *mask,
                              int32_t flags,
                              struct MattockProduct **product);

/**
 * `C + A * B` over the options' semiring, of which only the entries are kept that `mask` wants. `mask` and `c` have the shape of
 * the product and may be null. Where C has an entry it is one more value of its sum, the first when sums are ordered; its values
 * have the type of the product's: `MATTOCK_VALUES_I32` when those of A and B are integers, else `MATTOCK_VALUES_F32`.
 * `flags` are `MATTOCK_PRUNE` and, when there is a mask, those of `mattock_spgemm_masked`.
 *
 * The caller sees to it:
 * As `mattock_spgemm`, for the mask and C too.
 */
int32_t mattock_spgemm_onto(const struct MattockContext *context,
                            const struct MattockSpgemmOptions *how,
                            const struct MattockCsr *a,
                            const struct MattockCsr *b,
                            const struct MattockCsr *mask,
                            int32_t flags,
                            const struct MattockCsr *c,
                            struct MattockProduct **product);

/**
 * Reads a file that `mattock quantize` has written and copies the weights into card memory, in the order that suits products with `rows`
 * rows of activations. Free them with `mattock_weights_free`.
 *
 * The caller sees to it:
 * `context` is open, `path` a string with a final zero, `weights` writable.
 */
int32_t mattock_weights_open(const struct MattockContext *context,
                             const char *path,
                             int64_t rows,
                             struct MattockWeights **weights);

/**
 * Inputs (rows) and outputs (columns) of the weights; either may be null.
 *
 * The caller sees to it:
 * `weights` are not freed; `rows` and `cols` are null or writable.
 */
int32_t mattock_weights_shape(const struct MattockWeights *weights, int64_t *rows, int64_t *cols);

/**
 * Gives the weights' card memory back; null is ignored.
 *
 * The caller sees to it:
 * `weights` come from `mattock_weights_open` and are not used afterwards.
 */
void mattock_weights_free(struct MattockWeights *weights);

/**
 * `d = activations * weights`, of `m` rows that lie one after the other; waits for the result. `outliers` is the card that multiplies rows
 * in binary16, the same or another one; null: this process does. `stats` may be null.
 *
 * The caller sees to it:
 * `context` is open, `weights` are in its card; `activations` has `m` times the weights' rows, `d` `m` times their columns, and nobody
 * changes them meanwhile; `outliers` is null or open; `stats` is null or a structure of its `struct_size`.
 */
int32_t mattock_gemm_quantized(const struct MattockContext *context,
                               const float *activations,
                               int64_t m,
                               const struct MattockWeights *weights,
                               const struct MattockContext *outliers,
                               float *d,
                               struct MattockQuantizedStats *stats);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MATTOCK_H */
