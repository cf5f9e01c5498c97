/* A program that knows only CBLAS. */
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned seed = 1;
static float draw(int whole) {
    seed = seed * 1664525u + 1013904223u;
    float x = (float)((int)(seed >> 16) % 100);
    return whole ? x : x + 0.3f;
}

/* All orders and transposes, with gaps between lines; the reference adds in double. */
static void sgemm(int whole) {
    enum { M = 5, N = 7, K = 11, LD = 13 };
    float alphas[] = {1, -0.5f, 0}, betas[] = {0, 1, 0.25f};
    for (int pick = 0; pick < 72; pick++) {
        CBLAS_ORDER order = pick & 1 ? CblasColMajor : CblasRowMajor;
        CBLAS_TRANSPOSE ta = pick & 2 ? CblasTrans : CblasNoTrans, tb = pick & 4 ? CblasTrans : CblasNoTrans;
        float alpha = alphas[pick / 8 % 3], beta = betas[pick / 24];
        static float a[LD * LD], b[LD * LD], c[LD * LD], before[LD * LD];
        for (int i = 0; i < LD * LD; i++) {
            a[i] = draw(whole), b[i] = draw(whole), before[i] = c[i] = beta == 0 ? NAN : draw(0);
        }
        cblas_sgemm(order, ta, tb, M, N, K, alpha, a, LD, b, LD, beta, c, LD);
        for (int i = 0; i < M; i++)
            for (int j = 0; j < N; j++) {
                double sum = 0;
                for (int k = 0; k < K; k++) {
                    int ra = ta == CblasTrans ? k : i, ca = ta == CblasTrans ? i : k;
                    int rb = tb == CblasTrans ? j : k, cb = tb == CblasTrans ? k : j;
                    sum += (double)a[order == CblasRowMajor ? ra * LD + ca : ca * LD + ra]
                         * b[order == CblasRowMajor ? rb * LD + cb : cb * LD + rb];
                }
                int at = order == CblasRowMajor ? i * LD + j : j * LD + i;
                double want = alpha * sum + (beta == 0 ? 0 : beta * before[at]);
                if (!(fabs(c[at] - want) <= 1e-5 * fabs(want))) {
                    fprintf(stderr, "case %d at %d,%d: %g, not %g\n", pick, i, j, c[at], want);
                    exit(1);
                }
                before[at] = c[at];
            }
        /* Gaps are nobody's. */
        for (int i = 0; i < LD * LD; i++)
            if (c[i] != before[i] && !(isnan(c[i]) && isnan(before[i]))) exit(2);
    }
}

static void sgemv(void) {
    float a[6] = {1, 2, 3, 4, 5, 6}, x[] = {1, 9, 10, 9, 100}, y[] = {1, 7, 2};
    cblas_sgemv(CblasRowMajor, CblasNoTrans, 2, 3, 1, a, 3, x, 2, 2, y, -2);
    if (y[0] != 656 || y[1] != 7 || y[2] != 325) exit(3);
    float z[3] = {NAN, NAN, NAN};
    cblas_sgemv(CblasColMajor, CblasNoTrans, 3, 2, 2, a, 3, x, -4, 0, z, 1);
    if (z[0] != 208 || z[1] != 410 || z[2] != 612) exit(4);
    cblas_sgemv(CblasRowMajor, CblasTrans, 2, 3, 1, a, 3, x, 2, 0, z, 1);
    if (z[0] != 41 || z[1] != 52 || z[2] != 63) exit(5);
}

int main(void) {
    unsigned long long card, host;
    sgemm(1);
    mattock_cblas_counts((uint64_t *)&card, (uint64_t *)&host);
    printf("whole numbers: %llu on the card, %llu on the host\n", card, host);
    sgemm(0);
    sgemv();
    mattock_cblas_counts((uint64_t *)&card, (uint64_t *)&host);
    printf("and fractions, and vectors: %llu on the card, %llu on the host\n", card, host);
    float a[4] = {0}, c[4] = {42};
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, 2, 2, 5, 1, a, 5, a, 1, 0, c, 2);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, 3, 2, 2, 1, a, 2, a, 2, 0, c, 2);
    cblas_sgemm(7, CblasNoTrans, CblasNoTrans, 1, 1, 1, 1, a, 1, a, 1, 0, c, 1);
    cblas_sgemv(CblasRowMajor, CblasNoTrans, 1, 1, 1, a, 1, a, 0, 0, c, 1);
    if (c[0] != 42) return 6;
    int8_t s[4] = {1, -2, 3, 4};
    uint8_t u[4] = {255, 0, 1, 2};
    int32_t d[4];
    if (mattock_cblas_gemm_s8s8s32(CblasRowMajor, CblasNoTrans, CblasTrans, 2, 2, 2, 1, s, 2, s, 2, 0, d, 2)) return 7;
    if (d[0] != 5 || d[1] != -5 || d[2] != -5 || d[3] != 25) return 8;
    printf("u8: %d\n", mattock_cblas_gemm_u8s8s32(CblasRowMajor, CblasNoTrans, CblasNoTrans, 2, 2, 2, 1, u, 2, s, 2, 0, d, 2));
    return 0;
}
