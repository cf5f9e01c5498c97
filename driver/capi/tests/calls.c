/* Every call of the C interface, its good and its bad arguments; prints what it sees. */
#include <mattock.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROW MATTOCK_ROW_MAJOR
#define EXPECT(x) do { if (!(x)) { fprintf(stderr, "line %d: %s\n", __LINE__, #x); exit(1); } } while (0)
#define OK(call) do { int32_t s_ = (call); if (s_) { said("failed", s_); fprintf(stderr, "line %d\n", __LINE__); exit(1); } } while (0)

static void said(const char *what, int32_t status) {
    char why[300];
    size_t bytes = mattock_last_error(why, sizeof why);
    EXPECT(bytes == strlen(why) + 1);
    printf("%s: %d, %s\n", what, status, why);
}

static MattockMatrix matrix(const char *type, int64_t rows, int64_t cols, int64_t ld, const void *data) {
    MattockMatrix m = {sizeof m, ROW, .rows = rows, .cols = cols, .ld = ld, .data = (void *)data};
    strncpy(m.type_name, type, sizeof m.type_name);
    return m;
}

static void dense(MattockContext *card) {
    int8_t a[6] = {1, 2, 3, 4, 5, 6}, b[6] = {1, 0, 0, 1, 1, 1};
    int32_t c[4] = {10, 20, 30, 40}, one = 1, two = 2, zero = 0;
    float half = 0.5f;
    MattockMatrix A = matrix("i8", 2, 3, 0, a), B = matrix("i8", 3, 2, 2, b), C = matrix("i32", 2, 2, 2, c);
    OK(mattock_gemm(card, NULL, &two, &A, &B, &one, &C, NULL));
    EXPECT(c[0] == 18 && c[1] == 30 && c[2] == 50 && c[3] == 62);
    /* Transposes: A' = B' * ... of the same memory. */
    MattockMatrix At = A, Bt = B;
    At.trans = MATTOCK_TRANS, Bt.trans = MATTOCK_TRANS;
    int32_t d[9];
    MattockMatrix D = matrix("i32", 3, 3, 3, d);
    OK(mattock_gemm(card, NULL, &one, &At, &Bt, &zero, &D, NULL));
    EXPECT(d[0] == 1 && d[1] == 4 && d[2] == 5 && d[8] == 9);
    /* A vector. */
    int8_t x[3] = {1, 1, 1};
    int32_t y[2];
    MattockMatrix X = matrix("i8", 3, 1, 1, x), Y = matrix("i32", 2, 1, 1, y);
    OK(mattock_gemv(card, NULL, &one, &A, &X, &zero, &Y, NULL));
    EXPECT(y[0] == 6 && y[1] == 15);
    said("gemv", mattock_gemv(card, NULL, &one, &A, &B, &zero, &Y, NULL));
    /* A batch: A for both, B and C one after the other. */
    int8_t bs[12] = {1, 0, 0, 1, 1, 1, 2, 0, 0, 2, 2, 2};
    int32_t cs[8];
    MattockMatrix Bs = matrix("i8", 3, 2, 2, bs), Cs = matrix("i32", 2, 2, 2, cs);
    OK(mattock_gemm_strided_batched(card, NULL, &one, &A, 0, &Bs, 6, &zero, &Cs, 4, 2, NULL));
    EXPECT(cs[0] == 4 && cs[3] == 11 && cs[4] == 8 && cs[7] == 22);
    /* A batch of matrices that lie anywhere and differ in shape. */
    int8_t row[3] = {1, 0, 2};
    int32_t e[2] = {7, 7}, f[4];
    MattockMatrix R = matrix("i8", 1, 3, 3, row), E = matrix("i32", 1, 2, 2, e), F = matrix("i32", 2, 2, 2, f);
    const MattockMatrix *as[] = {&A, &R}, *bb[] = {&B, &B}, *cc[] = {&F, &E};
    OK(mattock_gemm_batched(card, NULL, &one, as, bb, &zero, cc, 2, NULL));
    EXPECT(f[0] == 4 && f[3] == 11 && e[0] == 3 && e[1] == 2);
    OK(mattock_gemm_batched(card, NULL, &one, NULL, NULL, &zero, NULL, 0, NULL));
    MattockMatrix narrow = B;
    narrow.ld = 1;
    bb[1] = &narrow;
    said("batched ld", mattock_gemm_batched(card, NULL, &one, as, bb, &zero, cc, 2, NULL));
    bb[1] = NULL;
    said("batched null", mattock_gemm_batched(card, NULL, &one, as, bb, &zero, cc, 2, NULL));
    bb[1] = &B, cc[1] = &F;
    said("batched overlap", mattock_gemm_batched(card, NULL, &one, as, bb, &zero, cc, 2, NULL));
    cc[1] = &C;
    said("batched shape", mattock_gemm_batched(card, NULL, &one, as, bb, &zero, cc, 2, NULL));
    said("batched lists", mattock_gemm_batched(card, NULL, &one, NULL, bb, &zero, cc, 2, NULL));
    said("batched count", mattock_gemm_batched(card, NULL, &one, as, bb, &zero, cc, -1, NULL));
    said("batch", mattock_gemm_strided_batched(card, NULL, &one, &A, 0, &Bs, 6, &zero, &Cs, 3, 2, NULL));
    /* Wrong arguments leave C as it is. */
    MattockMatrix wrong = B;
    wrong.ld = 1;
    said("ld", mattock_gemm(card, NULL, &one, &A, &wrong, &zero, &C, NULL));
    wrong.ld = 0, wrong.rows = -3;
    said("rows", mattock_gemm(card, NULL, &one, &A, &wrong, &zero, &C, NULL));
    wrong.rows = 2;
    said("shape", mattock_gemm(card, NULL, &one, &A, &wrong, &zero, &C, NULL));
    wrong = matrix("i9000", 3, 2, 2, b);
    said("type", mattock_gemm(card, NULL, &one, &A, &wrong, &zero, &C, NULL));
    wrong = matrix("f32", 3, 2, 2, b);
    said("pair", mattock_gemm(card, NULL, &half, &A, &wrong, &half, &C, NULL));
    wrong = matrix("i8", 3, 2, 2, c);
    said("overlap", mattock_gemm(card, NULL, &one, &A, &wrong, &zero, &C, NULL));
    wrong = B, wrong.struct_size = 8;
    said("size", mattock_gemm(card, NULL, &one, &A, &wrong, &zero, &C, NULL));
    said("null", mattock_gemm(card, NULL, &one, &A, NULL, &zero, &C, NULL));
    said("alpha", mattock_gemm(card, NULL, NULL, &A, &B, &zero, &C, NULL));
    said("closed", mattock_gemm(NULL, NULL, &one, &A, &B, &zero, &C, NULL));
    EXPECT(c[0] == 18 && c[3] == 62);
}

