/* meta.h - the two meta pages and the seal: which version of the tree is the
 * newest that is whole. */
#ifndef UNIXIPC_P14_MMAPDB_META_H
#define UNIXIPC_P14_MMAPDB_META_H

#include <stdbool.h>

#include "p14-mmapdb/handle.h"

/* Copy a meta page out of the mapping: 0, or -EBADMSG when it is none of this
 * database (without words). */
int meta_read(const struct mmapdb *db, unsigned int page,
	      struct layout_meta *meta);

/* A version can be looked at: each page that it leads to is checked. */
bool meta_is_sound(const struct layout_version *version);

/* Whether all pages that it lists are there. Leaves words when not. */
int meta_verify(struct mmapdb *db, const struct layout_meta *meta);

/* The newest version that is known to have been durable; 0: none is. */
uint64_t meta_sealed(const struct mmapdb *db);

/* Find the newest version whose meta page and pages are whole. -EBADMSG: there
 * is none. When there is a later one that is not, that is in words, and else there
 * are no words. */
int meta_choose(struct mmapdb *db, struct layout_meta *meta,
		unsigned int *page);

/* Write one, and tell its checksum. Short of a sync. */
int meta_write(struct mmapdb *db, unsigned int page,
	       const struct layout_version *version,
	       const struct layout_listed *list, unsigned int listed,
	       uint32_t *crc);

/* Note that this version is durable. No sync follows; that it fails is no
 * failure. */
void meta_seal(struct mmapdb *db, uint64_t txnid);

/* The first pages of a new file: an empty version. */
int meta_init(int fd, const uint8_t id[16], uint64_t pages, uint64_t max_pages);

#endif
