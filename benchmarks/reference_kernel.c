/* What the processor can do: tokenise ASCII text with SIMD, roll a hash over NGRAM words, ask a bitmap, then a table.
 *
 * A yardstick for benchmarks/contamination.py, not part of the product: it answers only how many texts hold any known
 * n-gram, does not know Unicode, and keeps no positions. Needs AVX2. Compiled with -O3 -march=native.
 */
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define BASE 0x9E3779B97F4A7C15ULL
#define GRAM 0xD6E8FEB86659FD93ULL
#define MAX_NGRAM 32

static inline uint64_t mix(uint64_t v) {
    v = (v ^ (v >> 33)) * 0xFF51AFD7ED558CCDULL;
    v = (v ^ (v >> 33)) * 0xC4CEB9FE1A85EC53ULL;
    return v ^ (v >> 33);
}

static inline __m256i within(__m256i bytes, char first, char last) {
    __m256i shifted = _mm256_sub_epi8(bytes, _mm256_set1_epi8(first));
    __m256i most = _mm256_set1_epi8((char)(last - first));
    return _mm256_cmpeq_epi8(_mm256_min_epu8(shifted, most), shifted);
}

/* Fold 32 bytes to `folded`; the mask of letters and digits. */
static inline uint32_t fold(const uint8_t *from, uint8_t *folded) {
    __m256i bytes = _mm256_loadu_si256((const __m256i *)from);
    __m256i small = _mm256_or_si256(bytes, _mm256_set1_epi8(0x20));
    __m256i letters = within(small, 'a', 'z'), digits = within(bytes, '0', '9');
    __m256i kept = _mm256_or_si256(_mm256_and_si256(letters, small), _mm256_and_si256(digits, bytes));
    _mm256_storeu_si256((__m256i *)folded, kept);
    return (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(letters, digits));
}

static inline uint64_t word_hash(const uint8_t *at, int64_t size) {
    uint64_t value = 0, eight;
    for (; size > 8; size -= 8, at += 8) {
        memcpy(&eight, at, 8);
        value = value * BASE + eight;
    }
    memcpy(&eight, at, 8);
    return mix(value * BASE + (eight & ~0ULL >> (64 - 8 * size)));
}

/* Texts data[offsets[i]..offsets[i + 1]] with an n-gram whose key is among the `size` slots (a power of two; 0 is free).
 * `bitmap` has 2^24 bits. With `add`, the n-grams are put into both instead. `scratch` holds the longest text twice and
 * 64 bytes; 64 bytes of `data` behind the last text must be readable. */
int64_t texts_with_grams(const uint8_t *data, const int64_t *offsets, int64_t texts, int64_t ngram, uint8_t *bitmap,
                         uint64_t *slots, int64_t size, int add, uint8_t *scratch) {
    int64_t found = 0;
    uint64_t leaving = 1;
    for (int64_t i = 0; i < ngram; i++) leaving *= GRAM;
    for (int64_t text = 0; text < texts; text++) {
        const uint8_t *from = data + offsets[text];
        int64_t length = offsets[text + 1] - offsets[text], words = 0, begin = 0, turn = 0;
        uint64_t ring[MAX_NGRAM] = {0}, key = 0;
        uint32_t carry = 0;
        int hit = 0;
        for (int64_t place = 0; place <= length && !hit; place += 32) {
            uint32_t letters = fold(from + place, scratch + place);
            if (length - place < 32) letters &= (1u << (length - place)) - 1;
            uint32_t changes = letters ^ (letters << 1 | carry);
            carry = letters >> 31;
            for (; changes; changes &= changes - 1) {
                int64_t border = place + __builtin_ctz(changes);
                if (border >= length || !(letters >> (border - place) & 1)) {
                    uint64_t hash = word_hash(scratch + begin, border - begin);
                    key = key * GRAM + hash - leaving * ring[turn];
                    ring[turn] = hash;
                    turn = turn + 1 == ngram ? 0 : turn + 1;
                    if (++words < ngram) continue;
                    uint64_t mixed = mix(key) | 1, bit = mixed >> 40;
                    if (add) {
                        bitmap[bit >> 3] |= 1 << (bit & 7);
                    } else if (!(bitmap[bit >> 3] >> (bit & 7) & 1)) {
                        continue;
                    }
                    uint64_t slot = mixed >> 8 & (size - 1);
                    while (slots[slot] && slots[slot] != mixed) slot = (slot + 1) & (size - 1);
                    if (add) slots[slot] = mixed;
                    else hit |= slots[slot] == mixed;
                } else {
                    begin = border;
                }
            }
        }
        found += hit;
    }
    return found;
}
