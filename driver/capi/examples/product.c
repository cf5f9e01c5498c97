/* A dense product of bytes, then a sparse one.
 *
 *     cc product.c -I driver/capi/include -L target/debug -lmattock -o product
 *     mattock serve --config small --socket card.sock &
 *     LD_LIBRARY_PATH=target/debug ./product vfio-user:card.sock
 */
#include <mattock.h>
#include <stdio.h>
#include <stdlib.h>

static void check(int32_t status, const char *what) {
    if (status == MATTOCK_OK) return;
    char why[256];
    mattock_last_error(why, sizeof why);
    fprintf(stderr, "%s: status %d: %s\n", what, status, why);
    exit(1);
}

static void dense(MattockContext *card) {
    int8_t a[2][3] = {{1, 2, 3}, {4, 5, 6}};
    int8_t b[3][2] = {{1, 0}, {0, 1}, {1, 1}};
    int32_t c[2][2], one = 1, zero = 0;
    MattockMatrix A = {sizeof A, MATTOCK_ROW_MAJOR, .type_name = "i8", .rows = 2, .cols = 3, .data = a};
    MattockMatrix B = {sizeof B, MATTOCK_ROW_MAJOR, .type_name = "i8", .rows = 3, .cols = 2, .data = b};
    MattockMatrix C = {sizeof C, MATTOCK_ROW_MAJOR, .type_name = "i32", .rows = 2, .cols = 2, .data = c};
    MattockEvent *event;
    check(mattock_gemm(card, NULL, &one, &A, &B, &zero, &C, &event), "gemm");
    /* The host is free until here. */
    MattockGemmStats cost = {sizeof cost};
    check(mattock_event_wait(event, &cost), "gemm");
    printf("dense: %d %d %d %d, %llu multiply-adds\n", c[0][0], c[0][1], c[1][0], c[1][1],
           (unsigned long long)cost.macs);
}

static void sparse(MattockContext *card) {
    /* A cycle of four vertices; its square says who is two steps away. */
    uint64_t row_ptr[] = {0, 1, 2, 3, 4};
    uint32_t columns[] = {1, 2, 3, 0};
    float values[] = {1, 2, 3, 4};
    MattockCsr A = {sizeof A, MATTOCK_VALUES_F32, 4, 4, 4, row_ptr, columns, values};
    MattockProduct *product;
    check(mattock_spgemm(card, NULL, &A, &A, &product), "spgemm");
    MattockCsr C = {sizeof C};
    check(mattock_product_csr(product, &C, NULL), "spgemm");
    printf("sparse:");
    for (int64_t row = 0; row < C.rows; row++)
        for (uint64_t i = C.row_ptr[row]; i < C.row_ptr[row + 1]; i++)
            printf(" (%lld,%u)=%g", (long long)row, C.columns[i], ((const float *)C.values)[i]);
    printf("\n");
    mattock_product_free(product);
}

int main(int argc, char **argv) {
    MattockContext *card;
    check(mattock_open(argc > 1 ? argv[1] : "pci:0000:03:00.0", NULL, &card), "open");
    dense(card);
    sparse(card);
    mattock_close(card);
    return 0;
}