static void buffers(MattockContext *card) {
    enum { N = 16, LD = 64 };
    static int8_t a[N][LD], back[N][LD];
    static int32_t c[N][LD];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) a[i][j] = (int8_t)(i - j);
    MattockBuffer *on_card, *result;
    OK(mattock_alloc(card, sizeof a, &on_card));
    OK(mattock_alloc(card, sizeof c, &result));
    OK(mattock_write(on_card, 0, a, sizeof a));
    OK(mattock_read(on_card, 0, back, sizeof back));
    EXPECT(!memcmp(a, back, sizeof a));
    int32_t one = 1, zero = 0;
    MattockMatrix A = matrix("i8", N, N, LD, NULL), C = matrix("i32", N, N, LD, NULL);
    A.buffer = on_card, C.buffer = result;
    MattockEvent *event;
    OK(mattock_gemm(card, NULL, &one, &A, &A, &zero, &C, &event));
    int32_t over = 0;
    while (!over) OK(mattock_event_query(event, 1, &over));
    int32_t fd = -1, again = -1;
    OK(mattock_event_fd(event, &fd));
    OK(mattock_event_fd(event, &again));
    struct pollfd readable = {fd, POLLIN, 0};
    EXPECT(fd >= 0 && fd == again && poll(&readable, 1, 0) == 1 && readable.revents == POLLIN);
    said("no fd", mattock_event_fd(event, NULL));
    MattockGemmStats cost = {sizeof cost};
    OK(mattock_event_wait(event, &cost));
    EXPECT(cost.macs == N * N * N && cost.commands == 1 && cost.host_elements == 0);
    OK(mattock_read(result, 0, c, sizeof c));
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            int32_t want = 0;
            for (int k = 0; k < N; k++) want += a[i][k] * a[k][j];
            EXPECT(c[i][j] == want);
        }
    /* Several at once, waited for by file descriptors alone. */
    MattockEvent *several[4];
    struct pollfd fds[4];
    for (int i = 0; i < 4; i++) {
        OK(mattock_gemm(card, NULL, &one, &A, &A, &zero, &C, &several[i]));
        OK(mattock_event_fd(several[i], &fds[i].fd));
        fds[i].events = POLLIN;
    }
    for (int i = 0; i < 4; i++) {
        EXPECT(poll(&fds[i], 1, 60000) == 1);
        OK(mattock_event_query(several[i], 0, &over));
        EXPECT(over == 1);
        OK(mattock_event_wait(several[i], NULL));
    }
    /* The buffers where they lie. */
    int32_t(*shown)[LD];
    OK(mattock_buffer_map(result, (void **)&shown));
    EXPECT(shown[1][0] == c[1][0] && shown[N - 1][N - 1] == c[N - 1][N - 1]);
    said("mapped", mattock_buffer_map(result, (void **)&shown));
    shown[0][0] = 77;
    OK(mattock_buffer_unmap(result));
    said("not mapped", mattock_buffer_unmap(result));
    said("map nowhere", mattock_buffer_map(result, NULL));
    OK(mattock_read(result, 0, c, sizeof c));
    EXPECT(c[0][0] == 77);
    /* Freed while a command uses it: the event keeps it. */
    OK(mattock_gemm(card, NULL, &one, &A, &A, &one, &C, &event));
    mattock_free(on_card);
    mattock_free(result);
    mattock_event_free(event);
    said("write", mattock_write(NULL, 0, a, 1));
    OK(mattock_alloc(card, 10, &on_card));
    said("end", mattock_write(on_card, 8, a, 3));
    mattock_free(on_card);
    said("memory", mattock_alloc(card, (size_t)1 << 60, &on_card));
}

