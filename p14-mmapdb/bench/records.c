#include "p14-mmapdb/bench/records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rng.h"

enum { REST = RECORDS_VALUE - RECORDS_KEY - sizeof(uint64_t) };

/* Mixes the bits of i; no two i give the same (splitmix64). */
static uint64_t hash(uint64_t i)
{
	i = (i ^ (i >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	i = (i ^ (i >> 27)) * UINT64_C(0x94d049bb133111eb);
	return i ^ (i >> 31);
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, RECORDS_KEY);
}

int records_make(struct records *records, size_t n, uint64_t seed)
{
	struct rng rng;

	records->n = n;
	records->keys = malloc(n * RECORDS_KEY);
	records->shuffled = malloc(n * sizeof(*records->shuffled));
	if (!records->keys || !records->shuffled) {
		records_free(records);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		uint64_t bits = hash(i + 1);

		for (int d = 0; d < RECORDS_KEY; d++, bits >>= 4)
			records->keys[i][d] = "0123456789abcdef"[bits & 15];
		records->shuffled[i] = (uint32_t)i;
	}
	qsort(records->keys, n, RECORDS_KEY, compare);
	rng_seed(&rng, seed);
	for (size_t i = n; i > 1; i--) {
		size_t other = rng_below(&rng, i);
		uint32_t kept = records->shuffled[other];

		records->shuffled[other] = records->shuffled[i - 1];
		records->shuffled[i - 1] = kept;
	}
	return 0;
}

void records_free(struct records *records)
{
	free(records->keys);
	free(records->shuffled);
	*records = (struct records){0};
}

void records_fill(struct records_value *value, const char *key, uint64_t number)
{
	memcpy(value->key, key, RECORDS_KEY);
	value->number = number;
	memset(value->rest, (int)(number & 255), REST);
}

uint64_t records_number(const void *value)
{
	uint64_t number;

	memcpy(&number, (const char *)value + RECORDS_KEY, sizeof(number));
	return number;
}

bool records_is_whole(const void *value, size_t len, const char *key)
{
	const unsigned char *rest = value;
	unsigned char byte;

	if (len != RECORDS_VALUE || memcmp(value, key, RECORDS_KEY) != 0)
		return false;
	byte = (unsigned char)records_number(value);
	rest += RECORDS_VALUE - REST;
	return rest[0] == byte && !memcmp(rest, rest + 1, REST - 1);
}
