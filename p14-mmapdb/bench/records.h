/* records.h - the records of the bench: keys of 16 B, values of 100 B.
 *
 * The keys are hexadecimal digits of hashed numbers, so that neighbours share
 * few of them. A value names its key and carries a number, which decides the
 * rest of its bytes: whoever reads one can tell whether it is whole, and whose
 * it is. All is made before a clock starts, and forked children share it.
 */
#ifndef UNIXIPC_P14_MMAPDB_BENCH_RECORDS_H
#define UNIXIPC_P14_MMAPDB_BENCH_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RECORDS_KEY = 16, RECORDS_VALUE = 100 };

struct records {
	size_t n;
	char (*keys)[RECORDS_KEY]; /* ascending */
	uint32_t *shuffled;        /* 0 … n-1 in random order */
};

struct records_value {
	char key[RECORDS_KEY];
	uint64_t number;
	unsigned char rest[RECORDS_VALUE - RECORDS_KEY - sizeof(uint64_t)];
	unsigned char none[4]; /* what the compiler would add; not stored */
};

/* Returns 0 or -ENOMEM. */
int records_make(struct records *records, size_t n, uint64_t seed);
void records_free(struct records *records);

void records_fill(struct records_value *value, const char *key,
		  uint64_t number);

/* Whether these are the bytes of a value of that key, all of them. */
bool records_is_whole(const void *value, size_t len, const char *key);
uint64_t records_number(const void *value);

#endif