static void sparse(MattockContext *card) {
    uint64_t row_ptr[] = {0, 2, 3, 3};
    uint32_t columns[] = {0, 2, 1};
    int32_t values[] = {1, 2, 3}, twice[] = {2, 4, 6};
    MattockCsr A = {sizeof A, MATTOCK_VALUES_I32, 3, 3, 3, row_ptr, columns, values};
    MattockSpgemmEstimate bound = {sizeof bound};
    OK(mattock_spgemm_estimate(card, NULL, &A, &A, &bound));
    EXPECT(bound.products == 3 && bound.nnz_upper >= 3 && bound.workspace > 0);
    MattockPlan *plan;
    uint64_t nnz;
    OK(mattock_spgemm_symbolic(card, NULL, &A, &A, &nnz, &plan));
    EXPECT(nnz == 3);
    for (int round = 1; round <= 2; round++) {
        MattockProduct *product;
        OK(mattock_spgemm_numeric(plan, round == 1 ? values : twice, values, &product));
        MattockCsr C = {sizeof C};
        MattockSpgemmStats cost = {sizeof cost};
        OK(mattock_product_csr(product, &C, &cost));
        const int32_t *c = C.values;
        EXPECT(C.nnz == 3 && C.rows == 3 && C.row_ptr[1] == 2 && C.columns[1] == 2 && C.value_type == MATTOCK_VALUES_I32);
        EXPECT(c[0] == round && c[1] == 2 * round && c[2] == 9 * round && cost.products == 3);
        mattock_product_free(product);
    }
    mattock_plan_free(plan);
    int32_t x[3] = {1, 10, 100}, y[3] = {5, 5, 5}, one = 1, two = 2;
    MattockMatrix X = matrix("i32", 3, 1, 1, x), Y = matrix("i32", 3, 1, 1, y);
    OK(mattock_spmm(card, NULL, &two, &A, &X, &one, &Y, NULL));
    EXPECT(y[0] == 407 && y[1] == 65 && y[2] == 5);
    /* Values of one byte: sums of four. */
    int8_t bytes[] = {-128, 2, 3}, x8[3] = {1, 10, 100};
    int32_t y8[3];
    MattockCsr A8 = {sizeof A8, MATTOCK_VALUES_I8, 3, 3, 3, row_ptr, columns, bytes};
    MattockMatrix X8 = matrix("i8", 3, 1, 1, x8), Y8 = matrix("i32", 3, 1, 1, y8);
    int32_t none_of_it = 0;
    OK(mattock_spgemm_symbolic(card, NULL, &A8, &A8, NULL, &plan));
    for (int round = 0; round < 2; round++) {
        MattockProduct *product;
        if (round) {
            OK(mattock_spgemm(card, NULL, &A8, &A8, &product));
        } else {
            OK(mattock_spgemm_numeric(plan, bytes, bytes, &product));
        }
        MattockCsr C = {sizeof C};
        OK(mattock_product_csr(product, &C, NULL));
        const int32_t *c = C.values;
        EXPECT(C.value_type == MATTOCK_VALUES_I32 && c[0] == 16384 && c[1] == -256 && c[2] == 9);
        mattock_product_free(product);
    }
    mattock_plan_free(plan);
    OK(mattock_spmm(card, NULL, &one, &A8, &X8, &none_of_it, &Y8, NULL));
    EXPECT(y8[0] == 72 && y8[1] == 30 && y8[2] == 0);
    /* Halves: 1.5 and the least number, whose product a float holds. */
    uint16_t halves[] = {0x3e00, 0x0001, 0x3c00};
    MattockCsr A16 = {sizeof A16, MATTOCK_VALUES_F16, 3, 3, 3, row_ptr, columns, halves};
    MattockProduct *real;
    MattockCsr R = {sizeof R};
    OK(mattock_spgemm(card, NULL, &A16, &A16, &real));
    OK(mattock_product_csr(real, &R, NULL));
    const float *r = R.values;
    EXPECT(R.value_type == MATTOCK_VALUES_F32 && r[0] == 2.25f && r[1] == 1.5f / 16777216 && r[2] == 1);
    mattock_product_free(real);
    /* Of the product only what a mask wants: (0,0) and (2,2), by structure, value, complement. */
    uint64_t mask_ptr[] = {0, 1, 1, 2};
    uint32_t mask_cols[] = {0, 2};
    float mask_values[] = {0, 1};
    MattockCsr M = {sizeof M, MATTOCK_VALUES_F32, 3, 3, 2, mask_ptr, mask_cols, NULL};
    int64_t expected[4] = {1, 2, 0, 3};
    for (int flags = 0; flags < 4; flags++) {
        MattockProduct *product;
        MattockCsr masked = {sizeof masked};
        M.values = flags & MATTOCK_MASK_BY_VALUE ? mask_values : NULL;
        OK(mattock_spgemm_masked(card, NULL, &A, &A, &M, flags, &product));
        OK(mattock_product_csr(product, &masked, NULL));
        EXPECT(masked.nnz == expected[flags]);
        mattock_product_free(product);
    }
    /* Onto a matrix: (0,1) is its own, (0,0) becomes 1 - 1, which goes where zeros do; then only (0,0) and (2,2). */
    uint64_t onto_ptr[] = {0, 2, 2, 2};
    uint32_t onto_cols[] = {0, 1};
    int32_t onto_values[] = {-1, 7};
    MattockCsr O = {sizeof O, MATTOCK_VALUES_I32, 3, 3, 2, onto_ptr, onto_cols, onto_values};
    struct { const MattockCsr *mask, *c; int32_t flags; int64_t nnz; int32_t first; } wanted[] = {
        {NULL, NULL, 0, 3, 1}, {NULL, &O, 0, 4, 0}, {NULL, &O, MATTOCK_PRUNE, 3, 7}, {&M, &O, 0, 1, 0},
        {&M, &O, MATTOCK_MASK_COMPLEMENT, 3, 7}, {&M, NULL, MATTOCK_PRUNE, 1, 1},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        MattockProduct *product;
        MattockCsr D = {sizeof D};
        OK(mattock_spgemm_onto(card, NULL, &A, &A, wanted[i].mask, wanted[i].flags, wanted[i].c, &product));
        OK(mattock_product_csr(product, &D, NULL));
        EXPECT(D.nnz == wanted[i].nnz && *(const int32_t *)D.values == wanted[i].first);
        mattock_product_free(product);
    }
    MattockProduct *nothing;
    said("onto flags", mattock_spgemm_onto(card, NULL, &A, &A, &M, 8, &O, &nothing));
    said("onto no mask", mattock_spgemm_onto(card, NULL, &A, &A, NULL, MATTOCK_MASK_COMPLEMENT, &O, &nothing));
    O.value_type = MATTOCK_VALUES_F32;
    said("onto values", mattock_spgemm_onto(card, NULL, &A, &A, NULL, 0, &O, &nothing));
    O.value_type = MATTOCK_VALUES_I32, O.rows = 2;
    said("onto shape", mattock_spgemm_onto(card, NULL, &A, &A, NULL, 0, &O, &nothing));
    char name[20];
    EXPECT(mattock_semiring_name(1, name, sizeof name) == 9 && !strcmp(name, "min-plus"));
    EXPECT(mattock_semiring_name(-1, name, sizeof name) == 0 && mattock_semiring_name(9, NULL, 0) == 0);
    MattockProduct *none;
    said("flags", mattock_spgemm_masked(card, NULL, &A, &A, &M, 4, &none));
    M.values = NULL;
    said("mask values", mattock_spgemm_masked(card, NULL, &A, &A, &M, MATTOCK_MASK_BY_VALUE, &none));
    said("mask", mattock_spgemm_masked(card, NULL, &A, &A, NULL, 0, &none));
    M.rows = 2, M.nnz = 1;
    said("mask shape", mattock_spgemm_masked(card, NULL, &A, &A, &M, 0, &none));
    row_ptr[1] = 4;
    said("pointers", mattock_spgemm(card, NULL, &A, &A, &none));
    row_ptr[1] = 2, columns[1] = 3;
    said("columns", mattock_spgemm(card, NULL, &A, &A, &none));
    A.value_type = 7;
    said("values", mattock_spgemm(card, NULL, &A, &A, &none));
    /* In order: integers are in any, floats only where the card was built for it. */
    MattockSpgemmOptions ordered = {sizeof ordered, .ordered = 1};
    A.value_type = MATTOCK_VALUES_I32, columns[1] = 2;
    OK(mattock_spgemm(card, &ordered, &A, &A, &none));
    mattock_product_free(none);
    said("order", mattock_spgemm(card, &ordered, &A16, &A16, &none));
    MattockSpgemmOptions odd = {sizeof odd, .semiring = 9};
    said("semiring", mattock_spgemm(card, &odd, &A, &A, &none));
}

