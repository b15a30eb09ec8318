/* A message is seen as blocks of 8 words of 64 bits: the header's two words
 * count as zeros, and zeros fill up the last block. Word k of a block goes into
 * lane k:
 *
 *	sum[k] += word;  weighted[k] += sum[k];
 *
 * as in Fletcher's checksum (1982). A word that is changed, missing or
 * doubled changes a sum; one that moved changes a weighted sum. Lanes are
 * independent and need only additions, which even the oldest x86-64 does on
 * two words at once, and AVX-512 on all eight. In the end every lane is
 * multiplied by a number of its own, so that words that change lanes are
 * noticed too.
 */
#include "lib/measure/payload.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define WORDS 8
#define BLOCK (WORDS * sizeof(uint64_t))

/* The golden ratio in 64 bits: multiples of it look like noise. */
#define STEP UINT64_C(0x9e3779b97f4a7c15)

typedef uint64_t pair __attribute__((vector_size(16)));

struct header {
	uint64_t sequence, check;
};
_Static_assert(sizeof(struct header) == PAYLOAD_MIN, "the message layout");

/* Members, not arrays, so that compilers keep all of it in registers. */
struct block {
	pair a, b, c, d;
};
_Static_assert(sizeof(struct block) == BLOCK, "no padding");

struct lanes {
	struct block sum, weighted;
};

static inline void add(struct block *to, const struct block *what)
{
	to->a += what->a;
	to->b += what->b;
	to->c += what->c;
	to->d += what->d;
}

static inline void add_block(struct lanes *lanes, const struct block *block)
{
	add(&lanes->sum, block);
	add(&lanes->weighted, &lanes->sum);
}

/* Random odd numbers. */
static const uint64_t factors[2 * WORDS + 2] = {
	UINT64_C(0xbdd732262feb6e95), UINT64_C(0x28efe333b266f103),
	UINT64_C(0x47526757130f9f53), UINT64_C(0x581ce1ff0e4ae395),
	UINT64_C(0x09bc585a244823f3), UINT64_C(0xde4431fa3c80db07),
	UINT64_C(0x37e9671c45376d5d), UINT64_C(0xccf635ee9e9e2fa5),
	UINT64_C(0x5705b8770b3d7dd5), UINT64_C(0x9e54d738297f77af),
	UINT64_C(0x3474724a775b19bf), UINT64_C(0x7e348a0e451650bf),
	UINT64_C(0x836ded897f3e46e7), UINT64_C(0x851f977347ed6db7),
	UINT64_C(0xaa47e31c02e78edd), UINT64_C(0x341452c54d7c33f3),
	UINT64_C(0x1a83d752f35eba75), UINT64_C(0x7ed90003f67f9e1d),
};

/* A word counts f times in a sum and k * g times in a weighted one, where k is
 * how far it is from the end: f is odd and g even, so that f + k * g is odd
 * and no bit of any word is lost. */
static inline uint64_t dot(pair sum, pair weighted, const uint64_t *f)
{
	return sum[0] * f[0] + sum[1] * f[1] +
	       2 * (weighted[0] * f[2] + weighted[1] * f[3]);
}

static inline uint64_t finish(const struct lanes *lanes, uint64_t sequence,
			      size_t bytes)
{
	uint64_t h = sequence * factors[16] + bytes * factors[17];

	h += dot(lanes->sum.a, lanes->weighted.a, factors);
	h += dot(lanes->sum.b, lanes->weighted.b, factors + 4);
	h += dot(lanes->sum.c, lanes->weighted.c, factors + 8);
	h += dot(lanes->sum.d, lanes->weighted.d, factors + 12);
	h ^= h >> 32;
	h *= STEP;
	return h ^ h >> 29;
}

/* The same for a message of one block: its sums and its weighted sums are both
 * its words, so that they need no lanes. Such messages are what fast mechanisms
 * are compared with, where the work of the lanes would show. Word by word from
 * and to memory: a copy in between would be read wider than it was written. */
static inline uint64_t weight_of(size_t i)
{
	const uint64_t *f = factors + i / 2 * 4 + i % 2;

	return f[0] + 2 * f[2];
}

static inline uint64_t mix_block(uint64_t h, uint64_t sequence)
{
	h += sequence * factors[16] + BLOCK * factors[17];
	h ^= h >> 32;
	h *= STEP;
	return h ^ h >> 29;
}

static void write_block(unsigned char *to, uint64_t sequence)
{
	uint64_t h = 0, word = (sequence + 1) * STEP;

#pragma GCC unroll 8
	for (size_t i = 2; i < WORDS; i++) {
		word += STEP;
		memcpy(to + i * sizeof(word), &word, sizeof(word));
		h += word * weight_of(i);
	}
	h = mix_block(h, sequence);
	memcpy(to, &sequence, sizeof(sequence));
	memcpy(to + sizeof(sequence), &h, sizeof(h));
}

static int check_block(const unsigned char *from, uint64_t *sequence)
{
	uint64_t check, word, h = 0;

#pragma GCC unroll 8
	for (size_t i = 2; i < WORDS; i++) {
		memcpy(&word, from + i * sizeof(word), sizeof(word));
		h += word * weight_of(i);
	}
	memcpy(sequence, from, sizeof(*sequence));
	memcpy(&check, from + sizeof(*sequence), sizeof(check));
	return check == mix_block(h, *sequence) ? 0 : -EBADMSG;
}

