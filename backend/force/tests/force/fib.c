/* Recursive Fibonacci, one thunk a call: what a step does to answer with a thunk.
 *
 *   fib N BIN    writes N to /out if N < 2; else the thunks fib(N-1), fib(N-2) and their sum, the tree
 *                of the sum, and to /out the placeholder of the sum
 *   add          writes the sum of /left and /right to /out
 *
 * BIN is the tree with this program, so that it can write the roots of its children. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }

/* The first 32 bits of the fractional parts of roots of primes, which SHA-256 starts from. */
static uint32_t fraction(int place, int cube) {
    int prime = 1;
    for (int seen = -1; seen < place;) {
        int composite = 0;
        prime++;
        for (int d = 2; d * d <= prime; d++)
            composite |= prime % d == 0;
        seen += !composite;
    }
    unsigned __int128 low = 0, high = (unsigned __int128)1 << 40;
    while (high - low > 1) { /* the root times 2^32, by halving */
        unsigned __int128 middle = (low + high) / 2;
        int over = cube ? middle * middle * middle > (unsigned __int128)prime << 96
                        : middle * middle > (unsigned __int128)prime << 64;
        if (over) high = middle; else low = middle;
    }
    return (uint32_t)low;
}

static void sha256(const char *text, size_t len, uint8_t digest[32]) {
    uint32_t h[8], k[64], w[64];
    for (int i = 0; i < 8; i++) h[i] = fraction(i, 0);
    for (int i = 0; i < 64; i++) k[i] = fraction(i, 1);
    size_t whole = (len + 9 + 63) / 64 * 64;
    uint8_t *block = calloc(whole, 1);
    if (!block) exit(2);
    memcpy(block, text, len);
    block[len] = 0x80;
    for (int i = 0; i < 8; i++) block[whole - 1 - i] = (uint64_t)len * 8 >> 8 * i;
    for (size_t at = 0; at < whole; at += 64) {
        for (int i = 0; i < 16; i++) {
            const uint8_t *p = block + at + 4 * i;
            w[i] = (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
        }
        for (int i = 16; i < 64; i++) {
            uint32_t a = w[i - 15], b = w[i - 2];
            w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7] +
                   (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
        }
        uint32_t s[8];
        memcpy(s, h, sizeof s);
        for (int i = 0; i < 64; i++) {
            uint32_t t1 = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) +
                          ((s[4] & s[5]) ^ (~s[4] & s[6])) + k[i] + w[i];
            uint32_t t2 = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) +
                          ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
            memmove(s + 1, s, 7 * sizeof *s);
            s[4] += t1;
            s[0] = t1 + t2;
        }
        for (int i = 0; i < 8; i++) h[i] += s[i];
    }
    free(block);
    for (int i = 0; i < 32; i++) digest[i] = h[i / 4] >> (24 - 8 * (i % 4));
}

/* The name of an object: letter, SHA-256 in base64url with '.' for '-', length. */
static void name(char letter, const char *text, char out[64]) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";
    uint8_t digest[33] = {0};
    sha256(text, strlen(text), digest);
    *out++ = letter;
    for (int i = 0; i < 43; i++) {
        int bit = 6 * i, both = digest[bit / 8] << 8 | digest[bit / 8 + 1];
        *out++ = digits[both >> (10 - bit % 8) & 63];
    }
    sprintf(out, "%08zx", strlen(text));
}

static void put(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file)) {
        perror(path);
        exit(1);
    }
}

static long get(const char *path) {
    long n;
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%ld", &n) != 1) {
        perror(path);
        exit(1);
    }
    fclose(file);
    return n;
}

/* Writes the thunk fib(n), and gives its name. */
static void call(const char *path, long n, const char *bin, char out[64]) {
    char tree[256], root[64], text[1024];
    snprintf(tree, sizeof tree, "{\"entries\":[[\"bin\",{\"dir\":\"%s\"}]],\"gg\":\"tree/1\"}", bin);
    name('V', tree, root);
    snprintf(text, sizeof text,
             "{\"cwd\":\"/\",\"env\":[],\"gg\":\"thunk/1\",\"outputs\":[{\"path\":\"/out\",\"tag\":\"out\"},"
             "{\"optional\":true,\"path\":\"/left\",\"tag\":\"left\"},"
             "{\"optional\":true,\"path\":\"/right\",\"tag\":\"right\"},"
             "{\"optional\":true,\"path\":\"/sum\",\"tag\":\"sum\"},"
             "{\"optional\":true,\"path\":\"/sum-root\",\"tag\":\"sum-root\"}],"
             "\"root\":\"%s\",\"steps\":[{\"argv\":[\"fib\",\"%ld\",\"%s\"],\"exe\":\"/bin/fib\"}]}",
             root, n, bin);
    put(path, text);
    name('T', text, out);
}

int main(int argc, char **argv) {
    char text[1024];
    if (argc == 1) {
        snprintf(text, sizeof text, "%ld\n", get("/left") + get("/right"));
        put("/out", text);
        return 0;
    }
    if (argc != 3) return 2;
    long n = atol(argv[1]);
    if (n < 2) {
        snprintf(text, sizeof text, "%ld\n", n);
        put("/out", text);
        return 0;
    }
    char left[64], right[64], root[64], sum[64];
    call("/left", n - 1, argv[2], left);
    call("/right", n - 2, argv[2], right);
    snprintf(text, sizeof text,
             "{\"entries\":[[\"bin\",{\"dir\":\"%s\"}],[\"left\",{\"file\":\"%s#out\",\"mode\":420}],"
             "[\"right\",{\"file\":\"%s#out\",\"mode\":420}]],\"gg\":\"tree/1\"}",
             argv[2], left, right);
    put("/sum-root", text);
    name('V', text, root);
    snprintf(text, sizeof text,
             "{\"cwd\":\"/\",\"env\":[],\"gg\":\"thunk/1\",\"outputs\":[{\"path\":\"/out\",\"tag\":\"out\"}],"
             "\"root\":\"%s\",\"steps\":[{\"argv\":[\"add\"],\"exe\":\"/bin/fib\"}]}",
             root);
    put("/sum", text);
    name('T', text, sum);
    snprintf(text, sizeof text, "#!/usr/bin/env gg-force-and-run\n%s#out\n", sum);
    put("/out", text);
    return 0;
}