/* Products with quantised weights are tried in Python, which can write their files. */
static void quantised(MattockContext *card) {
    MattockWeights *weights = NULL;
    float x[2] = {1, 2}, d[2];
    said("file", mattock_weights_open(card, "/nowhere/weights.npz", 1, &weights));
    said("path", mattock_weights_open(card, NULL, 1, &weights));
    said("rows", mattock_weights_open(card, "weights.npz", -1, &weights));
    said("weights", mattock_gemm_quantized(card, x, 1, weights, NULL, d, NULL));
    said("shape", mattock_weights_shape(weights, NULL, NULL));
    mattock_weights_free(weights);
}

int main(int argc, char **argv) {
    MattockContext *card;
    EXPECT(argc == 2 && mattock_abi_version() == MATTOCK_ABI_VERSION);
    said("url", mattock_open("sim:small", NULL, &card));
    said("nowhere", mattock_open("vfio-user:/nowhere/card.sock", NULL, &card));
    MattockOptions options = {sizeof options, .memory_budget = 1 << 20};
    OK(mattock_open(argv[1], &options, &card));
    MattockCaps caps = {sizeof caps};
    OK(mattock_caps(card, &caps));
    EXPECT(caps.gemm_rows == 8 && caps.gemm_cols == 8 && caps.spgemm_clusters == 1);
    char types[200];
    EXPECT(mattock_types(card, types, sizeof types) == strlen(types) + 1 && strstr(types, "i8,i8,i32"));
    dense(card);
    buffers(card);
    sparse(card);
    quantised(card);
    OK(mattock_reset(card));
    mattock_close(card);
    mattock_close(NULL);
    return 0;
}
