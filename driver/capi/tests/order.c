/* Sums in order, on a card built for it; prints what they cost. */
#include <mattock.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPECT(x) do { if (!(x)) { fprintf(stderr, "line %d: %s\n", __LINE__, #x); exit(1); } } while (0)
#define N 60

int main(int argc, char **argv) {
    MattockContext *card;
    EXPECT(argc == 2 && !mattock_open(argv[1], NULL, &card));
    /* A row of N times a column of N: 2^24, then ones, each of which is lost, then -2^24. */
    uint64_t row_ptr[] = {0, N}, col_ptr[N + 1] = {0};
    uint32_t columns[N], zeros[N] = {0};
    float values[N], ones[N];
    for (int i = 0; i < N; i++) {
        col_ptr[i + 1] = i + 1, columns[i] = i, ones[i] = 1;
        values[i] = i == 0 ? 16777216 : i == N - 1 ? -16777216 : 1;
    }
    MattockCsr A = {sizeof A, MATTOCK_VALUES_F32, 1, N, N, row_ptr, columns, values};
    MattockCsr B = {sizeof B, MATTOCK_VALUES_F32, N, 1, N, col_ptr, zeros, ones};
    for (int ordered = 0; ordered < 2; ordered++) {
        MattockSpgemmOptions options = {sizeof options, .ordered = ordered};
        MattockProduct *product;
        MattockCsr C = {sizeof C};
        MattockSpgemmStats cost = {sizeof cost};
        EXPECT(!mattock_spgemm(card, &options, &A, &B, &product) && !mattock_product_csr(product, &C, &cost));
        float sum = *(const float *)C.values;
        EXPECT(C.nnz == 1 && cost.products == N && (ordered ? sum == 0 && cost.hazard_stalls > N : sum > 0 && !cost.hazard_stalls));
        mattock_product_free(product);
    }
    /* The first 2^24 from a matrix that the product is added to: the ones are lost as before. */
    uint64_t onto_ptr[] = {0, 1};
    float onto_value = values[0];
    MattockCsr O = {sizeof O, MATTOCK_VALUES_F32, 1, 1, 1, onto_ptr, zeros, &onto_value};
    MattockSpgemmOptions options = {sizeof options, .ordered = 1};
    values[0] = 1;
    for (int flags = 0; flags <= MATTOCK_PRUNE; flags += MATTOCK_PRUNE) {
        MattockProduct *product;
        MattockCsr C = {sizeof C};
        EXPECT(!mattock_spgemm_onto(card, &options, &A, &B, NULL, flags, &O, &product) && !mattock_product_csr(product, &C, NULL));
        EXPECT(flags ? C.nnz == 0 : C.nnz == 1 && *(const float *)C.values == 0);
        mattock_product_free(product);
    }
    printf("in order\n");
    mattock_close(card);
    return 0;
}
