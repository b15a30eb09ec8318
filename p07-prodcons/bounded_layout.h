/* bounded_layout.h - what lies in the memory of a bounded buffer, for the two files
 * that make and use one; nobody else includes this. */
#ifndef UNIXIPC_P07_PRODCONS_BOUNDED_LAYOUT_H
#define UNIXIPC_P07_PRODCONS_BOUNDED_LAYOUT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "lib/identity.h"
#include "lib/park.h"
#include "p07-prodcons/bounded.h"

enum { BOUNDED_LAYOUT_VERSION = 2 };
#define BOUNDED_LAYOUT_MAGIC UINT32_C(0x66754250) /* "PBuf" */

/* Slots follow. Items are counted from the first ever, and never wrap: item n
 * lies in slot n % capacity. What has a lock around it and is written by one
 * store, is mended by nothing more than being looked at. */
struct bounded_state {
	_Atomic uint32_t magic; /* written last: the rest is sound then */
	uint16_t version;
	uint16_t lock_bytes; /* differs between 32 and 64 bits */
	uint32_t capacity, item_bytes;
	struct identity_place place; /* of a shared one: where it was made */
	pthread_mutex_t lock;        /* robust, of a shared one */
	_Atomic uint64_t taken;      /* taken <= put <= taken + capacity */
	_Atomic uint64_t put;
	struct park not_full, not_empty;
	uint64_t full_waits, empty_waits, mended;
	uint32_t is_finished;
};

#define BOUNDED_LAYOUT_SLOTS                   \
	((sizeof(struct bounded_state) + 63) & \
	 ~(size_t)63) /* where they begin */

/* A handle for a buffer in this memory. -EBADMSG when size bytes hold none. */
int bounded_layout_attach(struct bounded *buffer, void *memory, size_t size,
			  bool is_shared);

#endif
