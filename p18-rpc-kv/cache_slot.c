#include "p18-rpc-kv/cache_slot.h"

#include <errno.h>
#include <string.h>

static size_t words_of(size_t bytes)
{
	return (bytes + 7) / 8;
}

bool cache_slot_has_room(size_t key_len, size_t value_len)
{
	return key_len <= CACHE_ROOM && value_len <= CACHE_ROOM &&
	       8 * words_of(key_len) + value_len <= CACHE_ROOM;
}

/* The word of bytes that begins there, filled up with zeros. */
static uint64_t word_at(const unsigned char *bytes, size_t len, size_t at)
{
	uint64_t word = 0;

	/* Of a constant size it is one instruction. */
	if (len - at >= 8)
		memcpy(&word, bytes + at, 8);
	else
		memcpy(&word, bytes + at, len - at);
	return word;
}

static void store(uint64_t *words, const void *bytes, size_t len)
{
	for (size_t at = 0; at < len; at += 8)
		__atomic_store_n(words++, word_at(bytes, len, at),
				 __ATOMIC_RELAXED);
}

static bool is_equal(const uint64_t *words, const void *bytes, size_t len)
{
	for (size_t at = 0; at < len; at += 8)
		if (__atomic_load_n(words++, __ATOMIC_RELAXED) !=
		    word_at(bytes, len, at))
			return false;
	return true;
}

static void load(unsigned char *bytes, const uint64_t *words, size_t len)
{
	for (size_t at = 0; at < len; at += 8) {
		uint64_t word = __atomic_load_n(words++, __ATOMIC_RELAXED);

		if (len - at >= 8)
			memcpy(bytes + at, &word, 8);
		else
			memcpy(bytes + at, &word, len - at);
	}
}

void cache_slot_write(struct cache_slot *slot, uint64_t *sequence,
		      const void *key, size_t key_len, const void *value,
		      size_t value_len, uint64_t revision)
{
	__atomic_store_n(&slot->sequence, *sequence + 1, __ATOMIC_RELAXED);
	/* Whoever reads a word from below will find the sequence odd, or
	 * further, when it looks again; pairs with the fence in is_whole(). */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	__atomic_store_n(&slot->revision, revision, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->lengths, key_len | (uint64_t)value_len << 32,
			 __ATOMIC_RELAXED);
	store(slot->words, key, key_len);
	store(slot->words + words_of(key_len), value, value_len);
	*sequence += 2;
	/* Pairs with the acquire in cache_slot_read(). */
	__atomic_store_n(&slot->sequence, *sequence, __ATOMIC_RELEASE);
}

/* Whether what was read since the sequence was `before` is of one piece. */
static bool is_whole(const struct cache_slot *slot, uint64_t before)
{
	/* Keeps the reads above before the look below; pairs with the fence in
	 * cache_slot_write(). */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&slot->sequence, __ATOMIC_RELAXED) == before;
}

/* What may be torn is copied all the same, within bounds, and thrown away
 * when is_whole() says so. */
static int copy(const struct cache_slot *slot, const void *key, size_t key_len,
		struct cache_value *value)
{
	uint64_t lengths = __atomic_load_n(&slot->lengths, __ATOMIC_RELAXED);
	size_t value_len = lengths >> 32;

	if (!cache_slot_has_room(lengths & UINT32_MAX, value_len))
		return -EBADMSG;
	if ((lengths & UINT32_MAX) != key_len ||
	    !is_equal(slot->words, key, key_len))
		return -ENOENT;
	value->revision = __atomic_load_n(&slot->revision, __ATOMIC_RELAXED);
	value->len = value_len;
	load(value->bytes, slot->words + words_of(key_len), value_len);
	return 0;
}

int cache_slot_read(const struct cache_slot *slot, const void *key,
		    size_t key_len, struct cache_value *value)
{
	for (int i = 0; i < CACHE_SLOT_TRIES; i++) {
		/* Pairs with the release in cache_slot_write(). */
		uint64_t before =
			__atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE);
		int error;

		if (before & 1)
			continue;
		error = copy(slot, key, key_len, value);
		if (is_whole(slot, before))
			return error;
	}
	return -EAGAIN;
}
