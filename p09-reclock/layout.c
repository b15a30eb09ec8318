/* layout.c - what follows from the numbers in a header, and which are refused. */
#include "p09-reclock/layout.h"

#include <errno.h>
#include <string.h>

#include "lib/crc32c.h"
#include "p09-reclock/reclock.h"

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

uint64_t layout_hash(uint64_t id, const void *key, size_t len)
{
	const unsigned char *bytes = key;
	uint64_t hash = mix(id, len), value;

	for (; len >= 8; bytes += 8, len -= 8) {
		memcpy(&value, bytes, 8);
		hash = mix(hash, value);
	}
	value = 0;
	if (len)
		memcpy(&value, bytes, len);
	hash = mix(hash, value);
	/* Once more with another factor: one alone spreads what counts up too
	 * evenly, and other keys not evenly enough. */
	hash = (hash ^ hash >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return hash ^ hash >> 32;
}

static size_t round_up(size_t value, size_t to)
{
	return (value + to - 1) / to * to;
}

int layout_plan(struct layout *layout, uint32_t record_bytes, uint64_t groups,
		uint64_t id)
{
	if (record_bytes < RECLOCK_RECORD_MIN ||
	    record_bytes > RECLOCK_RECORD_MAX || groups < 1 ||
	    groups > LAYOUT_GROUPS_MAX)
		return -EINVAL;
	*layout = (struct layout){
		.record_bytes = record_bytes,
		.groups = (uint32_t)groups,
		.id = id,
		.half_bytes =
			sizeof(struct layout_half) + round_up(record_bytes, 8),
	};
	/* No group shares a cache line with its neighbour. */
	layout->group_bytes =
		round_up(sizeof(struct layout_group) +
				 2 * LAYOUT_SLOTS * layout->half_bytes,
			 64);
	layout->file_bytes =
		LAYOUT_PAGE + LAYOUT_TABLE_BYTES +
		((size_t)groups + LAYOUT_REACH) * layout->group_bytes;
	return 0;
}

static uint32_t header_crc(const struct layout_header *header)
{
	return crc32c(header, offsetof(struct layout_header, crc));
}

void layout_make_header(const struct layout *layout,
			struct layout_header *header)
{
	*header = (struct layout_header){
		.version = LAYOUT_VERSION,
		.byte_order = LAYOUT_BYTE_ORDER,
		.record_bytes = layout->record_bytes,
		.groups = layout->groups,
		.id = layout->id,
		.state = LAYOUT_NORMAL,
	};
	memcpy(header->magic, LAYOUT_MAGIC, sizeof(header->magic));
	header->crc = header_crc(header);
}

int layout_check_header(const struct layout_header *header, uint64_t file_bytes,
			struct layout *layout, const char **why)
{
	if (memcmp(header->magic, LAYOUT_MAGIC, sizeof(header->magic)) != 0) {
		*why = "it is not a file of kvstore";
		return -EBADMSG;
	}
	if (header->byte_order != LAYOUT_BYTE_ORDER) {
		*why = "it is of a machine with another byte order";
		return -EPROTONOSUPPORT;
	}
	if (header->version != LAYOUT_VERSION) {
		*why = "it is of another version of kvstore";
		return -EPROTONOSUPPORT;
	}
	if (header->crc != header_crc(header)) {
		*why = "its header is damaged";
		return -EBADMSG;
	}
	if (layout_plan(layout, header->record_bytes, header->groups,
			header->id)) {
		*why = "its header has numbers out of range";
		return -EBADMSG;
	}
	if (layout->file_bytes != file_bytes) {
		*why = file_bytes < layout->file_bytes ? "it was truncated"
						       : "it is too long";
		return -EBADMSG;
	}
	return 0;
}
