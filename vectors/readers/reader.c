/* Reads the vectors that "varstudy vectors export DIR" writes, and checks a layer norm with them.
   cc -std=c99 -Wall -Werror reader.c -lm -o reader && ./reader DIR [OUT]   (OUT: write the answers there, as float32) */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { char name[32], dtype[16]; long at, count, head, axes, shape[8], strides[8]; } Array;

static int width_of(const char *dtype) { return !strcmp(dtype, "float64") ? 8 : !strcmp(dtype, "float32") ? 4 : 2; }
static double decode(const unsigned char *p, const char *dtype) { /* one little-endian number */
    uint64_t bits = 0;
    int size = width_of(dtype);
    for (int k = size - 1; k >= 0; k--) bits = bits << 8 | p[k];
    if (size == 8) { double v; memcpy(&v, &bits, 8); return v; }
    if (!strcmp(dtype, "float16")) {
        int e = bits >> 10 & 31, m = bits & 1023;
        double v = e == 31 ? (m ? NAN : INFINITY) : e ? ldexp(1024 + m, e - 25) : ldexp(m, -24);
        return bits >> 15 ? -v : v;
    }
    float f;
    uint32_t word = size == 2 ? (uint32_t)bits << 16 : (uint32_t)bits; /* bfloat16 is half of a float32 */
    return memcpy(&f, &word, 4), f;
}

static long size_of(const Array *a) { long n = 1; for (int k = 0; k < a->axes; k++) n *= a->shape[k]; return n; }

static double *load(const unsigned char *file, const Array *a) { /* the elements in the order of the indices */
    long n = size_of(a), width = width_of(a->dtype);
    double *values = malloc(sizeof(double) * (n ? n : 1));
    for (long i = 0; i < n; i++) {
        long p = 0, rest = i;
        for (int k = a->axes - 1; k >= 0; k--) { p += rest % a->shape[k] * a->strides[k]; rest /= a->shape[k]; }
        if (p >= a->count) p = a->head + (p - a->head) % (a->count - a->head);
        values[i] = decode(file + a->at + p * width, a->dtype);
    }
    return values;
}

/* The kernel: put yours here. */
static void layer_norm(const double *x, const double *w, const double *b, double epsilon, long rows, long n, float *y) {
    for (long r = 0; r < rows; r++, x += n, y += n) {
        double mean = 0, square = 0;
        for (long k = 0; k < n; k++) mean += x[k] / n;
        for (long k = 0; k < n; k++) square += (x[k] - mean) * (x[k] - mean);
        for (long k = 0; k < n; k++) y[k] = (float)((x[k] - mean) / sqrt(square / n + epsilon) * w[k] + b[k]);
    }
}

static unsigned char *slurp(const char *folder, const char *name) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f) { fprintf(stderr, "%s cannot be read\n", path); exit(2); }
    long size = (fseek(f, 0, SEEK_END), ftell(f));
    rewind(f);
    unsigned char *data = calloc(size + 1, 1);
    if (fread(data, 1, size, f) != (size_t)size) exit(2);
    return fclose(f), data;
}

int main(int argc, char **argv) {
    if (argc < 2) { fprintf(stderr, "usage: reader DIR [OUT]\n"); return 2; }
    int cases = 0, wrong = 0, ours = 0, many = 0, at = 0;
    char name[128] = "", norm[16], way[16], dtype[16], file[64];
    double epsilon = 0, *v[7];
    Array found[32];
    char *text = (char *)slurp(argv[1], "cases.txt"), *line = strtok(text, "\n");
    for (;; line = strtok(NULL, "\n")) {
        if ((!line || !strncmp(line, "case", 4)) && ours) { /* the case is complete: x weight bias y.value .high .low .limit */
            unsigned char *bytes = slurp(argv[1], file);
            for (int k = 0; k < 7; k++) v[k] = load(bytes, &found[k]);
            long count = size_of(&found[0]), beyond = 0;
            float *y = malloc(sizeof(float) * (count + 1));
            layer_norm(v[0], v[1], v[2], epsilon, found[0].shape[0], found[0].shape[1], y);
            for (long i = 0; i < count; i++)
                if (!isnan(v[4][i]) && !isinf(v[6][i]) && !(fabs(y[i] - v[4][i] - v[5][i]) <= v[6][i])) beyond++;
            if (beyond) printf("%s: %ld of %ld elements are beyond their limit\n", name, beyond, count);
            if (argc > 2) {
                char path[1200];
                FILE *out = (snprintf(path, sizeof path, "%s/%s.y.bin", argv[2], name), fopen(path, "wb"));
                if (!out || fwrite(y, 4, count, out) != (size_t)count || fclose(out)) return 2;
            }
            for (int k = 0; k < 7; k++) free(v[k]);
            free(y), free(bytes), cases++, wrong += beyond > 0;
        }
        if (!line) return printf("%d cases, %d wrong\n", cases, wrong), wrong > 0 || !cases;
        Array *a = &found[many < 31 ? many : 31];
        if (sscanf(line, "case %127s %15s %15s %15s %63s %lf", name, norm, way, dtype, file, &epsilon) == 6)
            ours = !strcmp(norm, "layer") && !strcmp(way, "forward"), many = 0;
        else if (sscanf(line, "array %31s %15s %ld %ld %ld %ld%n", a->name, a->dtype, &a->at, &a->count, &a->head, &a->axes, &at) == 6) {
            char *word = line + at;
            for (int k = 0; k < a->axes; k++) a->shape[k] = strtol(word, &word, 10);
            for (int k = 0; k < a->axes; k++) a->strides[k] = strtol(word, &word, 10);
            many++;
        }
    }
}