static uint64_t write_narrow(unsigned char *to, size_t bytes, uint64_t sequence)
{
	const uint64_t word = (sequence + 1) * STEP, step = word | 1;
	const pair next = {step, step + 2};
	const struct block steps = {next, next, next, next};
	struct block block = {
		{0, 0}, /* where the header goes */
		{word + 1 * STEP, word + 2 * STEP},
		{word + 3 * STEP, word + 4 * STEP},
		{word + 5 * STEP, word + 6 * STEP},
	};
	struct lanes lanes = {0};
	size_t left = bytes;

	for (; left >= BLOCK; left -= BLOCK, to += BLOCK) {
		memcpy(to, &block, BLOCK);
		add_block(&lanes, &block);
		add(&block, &steps);
	}
	if (left) {
		struct block last = {0};

		memcpy(to, &block, left);
		memcpy(&last, &block, left);
		add_block(&lanes, &last);
	}
	return finish(&lanes, sequence, bytes);
}

static uint64_t check_of_narrow(const unsigned char *from, size_t bytes,
				const struct header *header)
{
	struct lanes lanes = {0};
	size_t left = bytes;

	/* Taken off in advance, the header counts as zeros. */
	lanes.sum.a -= (pair){header->sequence, header->check};

	for (; left >= BLOCK; left -= BLOCK, from += BLOCK) {
		struct block block;

		memcpy(&block, from, BLOCK);
		add_block(&lanes, &block);
	}
	if (left) {
		struct block last = {0};

		memcpy(&last, from, left);
		add_block(&lanes, &last);
	}
	return finish(&lanes, header->sequence, bytes);
}

/* ---- a block at a time ------------------------------------------------------ */

/* The same sums, where registers hold a block. It is not only that they are
 * made faster: a processor has room for some dozens of stores that wait for
 * their lines, and narrow ones of ours took it from a mechanism that writes to
 * lines in the other processor's cache. */
#if defined(__x86_64__)
#define WIDE __attribute__((target("avx512f")))

typedef uint64_t words __attribute__((vector_size(BLOCK)));

static bool has_wide(void)
{
	return __builtin_cpu_supports("avx512f");
}

WIDE static inline uint64_t finish_wide(const words *sum, const words *weighted,
					uint64_t sequence, size_t bytes)
{
	struct lanes lanes;

	memcpy(&lanes.sum, sum, BLOCK);
	memcpy(&lanes.weighted, weighted, BLOCK);
	return finish(&lanes, sequence, bytes);
}

WIDE static uint64_t write_wide(unsigned char *to, size_t bytes,
				uint64_t sequence)
{
	const uint64_t word = (sequence + 1) * STEP, step = word | 1;
	const words steps = {step, step + 2, step, step + 2,
			     step, step + 2, step, step + 2};
	words block = {0,
		       0,
		       word + 1 * STEP,
		       word + 2 * STEP,
		       word + 3 * STEP,
		       word + 4 * STEP,
		       word + 5 * STEP,
		       word + 6 * STEP};
	words sum = {0}, weighted = {0};
	size_t left = bytes;

	for (; left >= BLOCK; left -= BLOCK, to += BLOCK) {
		memcpy(to, &block, BLOCK);
		sum += block;
		weighted += sum;
		block += steps;
	}
	if (left) {
		const words whole = block; /* block stays in its register */
		words last = {0};

		memcpy(to, &whole, left);
		memcpy(&last, &whole, left);
		sum += last;
		weighted += sum;
	}
	return finish_wide(&sum, &weighted, sequence, bytes);
}

/* In one store, that a wide load which comes at once need not wait for. */
WIDE static void write_block_wide(unsigned char *to, uint64_t sequence)
{
	uint64_t h = 0, word = (sequence + 1) * STEP;
	words block = word + (words){0,        0,        STEP,     2 * STEP,
				     3 * STEP, 4 * STEP, 5 * STEP, 6 * STEP};

#pragma GCC unroll 8
	for (size_t i = 2; i < WORDS; i++) {
		word += STEP;
		h += word * weight_of(i);
	}
	block[0] = sequence;
	block[1] = mix_block(h, sequence);
	memcpy(to, &block, BLOCK);
}

WIDE static uint64_t check_of_wide(const unsigned char *from, size_t bytes,
				   const struct header *header)
{
	words sum = {-header->sequence, -header->check}, weighted = {0};
	size_t left = bytes;

	for (; left >= BLOCK; left -= BLOCK, from += BLOCK) {
		words block;

		memcpy(&block, from, BLOCK);
		sum += block;
		weighted += sum;
	}
	if (left) {
		words last = {0};

		memcpy(&last, from, left);
		sum += last;
		weighted += sum;
	}
	return finish_wide(&sum, &weighted, header->sequence, bytes);
}
#else
static bool has_wide(void)
{
	return false;
}

#define write_block_wide write_block
#define write_wide write_narrow
#define check_of_wide check_of_narrow
#endif

void payload_write(void *message, size_t bytes, uint64_t sequence)
{
	const bool is_wide = has_wide();
	struct header header = {sequence, 0};

	if (bytes == BLOCK) {
		if (is_wide)
			write_block_wide(message, sequence);
		else
			write_block(message, sequence);
		return;
	}
	header.check = is_wide ? write_wide(message, bytes, sequence)
			       : write_narrow(message, bytes, sequence);
	memcpy(message, &header, sizeof(header));
}

int payload_check(const void *message, size_t bytes, uint64_t *sequence)
{
	struct header header;
	uint64_t check;

	if (bytes == BLOCK)
		return check_block(message, sequence);
	memcpy(&header, message, sizeof(header));
	check = has_wide() ? check_of_wide(message, bytes, &header)
			   : check_of_narrow(message, bytes, &header);
	*sequence = header.sequence;
	return check == header.check ? 0 : -EBADMSG;
}
